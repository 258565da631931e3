/* SPDX-License-Identifier: MIT */
/* Links: reply code json. */
#include "reply.h"

#include "failing.h"
#include "helpers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];
static char text[16384];

static void setup(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    memset(text, 0, sizeof text);
}

static void teardown(void)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* What was written, in one piece; "": nothing. */
static const char *said(void)
{
    char more;
    ssize_t n = recv(ends[1], text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    ck_assert_int_lt(recv(ends[1], &more, 1, MSG_DONTWAIT), 0);
    return text;
}

#define JSON_HEADERS "Content-Type: application/json\r\nCache-Control: no-store\r\n\r\n"

START_TEST(test_checks)
{
    reply_let_in(ends[0], "ann", 2001);
    ck_assert_str_eq(said(), "Status: 200 OK\r\nX-MultiTenant-User: ann\r\n"
                             "X-MultiTenant-Uid: 2001\r\n\r\n");
    reply_refuse(ends[0], REPLY_CHECK, CODE_rate_limited, 7);
    ck_assert_str_eq(said(), "Status: 403 Forbidden\r\nX-MultiTenant-Reason: rate_limited\r\n"
                             "X-MultiTenant-Retry: 7\r\n\r\n");
    reply_refuse(ends[0], REPLY_CHECK, CODE_token_bad, 0);
    ck_assert_str_eq(said(), "Status: 401 Unauthorized\r\nX-MultiTenant-Reason: token_bad\r\n"
                             "WWW-Authenticate: Bearer realm=\"multitenant\"\r\n\r\n");
}
END_TEST

START_TEST(test_programs)
{
    reply_token(ends[0], "mt1.x", 7, "a\"b");
    ck_assert_str_eq(said(), "Status: 200 OK\r\n" JSON_HEADERS
                             "{\"token\":\"mt1.x\",\"expires\":7,\"user\":\"a\\\"b\"}\n");
    reply_account(ends[0], "mt_1_a", "secret", 7);
    ck_assert_str_eq(said(), "Status: 200 OK\r\n" JSON_HEADERS
                             "{\"user\":\"mt_1_a\",\"password\":\"secret\",\"expires\":7}\n");
}
END_TEST

START_TEST(test_browsers)
{
    struct cookie cookie = {"mt1.x", "/rnode/n1/1/", 60, true};
    reply_open(ends[0], &cookie);
    ck_assert_str_eq(said(), "Status: 303 See Other\r\n"
                             "Set-Cookie: multitenant_token=mt1.x; Path=/rnode/n1/1/; Max-Age=60; "
                             "HttpOnly; SameSite=Strict; Secure\r\nLocation: ../\r\n"
                             "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\r\n");
    cookie.is_https = false;
    reply_open(ends[0], &cookie);
    ck_assert_ptr_null(strstr(said(), "Secure"));
    cookie.token = NULL;
    reply_open(ends[0], &cookie);
    ck_assert_ptr_null(strstr(said(), "Set-Cookie"));
}
END_TEST

/* What is on a page is a secret, and the origin is shared with other services' pages. */
#define PAGE_HEADERS                                                           \
    "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"    \
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; " \
    "frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n"               \
    "X-Content-Type-Options: nosniff\r\n\r\n<!DOCTYPE html>\n"

START_TEST(test_pages)
{
    static const char *const hosts[] = {"n1:8080\"", "<b>", "", "n1 ;rm", "n1/..", "n1\n"};
    const struct cookie cookie = {"mt1.x", "/rnode/n1/1/", 60, false};
    reply_show_token(ends[0], "mt1.x", 1800000000, "n1:8080", &cookie);
    ck_assert_ptr_nonnull(strstr(said(), "OPENAI_BASE_URL=http://n1:8080/v1\n"));
    ck_assert_ptr_nonnull(strstr(text, "OPENAI_API_KEY=mt1.x\n"));
    /* What is pasted where a program asks for the key is that alone. */
    ck_assert_ptr_nonnull(strstr(text, "<pre>mt1.x\n</pre>"));
    ck_assert_ptr_eq(strstr(text, "<pre>"), strstr(text, "<pre>mt1.x\n</pre>"));
    ck_assert_ptr_nonnull(strstr(text, "until 2027-01-15 "));
    ck_assert_ptr_nonnull(strstr(text, PAGE_HEADERS));
    reply_show_token(ends[0], "mt1.x", 1800000000, "gpu_01.hpc.edu:8080", &cookie);
    ck_assert_ptr_nonnull(strstr(said(), "OPENAI_BASE_URL=http://gpu_01.hpc.edu:8080/v1\n"));
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        reply_show_token(ends[0], "mt1.x", 1800000000, hosts[i], &cookie);
        ck_assert_ptr_null(strstr(said(), "OPENAI_"));
        ck_assert_ptr_nonnull(strstr(text, "<pre>mt1.x\n</pre>"));
    }
    reply_show_account(ends[0], "mt_1_a", "secret", &cookie);
    ck_assert_ptr_nonnull(strstr(said(), "password: secret\n"));
    ck_assert_ptr_nonnull(strstr(text, PAGE_HEADERS));
    ck_assert_ptr_nonnull(strstr(text, "Set-Cookie: multitenant_token=mt1.x; Path=/rnode/n1/1/;"));
}
END_TEST

/* Each code, in each form: Status first, and the headers end. */
START_TEST(test_refusals)
{
    for (enum reply_form form = REPLY_CHECK; form <= REPLY_PAGE; form++) {
        reply_refuse(ends[0], form, (enum code)_i, 0);
        ck_assert_int_eq(strncmp(said(), format("Status: %d ", code_status((enum code)_i)), 12), 0);
        ck_assert_ptr_nonnull(strstr(text, "\r\n\r\n"));
        ck_assert_ptr_nonnull(strstr(text, code_name((enum code)_i)));
        bool speaks = strstr(text, code_sentence((enum code)_i)) != NULL;
        ck_assert_int_eq(speaks, form != REPLY_CHECK);
        if (form == REPLY_PAGE)
            ck_assert_ptr_nonnull(strstr(text, PAGE_HEADERS));
    }
}
END_TEST

/* Part of an answer could be taken for a yes. */
START_TEST(test_without_memory_nothing_is_said)
{
    bool reached = true;
    for (size_t n = 1; reached; n++) {
        fail_allocation(n);
        reply_token(ends[0], "mt1.x", 7, "ann");
        reached = stop_failing();
        ck_assert_int_eq(*said() != '\0', !reached);
    }
}
END_TEST

START_TEST(test_an_answer_that_nobody_reads)
{
    ck_assert_int_eq(close(ends[1]), 0);
    reply_let_in(ends[0], "ann", 2001);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tests = add_case(suite, "reply");
    (void)setenv("TZ", "UTC", 1);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_checks);
    tcase_add_test(tests, test_programs);
    tcase_add_test(tests, test_browsers);
    tcase_add_test(tests, test_pages);
    tcase_add_loop_test(tests, test_refusals, CODE_token_missing, CODE_COUNT);
    tcase_add_test(tests, test_without_memory_nothing_is_said);
    tcase_add_test(tests, test_an_answer_that_nobody_reads);
    return run_suite(suite);
}
