/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "json.h"
#include "message_v2.h"
#include "mt_limits.h"
#include "policy.h"
#include "program.h"
#include "recipients.h"
#include "say.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char form[] =
    "standard input is not "
    "{\"id\":...,\"app\":...,\"method\":...,\"delivery\":...,\"conn\":{KEY:TEXT,...}} "
    "with \"to\":[UID,...] where it is not for the whole group, \"title\" where it has one, and "
    "\"service\", \"until\" and \"lead\" of a service of several jobs, \"door\" and \"gate\" of "
    "its gateway";
static const char too_many[] = "\"to\" holds more uids than can be shared: share with the group";

static int by_number(const void *a, const void *b)
{
    return MT_ORDER(*(const uint32_t *)a, *(const uint32_t *)b);
}

/* Fills `uids` from an array of numbers, in rising order. False: something else is in it. */
static bool sort_uids(const json_t *list, uint32_t *uids, size_t *count)
{
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        const json_t *uid = json_array_get(list, i);
        json_int_t number = json_integer_value(uid);
        if (!json_is_integer(uid) || number < 0 || number > UINT32_MAX)
            return false;
        uids[i] = (uint32_t)number;
    }
    qsort(uids, n, sizeof *uids, by_number);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || uids[i] != uids[i - 1])
            uids[(*count)++] = uids[i];
    }
    return true;
}

/* *out is the list as text; NULL: it is for all. */
static int code_recipients(const json_t *list, json_t **out)
{
    struct mt_buf text = MT_BUF_INIT(MT_MESSAGE_MAX);
    size_t count;
    *out = NULL;
    if (!list)
        return 0;
    uint32_t *uids = calloc(json_array_size(list) + 1, sizeof *uids);
    bool ok = uids && json_is_array(list) && sort_uids(list, uids, &count);
    enum mt_status status = ok ? mt_recipients_encode(uids, count, &text) : MT_NOMEM;
    if (status == MT_OK)
        *out = json_stringn(text.data ? text.data : "", text.len);
    free(uids);
    mt_buf_wipe(&text);
    if (*out)
        return 0;
    if (uids && !ok)
        return mt_say(EX_DATAERR, "%s", form);
    return status == MT_OK || status == MT_NOMEM ? mt_say_no_memory()
                                                 : mt_say(EX_DATAERR, "%s", too_many);
}

static bool has_form(json_t *request)
{
    return json_unpack_ex(request, NULL, JSON_STRICT | JSON_VALIDATE_ONLY,
                          "{s:s, s:s, s:s, s:s, s:{*}, s?s, s?s, s?I, s?I, s?s, s?I, s?o}", "id",
                          "app", "method", "delivery", "conn", "title", "service", "until", "lead",
                          "door", "gate", "to") == 0;
}

/* In the order of doc/formats.md. NULL without memory. */
static json_t *compose(const json_t *request, json_t *to, const struct mt_record *record,
                       const struct mt_jobname *name)
{
    return json_pack(
        "{s:i, s:s, s:I, s:s%, s:I, s:O, s:O, s:O*, s:O, s:O, s:O*, s:O*, s:O*, s:O*, s:O*, s:O*, "
        "s:O}",
        "v", 2, "cluster", record->cluster, "job", (json_int_t)record->job_id, "group", name->group,
        name->group_len, "restarts", (json_int_t)record->restarts, "id",
        json_object_get(request, "id"), "app", json_object_get(request, "app"), "title",
        json_object_get(request, "title"), "method", json_object_get(request, "method"), "delivery",
        json_object_get(request, "delivery"), "service", json_object_get(request, "service"),
        "until", json_object_get(request, "until"), "lead", json_object_get(request, "lead"),
        "door", json_object_get(request, "door"), "gate", json_object_get(request, "gate"), "to",
        to, "conn", json_object_get(request, "conn"));
}

/* Opens it as a reader would. */
static int check(const struct mt_record *record, const struct mt_jobname *name,
                 const struct mt_buf *text)
{
    static const char *const deliveries[] = {"sys/*"};
    const struct mt_settings settings = {
        .uid = record->uid,
        .deliveries = deliveries,
        .n_deliveries = 1,
    };
    struct mt_message message;
    enum mt_reason reason;
    enum mt_status status =
        mt_message_v2_open(record, name, text->data, text->len, &message, &reason);
    if (status == MT_OK)
        status = mt_refuse(mt_policy_message(record, &message, &settings), &reason);
    mt_message_free(&message);
    if (status != MT_REFUSED)
        return status == MT_OK ? 0 : mt_say_no_memory();
    return mt_say(EX_DATAERR, "%s",
                  reason == MT_REASON_bad_message ? form : mt_reason_sentence(reason));
}

static int write_message(json_t *request, const struct mt_record *record,
                         const struct mt_jobname *name, struct mt_buf *out)
{
    json_t *to;
    if (!has_form(request))
        return mt_say(EX_DATAERR, "%s", form);
    int code = code_recipients(json_object_get(request, "to"), &to);
    if (code != 0)
        return code;
    json_t *message = compose(request, to, record, name);
    char *text = message ? mt_json_dump(message, JSON_COMPACT) : NULL;
    enum mt_status status = text ? mt_buf_append(out, text, strlen(text)) : MT_NOMEM;
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    json_decref(message);
    json_decref(to);
    if (status == MT_TOO_LARGE)
        return mt_say(EX_DATAERR, "%s", mt_reason_sentence(MT_REASON_too_large));
    return status == MT_OK ? check(record, name, out) : mt_say_no_memory();
}

int request_read(const struct mt_record *record, const struct mt_jobname *name, struct mt_buf *out)
{
    struct mt_buf text = MT_BUF_INIT(MT_MESSAGE_MAX);
    json_t *request = NULL;
    int code = mt_input_read(&text);
    if (code == 0) {
        enum mt_status status = mt_json_load(text.data ? text.data : "", text.len, &request);
        if (status == MT_OK)
            code = write_message(request, record, name, out);
        else
            code = status == MT_NOMEM ? mt_say_no_memory() : mt_say(EX_DATAERR, "%s", form);
    }
    json_decref(request);
    mt_buf_wipe(&text);
    return code;
}
