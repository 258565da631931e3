/* SPDX-License-Identifier: MIT */
/* Links: login base64 json buf. */
#include "login.h"

#include "helpers.h"

#include <munge.h>
#include <stdlib.h>
#include <string.h>

#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"

static struct login is;
static json_t *parsed;
static char *copy;

static void teardown(void)
{
    json_decref(parsed);
    free(copy);
    parsed = NULL;
    copy = NULL;
}

/* The texts of `is` stay until the next call. */
static bool read_as(const char *type, const char *body)
{
    size_t len = strlen(body);
    teardown();
    copy = malloc(len + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, body, len);
    return login_read(type, copy, len, &is, &parsed);
}

START_TEST(test_a_form)
{
    ck_assert(read_as(FORM, "credential=MUNGE%3AAA+A%3a"
                            "&base=%2Frnode%2Fn1%2f8080%2F&x=1") == false);
    ck_assert(read_as(FORM, "credential=MUNGE%3AAA%2BA%3a&base=%2Frnode%2Fn1%2f8080%2F&x=1"));
    ck_assert_str_eq(is.credential, "MUNGE:AA+A:");
    ck_assert_str_eq(is.base, "/rnode/n1/8080/");
    ck_assert(is.is_form && !is.shows_key);
    ck_assert(read_as("Application/X-WWW-Form-Urlencoded; charset=utf-8",
                      "show=key&credential=MUNGE:AAAA:"));
    ck_assert(is.is_form && is.shows_key);
    ck_assert_str_eq(is.base, "");
}
END_TEST

START_TEST(test_json)
{
    ck_assert(read_as(JSON, "{\"credential\":\"MUNGE:AAAA:\",\"show\":\"key\"}"));
    ck_assert_str_eq(is.credential, "MUNGE:AAAA:");
    ck_assert(!is.is_form && !is.shows_key);
}
END_TEST

static const struct {
    const char *type;
    const char *body;
} bad[] = {
    {"", "credential=MUNGE:AAAA:"},
    {"text/plain", "credential=MUNGE:AAAA:"},
    {FORM "x", "credential=MUNGE:AAAA:"},
    {FORM, ""},
    {FORM, "base=/x/"},
    {FORM, "credential"},
    {FORM, "credential="},
    {FORM, "credential=AAAA"},
    {FORM, "credential=MUNGE::"},
    {FORM, "credential=MUNGE:AAAA"},
    {FORM, "credential=MUNGE:AAAA:&"},
    {FORM, "credential=MUNGE:AAAA:&credential=MUNGE:AAAA:"},
    {FORM, "credential=MUNGE:AAAA:&base=/&base=/"},
    {FORM, "credential=MUNGE:AAAA:&base=%"},
    {FORM, "credential=MUNGE:AAAA:&base=%2"},
    {FORM, "credential=MUNGE:AAAA:&base=%zz"},
    {FORM, "credential=MUNGE:AAAA:&base=%00"},
    {FORM, "credential=MUNGE:AAAA:&%00=x"},
    /* Other texts of the same bytes. */
    {FORM, "credential=MUNGE:AAB=:"},
    {FORM, "credential=MUNGE:AAAA%0A:"},
    {FORM, "credential=MUNGE:AAAA:%0A"},
    {FORM, "credential=+MUNGE:AAAA:"},
    {JSON, ""},
    {JSON, "[]"},
    {JSON, "{}"},
    {JSON, "{\"credential\":1}"},
    {JSON, "{\"credential\":\"MUNGE:AA\\u0000A:\"}"},
    {JSON, "{\"credential\":\"MUNGE:AAAA:\",\"credential\":\"MUNGE:AAAA:\"}"},
    {JSON, "{\"credential\":\"MUNGE:AAAA:\"} x"},
};

START_TEST(test_what_is_no_login)
{
    ck_assert(!read_as(bad[_i].type, bad[_i].body));
}
END_TEST

START_TEST(test_a_form_with_a_nul)
{
    char body[] = "credential=MUNGE:AAAA:\0&base=/";
    ck_assert(!login_read(FORM, body, sizeof body - 1, &is, &parsed));
}
END_TEST

START_TEST(test_the_longest_credential)
{
    char *most = repeat("AAAA", (MT_GATE_CREDENTIAL_MAX - 7) / 4);
    ck_assert(read_as(FORM, format("credential=MUNGE:%s:", most)));
    ck_assert(!read_as(FORM, format("credential=MUNGE:AAAA%s:", most)));
    free(most);
}
END_TEST

/* What munged says of a good one. */
#define PAYLOAD                                                                                    \
    "{\"purpose\":\"multitenant-login\",\"cluster\":\"hpc\",\"job\":4711,\"restarts\":2,\"door\":" \
    "\"abc\"}"

static const struct login_terms terms = {
    .publisher = 1001, .cluster = "hpc", .job_id = 4711, .restarts = 2, .door = "abc"};

static enum code judge(int status, int ttl, uid_t only, int cipher, const char *payload)
{
    struct credential said = {
        .status = status, .ttl = ttl, .uid = 2001, .uid_only = only, .cipher = cipher};
    said.len = strlen(payload);
    ck_assert_uint_le(said.len, sizeof said.payload);
    memcpy(said.payload, payload, said.len);
    return login_judge(&said, &terms);
}

