/* SPDX-License-Identifier: MIT */
#include "record.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

static bool get_group(const json_t *object, struct mt_record *record)
{
    const json_t *value = json_object_get(object, "group_gid");
    int64_t gid;
    record->group_known = MT_UNKNOWN;
    if (json_is_null(value))
        return true;
    if (!mt_json_integer(object, "group_gid", -1, UINT32_MAX, &gid))
        return false;
    record->group_known = gid < 0 ? MT_NO : MT_YES;
    record->group_gid = gid < 0 ? 0 : (uint32_t)gid;
    return true;
}

/* A list of nodes, of which slurmctld may tell the names alone; null and absent are the same. */
static bool get_nodes(struct mt_record *record)
{
    static const char *const keys[] = {"name", "host", "addr"};
    json_t *nodes = json_object_get(record->json, "nodes");
    if (!nodes || json_is_null(nodes))
        return true;
    if (!json_is_array(nodes) || json_array_size(nodes) > MT_NODES_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        for (size_t k = 0; k < 3; k++) {
            const json_t *value = json_object_get(node, keys[k]);
            const char *ignored;
            bool missing = k > 0 && (!value || json_is_null(value));
            if (!missing && !mt_json_name(node, keys[k], &ignored))
                return false;
        }
    }
    record->nodes = nodes;
    return true;
}

/* The bytes of a name that was written as U+0000 to U+00FF. MT_MALFORMED: a character beyond. */
static enum mt_status decode_binary(const char *text, size_t len, json_t **out)
{
    enum mt_status status = MT_MALFORMED;
    char *bytes = malloc(len + 1);
    size_t n = 0;
    if (!bytes)
        return MT_NOMEM;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80) {
            if (c > 0xc3 || i + 1 == len)
                goto out;
            c = (unsigned char)((c << 6) | (text[++i] & 0x3f));
        }
        bytes[n++] = (char)c;
    }
    *out = json_stringn_nocheck(bytes, n);
    status = *out ? MT_OK : MT_NOMEM;
out:
    free(bytes);
    return status;
}

static enum mt_status get_name(struct mt_record *record)
{
    enum mt_status status = MT_OK;
    json_t *value = json_object_get(record->json, "name");
    if (!json_is_string(value))
        return MT_MALFORMED;
    record->binary = json_is_true(json_object_get(record->json, "binary"));
    if (record->binary)
        status =
            decode_binary(json_string_value(value), json_string_length(value), &record->name_json);
    else
        record->name_json = json_incref(value);
    record->name = json_string_value(record->name_json);
    record->name_len = json_string_length(record->name_json);
    if (status == MT_OK)
        record->is_share = mt_jobname_split(record->name, record->name_len, &record->parts);
    return status;
}

enum mt_status mt_record_parse(json_t *json, const char *cluster, struct mt_record *out)
{
    out->json = json_incref(json);
    out->out_of_time = json_is_true(json_object_get(json, "out_of_time"));
    if (json_object_get(json, "wckey") && !mt_json_name(json, "wckey", &out->wckey))
        return MT_MALFORMED;
    bool ok = mt_json_name(json, "cluster", &out->cluster) && strcmp(out->cluster, cluster) == 0 &&
              mt_json_u32(json, "job_id", &out->job_id) && out->job_id > 0 &&
              mt_json_short_text(json, "user", &out->user) && mt_json_u32(json, "uid", &out->uid) &&
              mt_json_integer(json, "start", 0, INT64_MAX, &out->start) &&
              mt_json_integer(json, "end", 0, INT64_MAX, &out->end) &&
              mt_json_u32(json, "restarts", &out->restarts) && get_group(json, out) &&
              mt_json_answer(json, "publisher_in_group", false, &out->publisher_in_group) &&
              mt_json_answer(json, "publisher_allowed", true, &out->publisher_allowed) &&
              get_nodes(out);
    return ok ? get_name(out) : MT_MALFORMED;
}

struct mt_record mt_record_copy(const struct mt_record *record)
{
    json_incref(record->json);
    json_incref(record->name_json);
    return *record;
}

void mt_record_free(struct mt_record *record)
{
    json_decref(record->json);
    json_decref(record->name_json);
    memset(record, 0, sizeof *record);
}
