/* SPDX-License-Identifier: MIT */
/* Links: base64, buf. */
#include "base64.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

static struct mt_buf out;

static void setup(void)
{
    out = MT_BUF_INIT(MT_JOBNAME_MAX);
}

static void teardown(void)
{
    mt_buf_wipe(&out);
}

/* Decodes from a block that ends where the text does. */
static enum mt_status decode(const char *text, size_t len)
{
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, text, len);
    enum mt_status status = mt_base64_decode(block, len, &out);
    free(block);
    return status;
}

static const struct {
    const char *text;
    const char *bytes;
} known[] = {
    /* RFC 4648 §10 */
    {"Zg==", "f"},         {"Zm8=", "fo"},         {"Zm9v", "foo"},          {"Zm9vYg==", "foob"},
    {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}, {"+/+/", "\xfb\xff\xbf"},
};

START_TEST(test_known_answer)
{
    ck_assert_int_eq(decode(known[_i].text, strlen(known[_i].text)), MT_OK);
    ck_assert_uint_eq(out.len, strlen(known[_i].bytes));
    ck_assert_mem_eq(out.data, known[_i].bytes, out.len);
}
END_TEST

/* Every byte value, and every length of the last group. */
START_TEST(test_round_trip)
{
    unsigned char bytes[512];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + (size_t)_i);
    size_t len = sizeof bytes - (size_t)_i;
    char *text = base64(bytes, len);
    ck_assert_int_eq(decode(text, strlen(text)), MT_OK);
    ck_assert_uint_eq(out.len, len);
    ck_assert_mem_eq(out.data, bytes, len);
    free(text);
}
END_TEST

static const char *const refused[] = {
    /* white space, in all the places where libcrypto forgives it */
    " Zm9v",
    "Zm9v ",
    "Zm9v\n",
    "Zm9v\r\n",
    "Zm9v\nZm9v",
    "Zm 9v",
    "Zm9vZg==\n\n\n\n",
    "    ",
    "\nZm9vZg=",
    /* padding: missing, too much, not at the end */
    "Zg",
    "Zg=",
    "Zm8",
    "Zg===",
    "Z===",
    "====",
    "=",
    "Zm9v====",
    "Zg==Zg==",
    "Zm8=Zm8=",
    "=Zg=",
    "Z=g=",
    "Zg=v",
    /* bits that no byte uses */
    "Zh==",
    "Zm9=",
    "Zn==",
    /* characters of other alphabets */
    "Zm9-",
    "Zm9_",
    "Zm9*",
    "%%%%",
    "Zm9\xc3",
    "Zm9\x80",
    /* lengths */
    "Z",
    "Zm9vZ",
};

START_TEST(test_refused)
{
    ck_assert_int_eq(decode(refused[_i], strlen(refused[_i])), MT_MALFORMED);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(test_nothing_is_refused)
{
    ck_assert_int_eq(decode("", 0), MT_MALFORMED);
}
END_TEST

START_TEST(test_nul_is_refused)
{
    ck_assert_int_eq(decode("Zm9\0", 4), MT_MALFORMED);
    ck_assert_int_eq(decode("\0\0\0\0", 4), MT_MALFORMED);
    ck_assert_int_eq(decode("Zg=\0", 4), MT_MALFORMED);
}
END_TEST

/* Of all four-character endings of one byte exactly one is its text. */
START_TEST(test_one_text_per_byte)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int accepted = 0;
    for (size_t i = 0; i < 64; i++) {
        for (size_t j = 0; j < 64; j++) {
            char text[] = {alphabet[i], alphabet[j], '=', '='};
            out.len = 0;
            accepted += decode(text, sizeof text) == MT_OK;
        }
    }
    ck_assert_int_eq(accepted, 256);
}
END_TEST

START_TEST(test_longest_and_one_group_more)
{
    char *longest = repeat("Zm9v", MT_JOBNAME_MAX / 4);
    ck_assert_int_eq(decode(longest, strlen(longest)), MT_OK);
    ck_assert_uint_eq(out.len, MT_JOBNAME_MAX / 4 * 3);
    char *over = repeat("Zm9v", MT_JOBNAME_MAX / 4 + 1);
    ck_assert_int_eq(decode(over, strlen(over)), MT_TOO_LARGE);
    free(longest);
    free(over);
}
END_TEST