static const struct {
    int status;
    enum code code;
} statuses[] = {
    {EMUNGE_SUCCESS, CODE_ok},
    {EMUNGE_CRED_REPLAYED, CODE_login_replayed},
    {EMUNGE_CRED_EXPIRED, CODE_login_expired},
    {EMUNGE_CRED_REWOUND, CODE_login_rewound},
    {EMUNGE_CRED_UNAUTHORIZED, CODE_login_restriction},
    {EMUNGE_CRED_INVALID, CODE_login_invalid},
    {EMUNGE_BAD_CRED, CODE_login_invalid},
    {EMUNGE_BAD_VERSION, CODE_login_invalid},
    {EMUNGE_BAD_CIPHER, CODE_login_invalid},
    {EMUNGE_BAD_LENGTH, CODE_login_invalid},
    {EMUNGE_SOCKET, CODE_munge_unavailable},
    {EMUNGE_TIMEOUT, CODE_munge_unavailable},
    {EMUNGE_SNAFU, CODE_munge_unavailable},
    {99, CODE_login_invalid},
};

START_TEST(test_what_munged_says)
{
    ck_assert_int_eq(judge(statuses[_i].status, 60, 1001, MUNGE_CIPHER_AES128, PAYLOAD),
                     statuses[_i].code);
}
END_TEST

/* Else than good in one place. */
static const struct {
    int ttl;
    uid_t only;
    int cipher;
    enum code code;
    const char *payload;
} cases[] = {
    {1, 1001, MUNGE_CIPHER_AES256, CODE_ok, PAYLOAD},
    {180, 1001, MUNGE_CIPHER_AES256, CODE_ok, PAYLOAD},
    {0, 1001, MUNGE_CIPHER_AES256, CODE_login_ttl, PAYLOAD},
    {-1, 1001, MUNGE_CIPHER_AES256, CODE_login_ttl, PAYLOAD},
    {181, 1001, MUNGE_CIPHER_AES256, CODE_login_ttl, PAYLOAD},
    {60, 1002, MUNGE_CIPHER_AES256, CODE_login_restriction, PAYLOAD},
    {60, (uid_t)MUNGE_UID_ANY, MUNGE_CIPHER_AES256, CODE_login_restriction, PAYLOAD},
    {60, 1001, MUNGE_CIPHER_NONE, CODE_login_restriction, PAYLOAD},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_purpose, ""},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_purpose, "x"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_purpose, "[]"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_purpose, PAYLOAD "x"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_purpose,
     "{\"purpose\":\"multitenant\",\"cluster\":\"hpc\",\"job\":4711,\"restarts\":2,\"door\":"
     "\"abc\"}"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_purpose,
     "{\"purpose\":\"multitenant-login\",\"cluster\":\"hpc\",\"job\":4711,\"restarts\":2,"
     "\"door\":\"abc\",\"x\":1}"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_job,
     "{\"purpose\":\"multitenant-login\",\"cluster\":\"HPC\",\"job\":4711,\"restarts\":2,"
     "\"door\":\"abc\"}"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_job,
     "{\"purpose\":\"multitenant-login\",\"cluster\":\"hpc\",\"job\":4712,\"restarts\":2,"
     "\"door\":\"abc\"}"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_job,
     "{\"purpose\":\"multitenant-login\",\"cluster\":\"hpc\",\"job\":\"4711\",\"restarts\":2,"
     "\"door\":\"abc\"}"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_job,
     "{\"purpose\":\"multitenant-login\",\"cluster\":\"hpc\",\"job\":4711,\"restarts\":1,"
     "\"door\":\"abc\"}"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_door,
     "{\"purpose\":\"multitenant-login\",\"cluster\":\"hpc\",\"job\":4711,\"restarts\":2,"
     "\"door\":\"abd\"}"},
    {60, 1001, MUNGE_CIPHER_AES256, CODE_login_door,
     "{\"purpose\":\"multitenant-login\",\"cluster\":\"hpc\",\"job\":4711,\"restarts\":2,"
     "\"door\":\"ab\"}"},
};

START_TEST(test_what_a_credential_must_say)
{
    ck_assert_int_eq(
        judge(EMUNGE_SUCCESS, cases[_i].ttl, cases[_i].only, cases[_i].cipher, cases[_i].payload),
        cases[_i].code);
    /* That it was used before is told only of one that is good. */
    enum code code = cases[_i].code == CODE_ok ? CODE_login_replayed : cases[_i].code;
    ck_assert_int_eq(judge(EMUNGE_CRED_REPLAYED, cases[_i].ttl, cases[_i].only, cases[_i].cipher,
                           cases[_i].payload),
                     code);
}
END_TEST

START_TEST(test_a_payload_that_was_too_long)
{
    struct credential said = {.status = EMUNGE_SUCCESS,
                              .ttl = 60,
                              .uid_only = 1001,
                              .cipher = MUNGE_CIPHER_AES256,
                              .len = SIZE_MAX};
    ck_assert_int_eq(login_judge(&said, &terms), CODE_login_purpose);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("login");
    TCase *tests = add_case(suite, "login");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, test_a_form);
    tcase_add_test(tests, test_json);
    tcase_add_loop_test(tests, test_what_is_no_login, 0, COUNT_OF(bad));
    tcase_add_test(tests, test_a_form_with_a_nul);
    tcase_add_test(tests, test_the_longest_credential);
    tcase_add_loop_test(tests, test_what_munged_says, 0, COUNT_OF(statuses));
    tcase_add_loop_test(tests, test_what_a_credential_must_say, 0, COUNT_OF(cases));
    tcase_add_test(tests, test_a_payload_that_was_too_long);
    return run_suite(suite);
}
