/* SPDX-License-Identifier: MIT */
/* Links: scgi. */
#include "scgi.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

/* A request of these names and values, which stand one behind the other with ~ for NUL. */
static char *request(const char *headers, const char *body, size_t *len)
{
    char *out = NULL;
    int n = asprintf(&out, "%zu:%s,%s", strlen(headers), headers, body);
    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++)
        out[i] = (char)(out[i] == '~' ? '\0' : out[i]);
    *len = (size_t)n;
    return out;
}

#define CHECK "CONTENT_LENGTH~0~SCGI~1~DOCUMENT_URI~/multitenant/check~HTTP_COOKIE~a=b~"
#define LOGIN "CONTENT_LENGTH~5~SCGI~1~CONTENT_TYPE~text/plain~CONTENT_LENGTH~~OTHER~x~OTHER~y~"

START_TEST(test_a_request_that_comes_byte_by_byte)
{
    size_t len;
    struct scgi_request is;
    char *text = request(LOGIN, "hello", &len);
    for (size_t n = 0; n < len; n++)
        ck_assert_int_eq(scgi_read(text, n, &is), SCGI_MORE);
    ck_assert_int_eq(scgi_read(text, len, &is), SCGI_WHOLE);
    ck_assert_str_eq(is.content_type, "text/plain");
    ck_assert_uint_eq(is.body_len, 5);
    ck_assert_mem_eq(text + is.body, "hello", 5);
    ck_assert_str_eq(is.method, "");
    free(text);
}
END_TEST

START_TEST(test_all_that_is_known)
{
    size_t len;
    struct scgi_request is;
    char *text = request("CONTENT_LENGTH~0~REQUEST_METHOD~GET~DOCUMENT_URI~/c~CONTENT_TYPE~t~"
                         "REMOTE_ADDR~::1~REMOTE_PORT~7~HTTP_HOST~h~HTTP_X_MULTITENANT_TOKEN~k~"
                         "HTTP_AUTHORIZATION~a~HTTP_COOKIE~c~HTTP_X_FORWARDED_USER~u~"
                         "HTTP_X_FORWARDED_PROTO~https~HTTP_SEC_FETCH_SITE~none~"
                         "HTTP_SEC_FETCH_MODE~m~HTTP_SEC_FETCH_DEST~d~",
                         "", &len);
    ck_assert_int_eq(scgi_read(text, len, &is), SCGI_WHOLE);
    const char *const values[] = {is.method, is.path,  is.content_type,  is.addr,   is.port,
                                  is.host,   is.token, is.authorization, is.cookie, is.user,
                                  is.proto,  is.site,  is.mode,          is.dest};
    static const char *const expected[] = {"GET", "/c", "t", "::1",   "7",    "h", "k",
                                           "a",   "c",  "u", "https", "none", "m", "d"};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        ck_assert_str_eq(values[i], expected[i]);
    free(text);
}
END_TEST

/* What nobody could tell apart from a request that was meant otherwise. */
static const char *const bad[] = {
    "",
    "CONTENT_LENGTH",
    "CONTENT_LENGTH~0",
    "CONTENT_LENGTH~~",
    "CONTENT_LENGTH~-1~",
    "CONTENT_LENGTH~1x~",
    "CONTENT_LENGTH~4097~",
    "CONTENT_LENGTH~99999999999999999999~",
    "SCGI~1~CONTENT_LENGTH~0~",
    "CONTENT_LENGTH~0~SCGI",
    "CONTENT_LENGTH~0~SCGI~1",
    "CONTENT_LENGTH~0~HTTP_COOKIE~a~HTTP_COOKIE~b~",
    "CONTENT_LENGTH~0~HTTP_X_MULTITENANT_TOKEN~a~HTTP_X_MULTITENANT_TOKEN~b~",
    "CONTENT_LENGTH~0~HTTP_X_FORWARDED_USER~ann~HTTP_X_FORWARDED_USER~bob~",
};

START_TEST(test_what_is_no_request)
{
    size_t len;
    struct scgi_request is;
    char *text = request(bad[_i], "", &len);
    ck_assert_int_eq(scgi_read(text, len, &is), SCGI_BAD);
    free(text);
}
END_TEST

START_TEST(test_what_is_no_netstring)
{
    static const char *const texts[] = {":", "x", "-1:", "1 :", "65537:", "18446744073709551617:"};
    struct scgi_request is;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ck_assert_int_eq(scgi_read(texts[i], strlen(texts[i]), &is), SCGI_BAD);
    size_t len;
    char *text = request(CHECK, "", &len);
    text[len - 1] = ';';
    ck_assert_int_eq(scgi_read(text, len, &is), SCGI_BAD);
    free(text);
}
END_TEST

START_TEST(test_headers_of_the_most_bytes)
{
    static const char begin[] = "CONTENT_LENGTH~0~HTTP_COOKIE~";
    struct scgi_request is;
    size_t len;
    char *value = repeat("x", MT_GATE_HEADERS_MAX - strlen(begin) - 1);
    char *headers = NULL;
    ck_assert_int_gt(asprintf(&headers, "%s%s~", begin, value), 0);
    char *text = request(headers, "", &len);
    ck_assert_int_eq(scgi_read(text, len, &is), SCGI_WHOLE);
    ck_assert_str_eq(is.cookie, value);
    free(text);
    free(headers);
    free(value);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scgi");
    TCase *tests = add_case(suite, "scgi");
    tcase_add_test(tests, test_a_request_that_comes_byte_by_byte);
    tcase_add_test(tests, test_all_that_is_known);
    tcase_add_loop_test(tests, test_what_is_no_request, 0, COUNT_OF(bad));
    tcase_add_test(tests, test_what_is_no_netstring);
    tcase_add_test(tests, test_headers_of_the_most_bytes);
    return run_suite(suite);
}
