/* SPDX-License-Identifier: MIT */
/* Links: json. */
#include "json.h"

#include "helpers.h"

#include <stdlib.h>
#include <string.h>

static json_t *json;

static void teardown(void)
{
    json_decref(json);
    json = NULL;
}

/* Loads from a block that ends where the text does. */
static enum mt_status load_bytes(const char *text, size_t len)
{
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, text, len);
    json_decref(json);
    json = json_true();
    enum mt_status status = mt_json_load(block, len, &json);
    free(block);
    ck_assert_int_eq(json != NULL, status == MT_OK);
    return status;
}

static enum mt_status load(const char *text)
{
    return load_bytes(text, strlen(text));
}

static const char *const good[] = {
    "{}",
    "[]",
    " { \"a\" : [ 1, 2.5, null, true, \"x\" ] }\n",
    "{\"a\":{\"b\":{}}}",
    "[\"\\ud83d\\ude00 \\u00fc\"]",
    "[\"\xf0\x9f\x98\x80 \xc3\xbc\"]",
    "[9223372036854775807]",
};

START_TEST(test_good)
{
    ck_assert_int_eq(load(good[_i]), MT_OK);
}
END_TEST

static const char *const bad[] = {
    "",
    " ",
    "x",
    "{",
    "[",
    "]",
    "1",
    "null",
    "\"text\"",
    "{} {}",
    "{}x",
    "[1,]",
    "{\"a\"}",
    "{\"a\":1,}",
    "{'a':1}",
    "{a:1}",
    "[NaN]",
    "[01]",
    "[9223372036854775808]",
    "[\"\\x\"]",
    "[\"\\ud83d\"]",
    "[\"\n\"]",
    "[\"\xff\"]",
    "[\"\xc0\x80\"]",
    "{\"a\":1,\"a\":1}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"a\\u0000\":1}",
};

START_TEST(test_bad)
{
    ck_assert_int_eq(load(bad[_i]), MT_MALFORMED);
}
END_TEST

START_TEST(test_nul_in_a_value)
{
    ck_assert_int_eq(load("[\"a\\u0000b\"]"), MT_OK);
    ck_assert_uint_eq(json_string_length(json_array_get(json, 0)), 3);
    ck_assert_mem_eq(json_string_value(json_array_get(json, 0)), "a\0b", 3);
}
END_TEST

START_TEST(test_raw_nul)
{
    ck_assert_int_eq(load_bytes("[]\0", 3), MT_MALFORMED);
    ck_assert_int_eq(load_bytes("\0[]", 3), MT_MALFORMED);
    ck_assert_int_eq(load_bytes("[\"a\0b\"]", 7), MT_MALFORMED);
}
END_TEST

/* jansson forgets some failed allocations. */

static size_t allocations;
static size_t failing; /* the first that fails; 0: none */
static bool goes_on;   /* and all after it */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    allocations++;
    bool fails = failing && (goes_on ? allocations >= failing : allocations == failing);
    return fails ? NULL : __real_malloc(size);
}

/* Texts that grow while they are read, as keys and as values. */
static const char text[] =
    "{\"a\":[1,\"0123456789abcdef0123456789abcdef0123456789abcdef\"],"
    "\"b\":{\"0123456789abcdef0123456789abcdef\":true},\"c\":12345678901234567}";

START_TEST(test_no_memory_is_not_malformed)
{
    json_t *expected = json_loads(text, 0, NULL);
    size_t n = 1;
    goes_on = _i == 1;
    for (bool reached = true; reached; n++) {
        allocations = 0;
        failing = n;
        enum mt_status status = mt_json_load(text, strlen(text), &json);
        failing = 0;
        reached = allocations >= n;
        ck_assert_msg(status == (reached ? MT_NOMEM : MT_OK), "allocation %zu: %d", n, (int)status);
        ck_assert_int_eq(json != NULL, status == MT_OK);
        ck_assert(!json || json_equal(json, expected));
        teardown();
    }
    ck_assert_uint_gt(n, 10);
    json_decref(expected);
}
END_TEST

/* What another user of jansson met is not ours. */
START_TEST(test_a_failure_from_before)
{
    teardown();
    allocations = 0;
    failing = 1;
    json = json_object();
    failing = 0;
    ck_assert_ptr_null(json);
    ck_assert_int_eq(load("{"), MT_MALFORMED);
    ck_assert_int_eq(load("{}"), MT_OK);
}
END_TEST

int main(void)
{
    json_t *first;
    if (mt_json_load("{}", 2, &first) != MT_OK)
        return EXIT_FAILURE;
    json_decref(first);
    Suite *suite = suite_create("json");
    TCase *tests = add_case(suite, "text");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, test_good, 0, (int)COUNT_OF(good));
    tcase_add_loop_test(tests, test_bad, 0, (int)COUNT_OF(bad));
    tcase_add_test(tests, test_nul_in_a_value);
    tcase_add_test(tests, test_raw_nul);
    tests = add_case(suite, "memory");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, test_no_memory_is_not_malformed, 0, 2);
    tcase_add_test(tests, test_a_failure_from_before);
    return run_suite(suite);
}
