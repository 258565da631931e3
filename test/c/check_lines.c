/* SPDX-License-Identifier: MIT */
/* Links: lines json say buf. */
#include "lines.h"

#include "failing.h"
#include "forked.h"
#include "helpers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static json_t *example(void)
{
    json_t *line = json_object();
    mt_line_add(&line, "text", mt_line_text("\xc3\xa4", NULL));
    mt_line_add(&line, "bytes", mt_line_text("a\xff", NULL));
    mt_line_add(&line, "yes", mt_line_answer(MT_YES));
    mt_line_add(&line, "no", mt_line_answer(MT_NO));
    mt_line_add(&line, "unknown", mt_line_answer(MT_UNKNOWN));
    return line;
}

#define EXAMPLE \
    "{\"text\":\"\xc3\xa4\",\"bytes\":\"a\xc3\xbf\",\"yes\":true,\"no\":false,\"unknown\":null}\n"

static int write_lines(void *none)
{
    (void)none;
    int status = mt_line_write(example());
    if (status == 0)
        status = mt_line_write(json_object());
    return status ? status : mt_lines_end(2);
}

START_TEST(test_lines_and_their_end)
{
    struct forked is = run_forked(write_lines, NULL, "", 0);
    ck_assert_int_eq(is.status, 0);
    ck_assert_str_eq(is.out, EXAMPLE "{}\n{\"end\":2}\n");
    ck_assert_str_eq(is.err, "");
}
END_TEST

START_TEST(test_binary_is_told)
{
    bool binary = true;
    json_decref(mt_line_text("", &binary));
    ck_assert(!binary);
    json_decref(mt_line_text("\xff", &binary));
    ck_assert(binary);
}
END_TEST

START_TEST(test_a_line_that_lost_a_value_is_none)
{
    json_t *line = json_object();
    mt_line_add(&line, "lost", NULL);
    ck_assert_ptr_null(line);
    mt_line_add(&line, "kept", json_true());
    mt_line_add(&line, "freed", json_string("text"));
    ck_assert_ptr_null(line);
}
END_TEST

/* The allocation of this number fails. */
static int write_with_failure(void *nth)
{
    json_set_alloc_funcs(malloc, free);
    fail_allocation(*(size_t *)nth);
    int status = write_lines(NULL);
    return stop_failing() ? status : EX_SOFTWARE;
}

START_TEST(test_out_of_memory)
{
    size_t nth = 1;
    for (struct forked is; nth < 200; nth++) {
        is = run_forked(write_with_failure, &nth, "", 0);
        if (is.status == EX_SOFTWARE)
            break; /* there are not so many */
        ck_assert_msg(is.status == EX_OSERR, "allocation %zu: %d, %s", nth, is.status, is.out);
        ck_assert_str_eq(is.err, "program: out of memory\n");
    }
    ck_assert_uint_gt(nth, 10);
    ck_assert_uint_lt(nth, 200);
}
END_TEST

static int write_into_a_full_device(void *none)
{
    int full = open("/dev/full", O_WRONLY);
    return full < 0 || dup2(full, STDOUT_FILENO) < 0 ? 1 : write_lines(none);
}

START_TEST(test_what_can_not_be_written)
{
    struct forked is = run_forked(write_into_a_full_device, NULL, "", 0);
    ck_assert_int_eq(is.status, EX_IOERR);
    ck_assert_str_eq(is.err, "program: standard output can't be written (No space left on device); "
                             "see who reads it\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lines");
    TCase *tests = add_case(suite, "lines");
    tcase_add_test(tests, test_lines_and_their_end);
    tcase_add_test(tests, test_binary_is_told);
    tcase_add_test(tests, test_a_line_that_lost_a_value_is_none);
    tcase_add_test(tests, test_out_of_memory);
    tcase_add_test(tests, test_what_can_not_be_written);
    return run_suite(suite);
}