START_TEST(test_out_bounds_the_bytes)
{
    struct mt_buf small = MT_BUF_INIT(2);
    ck_assert_int_eq(mt_base64_decode("Zm9v", 4, &small), MT_TOO_LARGE);
    ck_assert_int_eq(mt_base64_decode("Zm8=", 4, &small), MT_OK);
    mt_buf_wipe(&small);
}
END_TEST

START_TEST(test_appends)
{
    ck_assert_int_eq(decode("Zm9v", 4), MT_OK);
    ck_assert_int_eq(decode("YmFy", 4), MT_OK);
    ck_assert_uint_eq(out.len, 6);
    ck_assert_mem_eq(out.data, "foobar", 6);
}
END_TEST

/* base64url without padding. */

START_TEST(test_url_round_trip)
{
    unsigned char bytes[256];
    struct mt_buf text = MT_BUF_INIT(MT_JOBNAME_MAX);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(255 - i);
    for (size_t len = 1; len <= sizeof bytes; len++) {
        ck_assert_int_eq(mt_base64url_encode(bytes, len, &text), MT_OK);
        ck_assert_uint_eq(text.len, (len * 4 + 2) / 3);
        for (size_t i = 0; i < text.len; i++)
            ck_assert(text.data[i] && !strchr("+/=\n", text.data[i]));
        ck_assert_int_eq(mt_base64url_decode(text.data, text.len, &out), MT_OK);
        ck_assert_uint_eq(out.len, len);
        ck_assert_mem_eq(out.data, bytes, len);
        mt_buf_wipe(&out);
        mt_buf_wipe(&text);
    }
}
END_TEST

START_TEST(test_url_refused)
{
    static const char *const texts[] = {
        "", "A", "AAAAA", "+/+/", "Zg==", "Zg=", "Zh", "Zm9 ", "Zm9\n", "Zm9\xff", "Z g", "Zm9."};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ck_assert_msg(mt_base64url_decode(texts[i], strlen(texts[i]), &out) == MT_MALFORMED, "%s",
                      texts[i]);
    ck_assert_int_eq(mt_base64url_decode("AA\0A", 4, &out), MT_MALFORMED);
    ck_assert_int_eq(mt_base64url_decode("-_-_", 4, &out), MT_OK);
    ck_assert_mem_eq(out.data, "\xfb\xff\xbf", 3);
}
END_TEST

START_TEST(test_url_limits)
{
    char *longest = repeat("A", MT_JOBNAME_MAX + 2);
    ck_assert_int_eq(mt_base64url_decode(longest, MT_JOBNAME_MAX, &out), MT_OK);
    ck_assert_int_eq(mt_base64url_decode(longest, MT_JOBNAME_MAX + 2, &out), MT_TOO_LARGE);
    mt_buf_wipe(&out);
    ck_assert_int_eq(mt_base64url_encode(longest, MT_JOBNAME_MAX + 1, &out), MT_TOO_LARGE);
    ck_assert_int_eq(mt_base64url_encode(longest, MT_JOBNAME_MAX, &out), MT_TOO_LARGE);
    ck_assert_int_eq(mt_base64url_encode(longest, MT_JOBNAME_MAX / 4 * 3, &out), MT_OK);
    free(longest);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base64");
    TCase *tests = add_case(suite, "decode");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_known_answer, 0, (int)COUNT_OF(known));
    tcase_add_loop_test(tests, test_round_trip, 0, 4);
    tcase_add_loop_test(tests, test_refused, 0, (int)COUNT_OF(refused));
    tcase_add_test(tests, test_nothing_is_refused);
    tcase_add_test(tests, test_nul_is_refused);
    tcase_add_test(tests, test_one_text_per_byte);
    tcase_add_test(tests, test_longest_and_one_group_more);
    tcase_add_test(tests, test_out_bounds_the_bytes);
    tcase_add_test(tests, test_appends);
    tests = add_case(suite, "url");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_url_round_trip);
    tcase_add_test(tests, test_url_refused);
    tcase_add_test(tests, test_url_limits);
    return run_suite(suite);
}
