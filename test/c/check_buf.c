/* SPDX-License-Identifier: MIT */
/* Links: buf. */
#include "buf.h"

#include "helpers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT 1000

static struct mt_buf buf;

static void setup(void)
{
    buf = MT_BUF_INIT(LIMIT);
}

static void teardown(void)
{
    mt_buf_wipe(&buf);
}

START_TEST(test_begins_empty)
{
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_uint_eq(buf.limit, LIMIT);
}
END_TEST

START_TEST(test_keeps_what_was_appended)
{
    for (int i = 0; i < LIMIT; i++) {
        unsigned char byte = (unsigned char)i;
        ck_assert_int_eq(mt_buf_append(&buf, &byte, 1), MT_OK);
    }
    ck_assert_uint_eq(buf.len, LIMIT);
    for (int i = 0; i < LIMIT; i++)
        ck_assert_uint_eq((unsigned char)buf.data[i], (unsigned char)i);
}
END_TEST

START_TEST(test_fills_up_to_its_limit_at_once)
{
    char bytes[LIMIT] = {0};
    ck_assert_int_eq(mt_buf_append(&buf, bytes, LIMIT), MT_OK);
    ck_assert_uint_eq(buf.len, LIMIT);
    ck_assert_uint_le(buf.size, LIMIT);
}
END_TEST

START_TEST(test_refuses_one_byte_over_and_stays_as_it_was)
{
    char bytes[LIMIT + 1] = "abc";
    ck_assert_int_eq(mt_buf_append(&buf, bytes, LIMIT + 1), MT_TOO_LARGE);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_int_eq(mt_buf_append(&buf, bytes, LIMIT), MT_OK);
    ck_assert_int_eq(mt_buf_append(&buf, bytes, 1), MT_TOO_LARGE);
    ck_assert_uint_eq(buf.len, LIMIT);
    ck_assert_mem_eq(buf.data, bytes, LIMIT);
}
END_TEST

START_TEST(test_a_length_that_would_overflow_is_too_large)
{
    ck_assert_int_eq(mt_buf_append(&buf, "abc", 3), MT_OK);
    ck_assert_int_eq(mt_buf_reserve(&buf, SIZE_MAX), MT_TOO_LARGE);
    ck_assert_int_eq(mt_buf_reserve(&buf, SIZE_MAX - 2), MT_TOO_LARGE);
    ck_assert_uint_eq(buf.len, 3);
}
END_TEST

START_TEST(test_nothing_fits_everywhere)
{
    struct mt_buf none = MT_BUF_INIT(0);
    ck_assert_int_eq(mt_buf_append(&none, "", 0), MT_OK);
    ck_assert_int_eq(mt_buf_append(&none, "a", 1), MT_TOO_LARGE);
    ck_assert_uint_eq(none.len, 0);
    mt_buf_wipe(&none);
}
END_TEST

START_TEST(test_reserve_makes_room_and_holds_the_bytes)
{
    ck_assert_int_eq(mt_buf_append(&buf, "abc", 3), MT_OK);
    ck_assert_int_eq(mt_buf_reserve(&buf, LIMIT - 3), MT_OK);
    ck_assert_uint_eq(buf.len, 3);
    /* A tool that checks memory sees a room that is too small. */
    memset(buf.data + buf.len, 'x', LIMIT - 3);
    ck_assert_mem_eq(buf.data, "abc", 3);
}
END_TEST

START_TEST(test_wipe_leaves_an_empty_buffer_of_the_same_limit)
{
    ck_assert_int_eq(mt_buf_append(&buf, "secret", 6), MT_OK);
    mt_buf_wipe(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_uint_eq(buf.size, 0);
    ck_assert_uint_eq(buf.limit, LIMIT);
    mt_buf_wipe(&buf);
    ck_assert_int_eq(mt_buf_append(&buf, "again", 5), MT_OK);
}
END_TEST

/* Whether __wrap_malloc has nothing to give. */
static bool no_memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return no_memory ? NULL : __real_malloc(size);
}

START_TEST(test_a_failed_allocation_leaves_it_as_it_was)
{
    ck_assert_int_eq(mt_buf_append(&buf, "abc", 3), MT_OK);
    no_memory = true;
    enum mt_status status = mt_buf_reserve(&buf, LIMIT - 3);
    no_memory = false;
    ck_assert_int_eq(status, MT_NOMEM);
    ck_assert_uint_eq(buf.len, 3);
    ck_assert_mem_eq(buf.data, "abc", 3);
    ck_assert_int_eq(mt_buf_reserve(&buf, LIMIT - 3), MT_OK);
}
END_TEST

/* Set by __wrap_free: whether the block that was freed held zeros alone. */
static const void *watched;
static size_t watched_len;
static int freed_clean = -1;

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    if (block && block == watched) {
        freed_clean = 1;
        for (size_t i = 0; i < watched_len; i++)
            freed_clean &= ((const char *)block)[i] == 0;
    }
    __real_free(block);
}

START_TEST(test_wipe_overwrites_before_it_frees)
{
    ck_assert_int_eq(mt_buf_append(&buf, "secret", 6), MT_OK);
    watched = buf.data;
    watched_len = buf.len;
    mt_buf_wipe(&buf);
    ck_assert_int_eq(freed_clean, 1);
}
END_TEST

START_TEST(test_growing_leaves_no_copy_behind)
{
    ck_assert_int_eq(mt_buf_append(&buf, "secret", 6), MT_OK);
    watched = buf.data;
    watched_len = buf.len;
    ck_assert_int_eq(mt_buf_reserve(&buf, LIMIT - 6), MT_OK);
    ck_assert_int_eq(freed_clean, 1);
}
END_TEST

/* What a pipe gives that holds `len` bytes. */
static enum mt_status read_pipe(size_t len)
{
    static const char bytes[LIMIT + 1] = "abc";
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], bytes, len), (ssize_t)len);
    (void)close(ends[1]);
    enum mt_status status = mt_buf_read(&buf, ends[0]);
    (void)close(ends[0]);
    return status;
}

START_TEST(test_reads_a_file_up_to_the_limit)
{
    ck_assert_int_eq(read_pipe(0), MT_OK);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_int_eq(read_pipe(LIMIT), MT_OK);
    ck_assert_uint_eq(buf.len, LIMIT);
    ck_assert_mem_eq(buf.data, "abc", 4);
    ck_assert_int_eq(read_pipe(1), MT_TOO_LARGE);
    ck_assert_int_eq(mt_buf_read(&buf, -1), MT_IO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *tests = add_case(suite, "limits");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_begins_empty);
    tcase_add_test(tests, test_keeps_what_was_appended);
    tcase_add_test(tests, test_fills_up_to_its_limit_at_once);
    tcase_add_test(tests, test_refuses_one_byte_over_and_stays_as_it_was);
    tcase_add_test(tests, test_a_length_that_would_overflow_is_too_large);
    tcase_add_test(tests, test_nothing_fits_everywhere);
    tcase_add_test(tests, test_reserve_makes_room_and_holds_the_bytes);
    tcase_add_test(tests, test_a_failed_allocation_leaves_it_as_it_was);
    tcase_add_test(tests, test_reads_a_file_up_to_the_limit);
    tests = add_case(suite, "wipe");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_wipe_leaves_an_empty_buffer_of_the_same_limit);
    tcase_add_test(tests, test_wipe_overwrites_before_it_frees);
    tcase_add_test(tests, test_growing_leaves_no_copy_behind);
    return run_suite(suite);
}
