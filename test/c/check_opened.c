/* SPDX-License-Identifier: MIT */
/* Links: opened, json, reason. */
#include "opened.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

static struct mt_opened opened;
static size_t bad_line;

static void teardown(void)
{
    mt_opened_free(&opened);
}

/* Reads a block that ends where the text does. */
static void read_text_of(const char *text, size_t len)
{
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, text, len);
    mt_opened_free(&opened);
    ck_assert_int_eq(mt_opened_read(block, len, &opened, &bad_line), MT_OK);
    free(block);
    if (bad_line > 0)
        ck_assert_uint_eq(opened.count, 0);
}

/* One credential with these keys; NULL: its line does not belong. */
static const struct mt_munged *read_one(const char *keys)
{
    const char *text = format("{\"payload\":\"MUNGE:AA:\"%s}\n{\"end\":1}\n", keys);
    read_text_of(text, strlen(text));
    return bad_line == 0 ? mt_opened_find(&opened, "MUNGE:AA:", 9) : NULL;
}

START_TEST(test_credential)
{
    const struct mt_munged *got =
        read_one(",\"uid\":1001,\"gid_only\":4294967295,\"text\":\"{\\u0000}\"");
    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(got->reason, MT_REASON_ok);
    ck_assert_uint_eq(got->text_len, 3);
    ck_assert_mem_eq(got->text, "{\0}", 3);
    ck_assert_uint_eq(got->uid, 1001);
    ck_assert_int_eq(got->uid_only, -1);
    ck_assert_int_eq(got->gid_only, UINT32_MAX);
}
END_TEST

START_TEST(test_credential_that_was_not_opened)
{
    static const char *const codes[] = {"envelope_unavailable", "out_of_time", "bad_cipher",
                                        "too_large"};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        const struct mt_munged *got = read_one(format(",\"reason\":\"%s\"", codes[i]));
        ck_assert_ptr_nonnull(got);
        ck_assert_str_eq(mt_reason_code(got->reason), codes[i]);
    }
}
END_TEST

START_TEST(test_credential_that_is_no_text)
{
    const struct mt_munged *got = read_one(",\"uid\":0,\"uid_only\":0");
    ck_assert_str_eq(got->text, "");
    ck_assert_uint_eq(got->text_len, 0);
    ck_assert_int_eq(got->uid_only, 0);
    ck_assert_int_eq(got->gid_only, -1);
}
END_TEST

START_TEST(test_credential_that_is_large)
{
    char *text = repeat("x", MT_MUNGE_TEXT_MAX + 1);
    const struct mt_munged *got = read_one(format(",\"uid\":0,\"text\":\"%s\"", text + 1));
    ck_assert_uint_eq(got->text_len, MT_MUNGE_TEXT_MAX);
    ck_assert_int_eq(got->reason, MT_REASON_ok);
    got = read_one(format(",\"uid\":0,\"text\":\"%s\"", text));
    ck_assert_int_eq(got->reason, MT_REASON_too_large);
    free(text);
}
END_TEST

static const char *const bad_credentials[] = {
    "",
    ",\"reason\":\"ok\"",
    ",\"reason\":\"not_member\"",
    ",\"reason\":null",
    ",\"reason\":18",
    ",\"text\":\"{}\"",
    ",\"uid\":-1,\"text\":\"{}\"",
    ",\"uid\":null,\"text\":\"{}\"",
    ",\"uid\":1001,\"text\":null",
    ",\"uid\":1001,\"text\":{}",
    ",\"uid\":1001,\"uid_only\":-1,\"text\":\"{}\"",
    ",\"uid\":1001,\"gid_only\":4294967296,\"text\":\"{}\"",
    ",\"uid\":1001,\"gid_only\":null,\"text\":\"{}\"",
    ",\"uid\":1001,\"text\":\"{}\",\"reason\":\"too_large\"",
};

START_TEST(test_bad_credential)
{
    ck_assert_ptr_null(read_one(bad_credentials[_i]));
    ck_assert_uint_eq(bad_line, 1);
}
END_TEST

