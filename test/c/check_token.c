/* SPDX-License-Identifier: MIT */
/* Links: token base64 buf. What is expected was made with Ruby's OpenSSL. */
#include "token.h"

#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#define GOOD "mt1.2001.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk"
#define OLDEST "mt1.4294967295.0.H2n87NTVCc-LGpRG1-t6Xur-VzVRiFIulA0DgepHpzc"

static unsigned char key[TOKEN_KEY_BYTES];

static void setup(void)
{
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (unsigned char)i;
}

START_TEST(test_tokens_that_are_made)
{
    char text[TOKEN_SIZE];
    ck_assert_int_eq(token_make(key, 2001, 1800000000, text), MT_OK);
    ck_assert_str_eq(text, GOOD);
    ck_assert_int_eq(token_make(key, UINT32_MAX, 0, text), MT_OK);
    ck_assert_str_eq(text, OLDEST);
    ck_assert_int_eq(token_make(key, UINT32_MAX, TOKEN_EXPIRES_MAX, text), MT_OK);
    ck_assert_uint_eq(strlen(text), TOKEN_SIZE - 1);
    ck_assert_int_eq(token_make(key, 1, TOKEN_EXPIRES_MAX + 1, text), MT_INTERNAL);
    ck_assert_int_eq(token_make(key, 1, -1, text), MT_INTERNAL);
}
END_TEST

START_TEST(test_until_when_a_token_holds)
{
    uid_t uid;
    int64_t expires;
    ck_assert_int_eq(token_check(key, GOOD, 1799999999, &uid, &expires), CODE_ok);
    ck_assert_uint_eq(uid, 2001);
    ck_assert_int_eq(expires, 1800000000);
    ck_assert_int_eq(token_check(key, GOOD, 1800000000, &uid, &expires), CODE_token_expired);
    ck_assert_int_eq(token_check(key, OLDEST, 0, &uid, &expires), CODE_token_expired);
    ck_assert_uint_eq(uid, UINT32_MAX);
    key[31] ^= 1;
    ck_assert_int_eq(token_check(key, GOOD, 0, &uid, &expires), CODE_token_bad);
}
END_TEST

/* Whatever byte is another one, it is no token of ours any more. */
START_TEST(test_every_byte_counts)
{
    uid_t uid;
    int64_t expires;
    for (size_t i = 0; i < strlen(GOOD); i++) {
        for (int bit = 0; bit < 8; bit++) {
            char text[] = GOOD;
            text[i] = (char)(text[i] ^ 1 << bit);
            enum code code = token_check(key, text, 0, &uid, &expires);
            ck_assert(code == CODE_token_malformed || code == CODE_token_bad);
            ck_assert_uint_eq(uid, 0);
        }
    }
}
END_TEST

static const char *const malformed[] = {
    "",
    "mt1",
    "mt1.",
    "mt1..1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt1.2001..jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt1.02001.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt1.4294967296.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt1.20010000000.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt1.2001.1800000000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt1.-1.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt1. 2001.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt2.2001.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk",
    "mt1.2001.1800000000",
    "mt1.2001.1800000000.",
    "mt1.2001.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QP",
    "mt1.2001.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk=",
    "mt1.2001.1800000000.jQyluBmmpWRwHLyzr-bl5ln2OhySNQHScnR7nxp6QPk.",
};

START_TEST(test_what_is_no_token)
{
    uid_t uid;
    int64_t expires;
    ck_assert_int_eq(token_check(key, malformed[_i], 0, &uid, &expires), CODE_token_malformed);
}
END_TEST

START_TEST(test_a_text_without_an_end)
{
    uid_t uid;
    int64_t expires;
    char *text = repeat("mt1.2001.1800000000.", 50000);
    ck_assert_int_eq(token_check(key, text, 0, &uid, &expires), CODE_token_malformed);
    free(text);
}
END_TEST

START_TEST(test_accounts)
{
    char account[ACCOUNT_SIZE];
    char password[PASSWORD_SIZE];
    ck_assert_int_eq(account_name(2001, "ann", account), MT_OK);
    ck_assert_str_eq(account, "mt_2001_49915e0d");
    ck_assert_int_eq(account_password(key, account, password), MT_OK);
    ck_assert_str_eq(password, "agFnuAC661wRl7vSYJhWUYjKGEnI1x7T");
    ck_assert_int_eq(account_name(UINT32_MAX, "ann", account), MT_OK);
    ck_assert_uint_eq(strlen(account), ACCOUNT_SIZE - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("token");
    TCase *tests = add_case(suite, "token");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, test_tokens_that_are_made);
    tcase_add_test(tests, test_until_when_a_token_holds);
    tcase_add_test(tests, test_every_byte_counts);
    tcase_add_loop_test(tests, test_what_is_no_token, 0, COUNT_OF(malformed));
    tcase_add_test(tests, test_a_text_without_an_end);
    tcase_add_test(tests, test_accounts);
    return run_suite(suite);
}
