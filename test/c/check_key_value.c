/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: key_value. */
#include "key_value.h"

#include "helpers.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The C library's, behind those that the suite links. */
static int (*libc_compile)(regex_t *, const char *, int);
static int (*libc_match)(const regex_t *, const char *, size_t, regmatch_t *, int);
static void (*libc_free)(regex_t *);
static regex_t libc_expression;

static void find_libc(void)
{
    libc_compile = dlsym(RTLD_NEXT, "regcomp");
    libc_match = dlsym(RTLD_NEXT, "regexec");
    libc_free = dlsym(RTLD_NEXT, "regfree");
    ck_assert_int_eq(libc_compile(&libc_expression, MT_KEY_VALUE, REG_EXTENDED), 0);
}

static void free_libc(void)
{
    libc_free(&libc_expression);
}

static void compare(const char *line)
{
    regmatch_t expected[MT_KEY_VALUE_MATCHES];
    regmatch_t matches[MT_KEY_VALUE_MATCHES];
    int status = libc_match(&libc_expression, line, MT_KEY_VALUE_MATCHES, expected, 0);
    if (mt_key_value_match(line, matches) != status)
        ck_abort_msg("%s: not %d", line, status);
    for (size_t i = 0; status == 0 && i < MT_KEY_VALUE_MATCHES; i++) {
        if (matches[i].rm_so != expected[i].rm_so || matches[i].rm_eo != expected[i].rm_eo)
            ck_abort_msg("%s: %zu from %d to %d, not from %d to %d", line, i, matches[i].rm_so,
                         matches[i].rm_eo, expected[i].rm_so, expected[i].rm_eo);
    }
}

START_TEST(test_lines_of_slurm_conf)
{
    static const char *const lines[] = {
        "ClusterName=hpc",
        " NodeName=n[1-9] CPUs=4 State=UNKNOWN ",
        "A=\"b c\" D=e",
        "A=\"b\"",
        "A=\"b",
        "A=\"b\"c d\" e",
        "A=\"b\"c",
        "A=\"\"",
        "A=",
        "A= ",
        "=b",
        "A",
        "",
        "A+=b",
        "A -=b",
        "A - =b",
        "A = b",
        "A== b",
        "a.b_9=c",
        "A-B=c",
        "A\n=\nb\n",
        "A=\xc3\xa4 b",
        "\xc3\xa4=b",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        compare(lines[i]);
}
END_TEST

START_TEST(test_every_line_of_six_characters)
{
    static const char of[] = "a=\" +";
    char line[7] = "";
    for (size_t number = 0; number < 5 * 5 * 5 * 5 * 5 * 5; number++) {
        size_t left = number;
        for (size_t i = 0; i < 6; i++, left /= 5)
            line[i] = of[left % 5];
        compare(line);
        compare(format("a=\"%s", line));
    }
}
END_TEST

START_TEST(test_every_byte_at_every_place)
{
    static const char *const lines[] = {" ab +=\"c d\" e", "ab=cd e"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        for (size_t at = 0; lines[i][at]; at++) {
            for (int byte = 1; byte < 256; byte++) {
                char *line = strdup(lines[i]);
                line[at] = (char)byte;
                compare(line);
                free(line);
            }
        }
    }
}
END_TEST

/* As libslurm calls it, and as others do. */
START_TEST(test_instead_of_the_c_library)
{
    regex_t expression;
    regmatch_t matches[MT_KEY_VALUE_MATCHES + 1];
    ck_assert_int_eq(regcomp(&expression, MT_KEY_VALUE, REG_EXTENDED), 0);
    ck_assert_int_eq(regexec(&expression, "A=b c", MT_KEY_VALUE_MATCHES + 1, matches, 0), 0);
    ck_assert_int_eq(matches[6].rm_so, 2);
    ck_assert_int_eq(matches[6].rm_eo, 3);
    ck_assert_int_eq(matches[MT_KEY_VALUE_MATCHES].rm_so, -1);
    ck_assert_int_eq(regexec(&expression, "A", 0, NULL, 0), REG_NOMATCH);
    regfree(&expression);
    ck_assert_int_eq(regcomp(&expression, "^(a+)$", REG_EXTENDED), 0);
    ck_assert_int_eq(regexec(&expression, "aaa", 2, matches, 0), 0);
    ck_assert_int_eq(matches[1].rm_eo, 3);
    ck_assert_int_eq(regexec(&expression, "A=b", 2, matches, 0), REG_NOMATCH);
    regfree(&expression);
    ck_assert_int_eq(regcomp(&expression, MT_KEY_VALUE, REG_EXTENDED | REG_NOSUB), 0);
    matches[0].rm_so = -2;
    ck_assert_int_eq(regexec(&expression, "A=b", 1, matches, 0), 0);
    ck_assert_int_eq(matches[0].rm_so, -2);
    regfree(&expression);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_value");
    TCase *tests = add_case(suite, "as the C library");
    tcase_add_checked_fixture(tests, find_libc, free_libc);
    tcase_add_test(tests, test_lines_of_slurm_conf);
    tcase_add_test(tests, test_every_line_of_six_characters);
    tcase_add_test(tests, test_every_byte_at_every_place);
    tcase_add_test(tests, test_instead_of_the_c_library);
    return run_suite(suite);
}
