/* SPDX-License-Identifier: MIT */
#include "dismissed.h"

#include "json.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME "multitenant.dismissed"

/* Reads one entry; false: it is not one. (json_unpack can't tell that from a lack of memory.) */
static bool read_entry(const json_t *entry, struct mt_dismissal *out)
{
    if (!mt_json_text(entry, "service", &out->service))
        out->service = NULL;
    return mt_json_text(entry, "cluster", &out->cluster) &&
           mt_json_text(entry, "wckey", &out->wckeys) && mt_json_text(entry, "id", &out->card_id) &&
           mt_json_u32(entry, "job", &out->job_id) && out->job_id > 0;
}

/* What is not a list of entries is MT_MALFORMED. */
static enum mt_status parse(const struct mt_buf *text, struct mt_dismissed *out)
{
    size_t i;
    json_t *entry;
    struct mt_dismissal ignored;
    enum mt_status status = mt_json_load(text->data, text->len, &out->list);
    bool ok = json_is_array(out->list);
    json_array_foreach(out->list, i, entry) ok = ok && read_entry(entry, &ignored);
    if (!ok)
        mt_dismissed_free(out);
    return status == MT_OK && !ok ? MT_MALFORMED : status;
}

enum mt_status mt_dismissed_load(int root, struct mt_dismissed *out)
{
    int dir = -1;
    struct mt_file file = MT_FILE_INIT;
    enum mt_status status = MT_OK;
    *out = (struct mt_dismissed){0};
    if (root >= 0)
        status = mt_store_open_dir(root, MT_BATCH_CONNECT, false, &dir);
    if (status == MT_OK && dir >= 0)
        status = mt_store_read(dir, FILE_NAME, &file);
    if (status == MT_OK && file.bytes.data)
        status = parse(&file.bytes, out);
    out->time = file.time;
    mt_buf_wipe(&file.bytes);
    mt_store_close(dir);
    return status == MT_TOO_LARGE || status == MT_MALFORMED ? MT_OK : status;
}

enum mt_status mt_dismissed_save(int root, const struct mt_dismissed *dismissed)
{
    int dir = -1;
    bool empty = json_array_size(dismissed->list) == 0;
    char *text = empty ? NULL : mt_json_dump(dismissed->list, JSON_COMPACT);
    enum mt_status status = MT_NOMEM;
    if (text || empty)
        status = mt_store_open_dir(root, MT_BATCH_CONNECT, !empty, &dir);
    if (status == MT_OK && text)
        status = mt_store_write(dir, FILE_NAME, dir, text, strlen(text));
    else if (status == MT_OK && dir >= 0)
        status = mt_store_remove(dir, FILE_NAME);
    free(text);
    mt_store_close(dir);
    return status;
}

bool mt_dismissed_has(const struct mt_dismissed *dismissed, const char *cluster, uint32_t job_id)
{
    size_t i;
    json_t *entry;
    struct mt_dismissal it;
    json_array_foreach(dismissed->list, i, entry)
    {
        if (read_entry(entry, &it) && it.job_id == job_id && strcmp(it.cluster, cluster) == 0)
            return true;
    }
    return false;
}

bool mt_dismissed_has_card(const struct mt_dismissed *dismissed, const char *card_id)
{
    size_t i;
    json_t *entry;
    struct mt_dismissal it;
    json_array_foreach(dismissed->list, i, entry)
    {
        if (read_entry(entry, &it) && it.service && strcmp(it.card_id, card_id) == 0)
            return true;
    }
    return false;
}

enum mt_status mt_dismissed_add(struct mt_dismissed *dismissed,
                                const struct mt_dismissal *dismissal)
{
    if (dismissal->service ? mt_dismissed_has_card(dismissed, dismissal->card_id)
                           : mt_dismissed_has(dismissed, dismissal->cluster, dismissal->job_id))
        return MT_OK;
    if (!dismissed->list)
        dismissed->list = json_array();
    json_t *entry =
        json_pack("{s:s, s:s, s:I, s:s}", "cluster", dismissal->cluster, "wckey", dismissal->wckeys,
                  "job", (json_int_t)dismissal->job_id, "id", dismissal->card_id);
    if (dismissal->service &&
        json_object_set_new(entry, "service", json_string(dismissal->service)) != 0) {
        json_decref(entry);
        return MT_NOMEM;
    }
    return json_array_append_new(dismissed->list, entry) == 0 ? MT_OK : MT_NOMEM;
}

bool mt_dismissed_drop(struct mt_dismissed *dismissed, mt_dismissal_fn *drop, const void *arg)
{
    bool dropped = false;
    for (size_t i = json_array_size(dismissed->list); i-- > 0;) {
        struct mt_dismissal it;
        if (read_entry(json_array_get(dismissed->list, i), &it) && drop(&it, arg)) {
            (void)json_array_remove(dismissed->list, i);
            dropped = true;
        }
    }
    return dropped;
}

void mt_dismissed_free(struct mt_dismissed *dismissed)
{
    json_decref(dismissed->list);
    dismissed->list = NULL;
}
