/* SPDX-License-Identifier: MIT */
/* Links: as program. */
#include "program.h"

#include "failing.h"
#include "forked.h"
#include "helpers.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { MOST = 10240 };

static bool no_memory;
static bool no_input;

/* Reads, and writes what it read. */
static int copy(void *none)
{
    struct mt_buf text = MT_BUF_INIT(MOST);
    (void)none;
    if (no_input)
        close(STDIN_FILENO);
    if (no_memory)
        fail_allocation(1);
    int status = mt_input_read(&text);
    stop_failing();
    if (status == 0 && text.len > 0)
        status = write(STDOUT_FILENO, text.data, text.len) == (ssize_t)text.len ? 0 : EX_SOFTWARE;
    mt_buf_wipe(&text);
    return status;
}

static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8000};

START_TEST(test_all_of_it)
{
    char *text = repeat("x", sizes[_i]);
    struct forked is = run_forked(copy, NULL, text, sizes[_i]);
    ck_assert_int_eq(is.status, 0);
    ck_assert_str_eq(is.out, text);
    ck_assert_str_eq(is.err, "");
    free(text);
}
END_TEST

START_TEST(test_any_bytes)
{
    struct forked is = run_forked(copy, NULL, "a\0\xff\n", 4);
    ck_assert_int_eq(is.status, 0);
    ck_assert_mem_eq(is.out, "a\0\xff\n", 5);
}
END_TEST

START_TEST(test_the_limit)
{
    char *text = repeat("x", MOST + 1);
    ck_assert_int_eq(run_forked(copy, NULL, text, MOST).status, 0);
    struct forked is = run_forked(copy, NULL, text, MOST + 1);
    ck_assert_int_eq(is.status, EX_DATAERR);
    ck_assert_str_eq(is.err, "program: standard input is too long: over 10 KiB\n");
    free(text);
}
END_TEST

START_TEST(test_what_can_not_be_read)
{
    no_input = true;
    struct forked is = run_forked(copy, NULL, "x", 1);
    no_input = false;
    ck_assert_int_eq(is.status, EX_IOERR);
    ck_assert_str_eq(is.err, "program: standard input can't be read (Bad file descriptor)\n");
}
END_TEST

START_TEST(test_out_of_memory)
{
    no_memory = true;
    struct forked is = run_forked(copy, NULL, "x", 1);
    no_memory = false;
    ck_assert_int_eq(is.status, EX_OSERR);
    ck_assert_str_eq(is.err, "program: out of memory\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("program_input");
    TCase *tests = add_case(suite, "input");
    tcase_add_loop_test(tests, test_all_of_it, 0, COUNT_OF(sizes));
    tcase_add_test(tests, test_any_bytes);
    tcase_add_test(tests, test_the_limit);
    tcase_add_test(tests, test_what_can_not_be_read);
    tcase_add_test(tests, test_out_of_memory);
    return run_suite(suite);
}
