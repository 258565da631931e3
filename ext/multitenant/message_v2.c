/* SPDX-License-Identifier: MIT */
#include "message_v2.h"

#include "buf.h"
#include "json.h"
#include "mt_limits.h"
#include "recipients.h"

#include <string.h>

#define VERSION 2

/* v, cluster, job, group, restarts, id, app, method, delivery, conn */
#define KEYS 10U

/* Digits of a uid, and a comma. */
#define UID_TEXT_MAX 11

/* The job that a message says it is for; texts borrow from the JSON. */
struct claim {
    const char *cluster;
    const char *group;
    uint32_t job_id;
    uint32_t restarts;
};

static bool get_claim(const json_t *object, struct claim *out)
{
    uint32_t version;
    return mt_json_u32(object, "v", &version) && version == VERSION &&
           mt_json_text(object, "cluster", &out->cluster) &&
           mt_json_u32(object, "job", &out->job_id) && mt_json_text(object, "group", &out->group) &&
           mt_json_u32(object, "restarts", &out->restarts);
}

/* mtu: who it is for, as decimal numbers. */
static enum mt_status get_recipients(const json_t *object, json_t **out)
{
    const json_t *to = json_object_get(object, "to");
    struct mt_buf uids = MT_BUF_INIT(MT_RECIPIENTS_MAX * UID_TEXT_MAX);
    enum mt_status status = MT_MALFORMED;
    if (!to) {
        *out = json_string(MT_WHOLE_GROUP);
        return *out ? MT_OK : MT_NOMEM;
    }
    if (json_is_string(to))
        status = mt_recipients_decode(json_string_value(to), json_string_length(to), &uids);
    if (status == MT_OK) {
        *out = json_stringn(uids.data ? uids.data : "", uids.len);
        status = *out ? MT_OK : MT_NOMEM;
    }
    mt_buf_wipe(&uids);
    return status;
}

static enum mt_status keep_accounting(const json_t *object, struct mt_message *out)
{
    static const char *const names[][2] = {
        {"id", "mti"}, {"app", "mta"}, {"method", "mtm"}, {"delivery", "mtd"}};
    json_t *mtu = NULL;
    enum mt_status status = get_recipients(object, &mtu);
    if (status != MT_OK)
        return status;
    out->accounting = json_object();
    /* json_object_set_new takes mtu, also when it fails. */
    if (json_object_set_new(out->accounting, "mtu", mtu) != 0)
        return MT_NOMEM;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *value = json_object_get(object, names[i][0]);
        if (!mt_json_is_text(value))
            return MT_MALFORMED;
        if (json_object_set(out->accounting, names[i][1], value) != 0)
            return MT_NOMEM;
    }
    mt_message_set_texts(out);
    return MT_OK;
}

static enum mt_status keep_connection(const json_t *object, struct mt_message *out)
{
    const char *key;
    json_t *value;
    out->connection = json_incref(json_object_get(object, "conn"));
    if (!json_is_object(out->connection))
        return MT_MALFORMED;
    json_object_foreach(out->connection, key, value)
    {
        if (!json_is_string(value))
            return MT_MALFORMED;
    }
    return MT_OK;
}

/* How many of the keys that may be absent are there. */
static size_t count_optional(const json_t *object)
{
    static const char *const names[] = {"title", "service", "until", "lead", "door", "gate", "to"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        count += json_object_get(object, names[i]) != NULL;
    return count;
}

/* False: it is there and no text. */
static bool get_text(const json_t *object, const char *key, json_t **out)
{
    *out = json_incref(json_object_get(object, key));
    return !*out || mt_json_is_text(*out);
}

/* False: it is there and no whole number. */
static bool get_number(const json_t *object, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    if (value)
        *out = json_integer_value(value) > 0 ? json_integer_value(value) : -1;
    return !value || json_is_integer(value);
}

static enum mt_status parse(const json_t *object, struct claim *claim, struct mt_message *out)
{
    if (!json_is_object(object) || json_object_size(object) != KEYS + count_optional(object) ||
        !get_claim(object, claim) || !get_text(object, "title", &out->title) ||
        !get_text(object, "service", &out->service) || !get_number(object, "until", &out->until) ||
        !get_number(object, "lead", &out->lead) || !get_text(object, "door", &out->door) ||
        !get_number(object, "gate", &out->gate))
        return MT_MALFORMED;
    enum mt_status status = keep_accounting(object, out);
    return status == MT_OK ? keep_connection(object, out) : status;
}

static enum mt_reason check(const struct claim *claim, const struct mt_record *record,
                            const struct mt_jobname *name)
{
    if (claim->job_id != record->job_id || strcmp(claim->cluster, record->cluster) != 0 ||
        strlen(claim->group) != name->group_len ||
        memcmp(claim->group, name->group, name->group_len) != 0)
        return MT_REASON_wrong_job;
    return claim->restarts == record->restarts ? MT_REASON_ok : MT_REASON_stale;
}

enum mt_status mt_message_v2_open(const struct mt_record *record, const struct mt_jobname *name,
                                  const char *text, size_t len, struct mt_message *out,
                                  enum mt_reason *reason)
{
    struct claim claim;
    json_t *object = NULL;
    enum mt_status status = MT_MALFORMED;

    memset(out, 0, sizeof *out);
    if (len > MT_MESSAGE_MAX)
        return mt_refuse(MT_REASON_too_large, reason);
    /* White space around it would be forgiven. */
    if (len > 0 && text[0] == '{' && text[len - 1] == '}')
        status = mt_json_load(text, len, &object);
    if (status == MT_OK)
        status = parse(object, &claim, out);
    if (status == MT_OK)
        status = mt_refuse(check(&claim, record, name), reason);
    json_decref(object);
    if (status != MT_OK)
        mt_message_free(out);
    return status == MT_MALFORMED ? mt_refuse(MT_REASON_bad_message, reason) : status;
}
