/* SPDX-License-Identifier: MIT */
/* Links: message_v2, message, recipients, json, buf, reason. */
#include "message_v2.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

static json_t *file;
static struct mt_message message;

static void teardown(void)
{
    mt_message_free(&message);
}

/* Opens a block that ends where the text does, for job 4711 of hpc and students. */
static const char *open_text(const char *text, size_t len)
{
    static const struct mt_message zeroed;
    static const struct mt_record record = {.cluster = "hpc", .job_id = 4711, .uid = PUBLISHER};
    /* The group is followed by the payload, not by a terminator. */
    static const struct mt_jobname name = {.group = "students|MTK1:", .group_len = 8};
    enum mt_reason reason;
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, text, len);
    mt_message_free(&message);
    enum mt_status status = mt_message_v2_open(&record, &name, block, len, &message, &reason);
    ck_assert(status == MT_OK || status == MT_REFUSED);
    if (status == MT_OK)
        reason = MT_REASON_ok;
    free(block);
    if (reason != MT_REASON_ok)
        ck_assert_mem_eq(&message, &zeroed, sizeof zeroed);
    return mt_reason_code(reason);
}

START_TEST(test_vector)
{
    const json_t *vector = json_array_get(json_object_get(file, "vectors"), (size_t)_i);
    const json_t *text = json_object_get(vector, "text");
    const char *reason = json_string_value(json_object_get(vector, "reason"));
    const char *label = json_string_value(json_object_get(vector, "label"));
    const char *got = open_text(json_string_value(text), json_string_length(text));
    ck_assert_msg(strcmp(got, reason) == 0, "%s: %s", label, got);
    if (strcmp(reason, "ok") != 0)
        return;
    ck_assert_str_eq(message.recipients, json_string_value(json_object_get(vector, "mtu")));
    ck_assert(json_equal(message.connection, json_object_get(vector, "connection")));
    ck_assert_uint_eq(json_object_size(message.accounting), 5);
    ck_assert_ptr_eq(json_string_value(json_object_get(message.accounting, "mtu")),
                     message.recipients);
    ck_assert_ptr_eq(json_string_value(json_object_get(message.accounting, "mti")),
                     message.session);
    ck_assert_str_eq(message.session, SESSION);
    ck_assert_str_eq(message.app, "Ollama_API");
    ck_assert_str_eq(message.method, "card");
    ck_assert_str_eq(message.delivery, TOKEN);
    const char *title = json_string_value(json_object_get(vector, "title"));
    ck_assert_str_eq(mt_message_title(&message), title ? title : "Language model");
    ck_assert(json_equal(message.service, json_object_get(vector, "service")) ||
              (!message.service && !json_object_get(vector, "service")));
    ck_assert_int_eq(message.until, json_integer_value(json_object_get(vector, "until")));
    ck_assert_int_eq(message.lead, json_integer_value(json_object_get(vector, "lead")));
    ck_assert(json_equal(message.door, json_object_get(vector, "door")) ||
              (!message.door && !json_object_get(vector, "door")));
    ck_assert_int_eq(message.gate, json_integer_value(json_object_get(vector, "gate")));
}
END_TEST

#define BEGIN                                                                                \
    "{\"v\":2,\"cluster\":\"hpc\",\"job\":4711,\"group\":\"students\",\"restarts\":0,"       \
    "\"id\":\"" SESSION "\",\"app\":\"App\",\"method\":\"card\",\"delivery\":\"" TOKEN "\"," \
    "\"conn\":{\"a\":\""
#define END "\"}}"

static const char *open_size(size_t len)
{
    char *text = malloc(len + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', len);
    memcpy(text, BEGIN, strlen(BEGIN));
    memcpy(text + len - strlen(END), END, strlen(END) + 1);
    const char *reason = open_text(text, len);
    free(text);
    return reason;
}

START_TEST(test_largest)
{
    ck_assert_str_eq(open_size(MT_MESSAGE_MAX), "ok");
    ck_assert_str_eq(open_size(MT_MESSAGE_MAX + 1), "too_large");
}
END_TEST

START_TEST(test_cut_anywhere)
{
    static const char text[] = BEGIN "b" END;
    for (size_t len = 0; len < strlen(text); len++)
        ck_assert_str_eq(open_text(text, len), "bad_message");
}
END_TEST

START_TEST(test_every_byte_changed)
{
    char text[] = BEGIN "b" END;
    for (size_t at = 0; at < strlen(text); at++) {
        for (int c = 1; c < 256; c++) {
            char was = text[at];
            text[at] = (char)c;
            (void)open_text(text, strlen(BEGIN "b" END));
            text[at] = was;
        }
    }
    ck_assert_str_eq(open_text(text, strlen(text)), "ok");
}
END_TEST

START_TEST(test_deep_nesting)
{
    char *deep = repeat("{\"a\":", MT_MESSAGE_MAX / 6);
    deep[strlen(deep) - 1] = '}';
    ck_assert_str_eq(open_text(deep, strlen(deep)), "bad_message");
    free(deep);
}
END_TEST

START_TEST(test_whom_it_is_for)
{
    ck_assert_str_eq(open_text(BEGIN END, strlen(BEGIN END)), "ok");
    ck_assert(mt_message_is_for(&message, 1001));
    ck_assert(mt_message_is_for(&message, 0));
    const char *with_list = format("%s\"},\"to\":\"JvT\"}", BEGIN);
    ck_assert_str_eq(open_text(with_list, strlen(with_list)), "ok");
    ck_assert(mt_message_is_for(&message, 1001));
    ck_assert(!mt_message_is_for(&message, 1002));
    with_list = format("%s\"},\"to\":\"\"}", BEGIN);
    ck_assert_str_eq(open_text(with_list, strlen(with_list)), "ok");
    ck_assert(!mt_message_is_for(&message, 1001));
}
END_TEST

/* A v1 message can't say that it is for the whole group. */
START_TEST(test_v1_has_no_whole_group)
{
    const char *v1 = "{'mtu':'*','mti':'x','mta':'a','mtm':'card','mtd':'d'}|{}";
    ck_assert_int_eq(mt_message_parse_v1(v1, strlen(v1), &message), MT_MALFORMED);
}
END_TEST

int main(void)
{
    file = json_load_file(VECTORS "/message_v2.json", JSON_ALLOW_NUL, NULL);
    const json_t *vectors = json_object_get(file, "vectors");
    Suite *suite = suite_create("message_v2");
    TCase *tests = add_case(suite, "open");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, test_vector, 0, vectors ? (int)json_array_size(vectors) : 1);
    tcase_add_test(tests, test_largest);
    tcase_add_test(tests, test_cut_anywhere);
    tcase_add_test(tests, test_every_byte_changed);
    tcase_add_test(tests, test_deep_nesting);
    tcase_add_test(tests, test_whom_it_is_for);
    tcase_add_test(tests, test_v1_has_no_whole_group);
    int status = run_suite(suite);
    json_decref(file);
    return status;
}
