/* SPDX-License-Identifier: MIT */
#include "dismissed.h"

#include <string.h>

enum mt_status mt_dismissed_new(struct mt_dismissed *out)
{
    out->list = json_array();
    return out->list ? MT_OK : MT_NOMEM;
}

static bool is_entry(const json_t *entry)
{
    return json_is_string(json_object_get(entry, "cluster")) &&
           json_is_string(json_object_get(entry, "id")) &&
           json_is_integer(json_object_get(entry, "job"));
}

enum mt_status mt_dismissed_parse(const char *text, size_t len, struct mt_dismissed *out)
{
    size_t i;
    json_t *entry;
    out->list = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_array(out->list);
    json_array_foreach(out->list, i, entry) ok = ok && is_entry(entry);
    if (ok)
        return MT_OK;
    json_decref(out->list);
    return mt_dismissed_new(out);
}

char *mt_dismissed_text(const struct mt_dismissed *dismissed)
{
    return json_dumps(dismissed->list, JSON_COMPACT);
}

static const char *cluster_of(const json_t *entry)
{
    return json_string_value(json_object_get(entry, "cluster"));
}

static json_int_t job_of(const json_t *entry)
{
    return json_integer_value(json_object_get(entry, "job"));
}

bool mt_dismissed_has(const struct mt_dismissed *dismissed, const char *cluster, uint32_t job_id)
{
    size_t i;
    json_t *entry;
    json_array_foreach(dismissed->list, i, entry)
    {
        if (job_of(entry) == job_id && strcmp(cluster_of(entry), cluster) == 0)
            return true;
    }
    return false;
}

enum mt_status mt_dismissed_add(struct mt_dismissed *dismissed, const char *cluster,
                                uint32_t job_id, const char *card_id)
{
    if (mt_dismissed_has(dismissed, cluster, job_id))
        return MT_OK;
    json_t *entry =
        json_pack("{s:s, s:I, s:s}", "cluster", cluster, "job", (json_int_t)job_id, "id", card_id);
    return json_array_append_new(dismissed->list, entry) == 0 ? MT_OK : MT_NOMEM;
}

bool mt_dismissed_drop(struct mt_dismissed *dismissed, mt_dismissed_fn *drop, const void *arg)
{
    bool dropped = false;
    for (size_t i = json_array_size(dismissed->list); i-- > 0;) {
        const json_t *entry = json_array_get(dismissed->list, i);
        const char *id = json_string_value(json_object_get(entry, "id"));
        if (drop(cluster_of(entry), (uint32_t)job_of(entry), id, arg)) {
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