#define REFUSED(payload) "{\"payload\":\"" payload "\",\"reason\":\"bad_cipher\"}\n"

START_TEST(test_find)
{
    static const char text[] = REFUSED("MUNGE:AA:") REFUSED("MUNGE:BB:") "{\"end\":2}\n";
    read_text_of(text, strlen(text));
    ck_assert_uint_eq(bad_line, 0);
    ck_assert_str_eq(mt_opened_find(&opened, "MUNGE:BB:x", 9)->payload, "MUNGE:BB:");
    ck_assert_ptr_null(mt_opened_find(&opened, "MUNGE:BB:", 8));
    ck_assert_ptr_null(mt_opened_find(&opened, "MUNGE:BB:x", 10));
    ck_assert_ptr_null(mt_opened_find(&opened, "", 0));
}
END_TEST

/* Text, and its first line that does not belong. */
static const struct {
    const char *text;
    size_t bad_line;
} texts[] = {
    {"", 0},
    {"{\"end\":0}\n", 0},
    {REFUSED("MUNGE:AA:") "{\"end\":1}\n", 0},
    {REFUSED("MUNGE:AA:"), 2},
    {REFUSED("MUNGE:AA:") "{\"end\":1}", 2},
    {REFUSED("MUNGE:AA:") "{\"end\":2}\n", 2},
    {REFUSED("MUNGE:AA:") "{\"end\":\"1\"}\n", 2},
    {REFUSED("MUNGE:AA:") "{\"end\":1,\"x\":1}\n", 2},
    {REFUSED("MUNGE:AA:") REFUSED("MUNGE:AA:") "{\"end\":2}\n", 2},
    {REFUSED("MUNGE:AA:") "{\"end\":1}\n{\"end\":1}\n", 3},
    {REFUSED("MUNGE:AA:") "{\"end\":1}\n" REFUSED("MUNGE:BB:"), 3},
    {REFUSED("MUNGE:AA:") "\n{\"end\":1}\n", 2},
    {REFUSED("MUNGE:\\u0000:") "{\"end\":1}\n", 1},
    {"rubbish\n{\"end\":1}\n", 1},
    {"[]\n{\"end\":1}\n", 1},
    {"{\"payload\":5,\"reason\":\"bad_cipher\"}\n{\"end\":1}\n", 1},
};

START_TEST(test_lines)
{
    read_text_of(texts[_i].text, strlen(texts[_i].text));
    ck_assert_uint_eq(bad_line, texts[_i].bad_line);
}
END_TEST

START_TEST(test_as_many_as_are_asked_for)
{
    size_t size = (MT_CREDENTIALS_MAX + 2) * 80;
    for (size_t more = 0; more < 2; more++) {
        char *text = calloc(1, size);
        ck_assert_ptr_nonnull(text);
        for (size_t i = 0; i < MT_CREDENTIALS_MAX + more; i++)
            append(text, size, "{\"payload\":\"MUNGE:%zu\",\"reason\":\"bad_cipher\"}\n", i);
        append(text, size, "{\"end\":%zu}\n", MT_CREDENTIALS_MAX + more);
        read_text_of(text, strlen(text));
        ck_assert_uint_eq(bad_line, more ? MT_CREDENTIALS_MAX + 1 : 0);
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("opened");
    TCase *tests = add_case(suite, "opened");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, test_credential);
    tcase_add_test(tests, test_credential_that_was_not_opened);
    tcase_add_test(tests, test_credential_that_is_no_text);
    tcase_add_test(tests, test_credential_that_is_large);
    tcase_add_loop_test(tests, test_bad_credential, 0, (int)COUNT_OF(bad_credentials));
    tcase_add_test(tests, test_find);
    tcase_add_loop_test(tests, test_lines, 0, (int)COUNT_OF(texts));
    tcase_add_test(tests, test_as_many_as_are_asked_for);
    return run_suite(suite);
}
