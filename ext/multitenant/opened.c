/* SPDX-License-Identifier: MIT */
#include "opened.h"

#include "json.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

/* The only reasons that the munge program may give. */
static bool get_reason(const json_t *line, enum mt_reason *out)
{
    static const enum mt_reason allowed[] = {MT_REASON_envelope_unavailable, MT_REASON_out_of_time,
                                             MT_REASON_bad_cipher, MT_REASON_too_large};
    const char *code = json_string_value(json_object_get(line, "reason"));
    for (size_t i = 0; code && i < sizeof allowed / sizeof *allowed; i++) {
        if (strcmp(code, mt_reason_code(allowed[i])) == 0) {
            *out = allowed[i];
            return true;
        }
    }
    return false;
}

/* A uid or gid; -1 where there is no such key. */
static bool get_optional_id(const json_t *line, const char *key, int64_t *out)
{
    *out = -1;
    return !json_object_get(line, key) || mt_json_integer(line, key, 0, UINT32_MAX, out);
}

static bool get_contents(const json_t *line, struct mt_munged *out)
{
    const json_t *text = json_object_get(line, "text");
    out->text = text ? json_string_value(text) : "";
    out->text_len = json_string_length(text);
    if (!out->text || !mt_json_u32(line, "uid", &out->uid) ||
        !get_optional_id(line, "uid_only", &out->uid_only) ||
        !get_optional_id(line, "gid_only", &out->gid_only))
        return false;
    out->reason = out->text_len > MT_MUNGE_TEXT_MAX ? MT_REASON_too_large : MT_REASON_ok;
    return true;
}

/* Takes `json` in any case. MT_OK, MT_MALFORMED, MT_NOMEM. */
static enum mt_status add(struct mt_opened *opened, json_t *json)
{
    struct mt_munged munged = {.json = json};
    bool refused = json_object_get(json, "reason") != NULL;
    enum mt_status status = MT_MALFORMED;
    if (opened->count == MT_CREDENTIALS_MAX || !mt_json_text(json, "payload", &munged.payload) ||
        mt_opened_find(opened, munged.payload, strlen(munged.payload)))
        goto out;
    if (refused ? json_object_size(json) != 2 || !get_reason(json, &munged.reason)
                : !get_contents(json, &munged))
        goto out;
    status = MT_NOMEM;
    if (!opened->items)
        opened->items = calloc(MT_CREDENTIALS_MAX, sizeof *opened->items);
    if (!opened->items)
        goto out;
    opened->items[opened->count++] = munged;
    return MT_OK;
out:
    json_decref(json);
    return status;
}

/* *ended: it was the last line. MT_OK, MT_MALFORMED, MT_NOMEM. */
static enum mt_status read_line(struct mt_opened *opened, const char *line, size_t len, bool *ended)
{
    json_t *json = NULL;
    enum mt_status status =
        len <= MT_RECORD_LINE_MAX ? mt_json_load(line, len, &json) : MT_MALFORMED;
    if (status != MT_OK)
        return status;
    const json_t *end = json_object_get(json, "end");
    if (!end || json_object_size(json) != 1)
        return add(opened, json);
    *ended = true;
    if (!json_is_integer(end) || json_integer_value(end) != (json_int_t)opened->count)
        status = MT_MALFORMED;
    json_decref(json);
    return status;
}

enum mt_status mt_opened_read(const char *text, size_t len, struct mt_opened *out, size_t *bad_line)
{
    const char *end = text + len;
    enum mt_status status = MT_OK;
    bool ended = len == 0;
    *out = (struct mt_opened){0};
    *bad_line = 0;
    for (size_t number = 1; status == MT_OK && (text < end || !ended); number++) {
        const char *newline = text < end ? memchr(text, '\n', (size_t)(end - text)) : NULL;
        status = newline && !ended ? read_line(out, text, (size_t)(newline - text), &ended)
                                   : MT_MALFORMED;
        if (status == MT_MALFORMED)
            *bad_line = number;
        else
            text = newline + 1;
    }
    if (status != MT_OK)
        mt_opened_free(out);
    return status == MT_MALFORMED ? MT_OK : status;
}

const struct mt_munged *mt_opened_find(const struct mt_opened *opened, const char *payload,
                                       size_t len)
{
    for (size_t i = 0; i < opened->count; i++) {
        const char *candidate = opened->items[i].payload;
        if (strlen(candidate) == len && memcmp(candidate, payload, len) == 0)
            return &opened->items[i];
    }
    return NULL;
}

void mt_opened_free(struct mt_opened *opened)
{
    for (size_t i = 0; i < opened->count; i++)
        json_decref(opened->items[i].json);
    free(opened->items);
    *opened = (struct mt_opened){0};
}
