/* SPDX-License-Identifier: MIT */
#include "card.h"

#include "buf.h"
#include "json.h"
#include "mt_limits.h"
#include "service.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every connection of the largest size, each byte escaped. */
#define CONNECTION_MAX (MT_CONN_KEYS_MAX * (size_t)(MT_CONN_KEY_MAX + 6 * MT_CONN_VALUE_MAX + 16))

static json_t *job_text(const struct mt_record *record)
{
    char text[MT_JOB_TEXT_SIZE];
    return json_stringn(text, mt_text_of_job(record->job_id, text));
}

/*
 * OOD makes a method of each key, and to do so the OpenStruct of Ruby 3.0 and 3.1 asks for the
 * object's class: a key of that name comes last.
 */
static bool put_class_last(json_t *connection)
{
    json_t *value = json_incref(json_object_get(connection, "class"));
    (void)json_object_del(connection, "class");
    return !value || json_object_set_new(connection, "class", value) == 0;
}

json_t *mt_card_connection(const struct mt_share *share)
{
    json_t *out = json_copy(share->message.connection);
    json_t *job_id = job_text(&share->record);
    json_t *app = json_string(share->message.app);
    /* json_copy leaves out what it has no memory for. */
    if (json_object_size(out) != json_object_size(share->message.connection) || !job_id || !app ||
        !out || json_object_set(out, "jobid", job_id) != 0 ||
        json_object_set(out, "mt_appname", app) != 0 || !put_class_last(out)) {
        json_decref(out);
        out = NULL;
    }
    json_decref(job_id);
    json_decref(app);
    return out;
}

char *mt_card_outputs(const struct mt_share *share, const struct mt_settings *settings)
{
    char *out;
    bool own = settings->per_cluster_dataroot && share->ood_cluster;
    int n = asprintf(&out, MT_BATCH_CONNECT "/%s%s%s/output", own ? share->ood_cluster : "",
                     own ? "/" : "", mt_service_look(share)->delivery);
    return n < 0 ? NULL : out;
}

/*
 * U+2028 and U+2029 are line breaks to YAML, and blanks around a break are lost: as JSON escapes
 * they stay what they are. All else that jansson writes, YAML reads unchanged.
 */
static char *escape_breaks(const char *json)
{
    struct mt_buf out = MT_BUF_INIT(CONNECTION_MAX);
    enum mt_status status = MT_OK;
    while (*json && status == MT_OK) {
        const char *stop = strstr(json, "\xe2\x80");
        bool is_break = stop && (stop[2] == '\xa8' || stop[2] == '\xa9');
        size_t plain = stop ? (size_t)(stop - json) + (is_break ? 0 : 2) : strlen(json);
        status = mt_buf_append(&out, json, plain);
        json += plain;
        if (is_break && status == MT_OK) {
            status = mt_buf_append(&out, stop[2] == '\xa8' ? "\\u2028" : "\\u2029", 6);
            json += 3;
        }
    }
    if (status == MT_OK)
        status = mt_buf_append(&out, "\n", 2);
    if (status != MT_OK)
        mt_buf_wipe(&out);
    return out.data;
}

static char *render_connection(const struct mt_share *share)
{
    json_t *object = mt_card_connection(share);
    char *json = object ? mt_json_dump(object, JSON_PRESERVE_ORDER) : NULL;
    char *out = json ? escape_breaks(json) : NULL;
    free(json);
    json_decref(object);
    return out;
}

static char *dump(json_t *object)
{
    char *out = object ? mt_json_dump(object, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(object);
    return out;
}

static char *render_mark(const struct mt_share *share)
{
    json_t *mark =
        json_pack("{s:s, s:s, s:I, s:I}", "cluster", share->record.cluster, "wckey", share->wckeys,
                  "job", (json_int_t)share->record.job_id, "uid", (json_int_t)share->record.uid);
    /* Not the format's s*: it leaves out what it has no memory for. */
    if (share->service &&
        json_object_set_new(mark, "service", json_string(share->service->key)) != 0) {
        json_decref(mark);
        return NULL;
    }
    return dump(mark);
}

static char *render_db(const struct mt_share *share)
{
    const struct mt_message *message = mt_service_look(share);
    /* Slurm's word first: a service may be called "Notes from profsmith". */
    json_t *title = json_sprintf("%s: %s", share->record.user, mt_message_title(message));
    json_t *job_id = job_text(&share->record);
    return dump(json_pack("{s:s, s:s, s:o, s:I, s:s, s:o, s:s, s:n, s:n}", "id", share->card_id,
                          "cluster_id", share->ood_cluster, "job_id", job_id, "created_at",
                          (json_int_t)share->record.start, "token", message->delivery, "title",
                          title, "script_type", "basic", "cache_completed", "completed_at"));
}

enum mt_status mt_card_render(const struct mt_share *share, struct mt_card *out)
{
    out->mark = render_mark(share);
    out->db = render_db(share);
    out->connection = render_connection(share);
    if (out->mark && out->db && out->connection)
        return MT_OK;
    mt_card_free(out);
    return MT_NOMEM;
}

enum mt_status mt_mark_parse(const char *text, size_t len, struct mt_mark *out)
{
    memset(out, 0, sizeof *out);
    enum mt_status status = mt_json_load(text, len, &out->json);
    if (status != MT_OK)
        return status;
    if (!mt_json_text(out->json, "service", &out->service))
        out->service = NULL;
    /* Not json_unpack: it allocates, and does not tell when that fails. */
    bool ok = mt_json_text(out->json, "cluster", &out->cluster) &&
              mt_json_text(out->json, "wckey", &out->wckeys) &&
              mt_json_u32(out->json, "job", &out->job_id) && out->job_id > 0 &&
              mt_json_u32(out->json, "uid", &out->uid);
    return ok ? MT_OK : MT_MALFORMED;
}

enum mt_status mt_db_parse(const char *text, size_t len, struct mt_db *out)
{
    memset(out, 0, sizeof *out);
    enum mt_status status = mt_json_load(text, len, &out->json);
    if (status != MT_OK)
        return status;
    out->completed = json_is_true(json_object_get(out->json, "cache_completed"));
    bool ok = mt_json_text(out->json, "token", &out->token) &&
              mt_json_text(out->json, "job_id", &out->job_id);
    return ok ? MT_OK : MT_MALFORMED;
}

bool mt_db_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    json_t *x = NULL;
    json_t *y = NULL;
    bool same = mt_json_load(a, a_len, &x) == MT_OK && mt_json_load(b, b_len, &y) == MT_OK &&
                json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

void mt_card_free(struct mt_card *card)
{
    free(card->mark);
    free(card->db);
    free(card->connection);
    memset(card, 0, sizeof *card);
}
