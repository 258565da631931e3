/* SPDX-License-Identifier: MIT */
/* Links: deflate, buf. */
#include "deflate.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char text[] = "{'mtu':'1001','mti':'x'}|{'host':'n1','host2':'n1'}";
static unsigned char *packed;
static size_t packed_len;
static struct mt_buf out;

static void setup(void)
{
    packed = gzip(text, sizeof text - 1, &packed_len);
    out = MT_BUF_INIT(MT_MESSAGE_MAX);
}

static void teardown(void)
{
    free(packed);
    mt_buf_wipe(&out);
}

/* Inflates from a block that ends where the bytes do. */
static enum mt_status inflate_block(const unsigned char *bytes, size_t len)
{
    unsigned char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, bytes, len);
    enum mt_status status = mt_inflate_gzip(block, len, &out);
    free(block);
    return status;
}

/* `len` zeros as a gzip member, inflated with a limit. */
static enum mt_status inflate_zeros(size_t len, size_t limit)
{
    char *zeros = calloc(1, len + 1);
    size_t member_len;
    ck_assert_ptr_nonnull(zeros);
    unsigned char *member = gzip(zeros, len, &member_len);
    out = MT_BUF_INIT(limit);
    enum mt_status status = mt_inflate_gzip(member, member_len, &out);
    ck_assert_uint_le(out.len, limit);
    if (status == MT_OK) {
        ck_assert_uint_eq(out.len, len);
        ck_assert(len == 0 || memcmp(out.data, zeros, len) == 0);
    }
    free(member);
    free(zeros);
    mt_buf_wipe(&out);
    return status;
}

START_TEST(test_round_trip)
{
    ck_assert_int_eq(inflate_block(packed, packed_len), MT_OK);
    ck_assert_uint_eq(out.len, sizeof text - 1);
    ck_assert_mem_eq(out.data, text, out.len);
}
END_TEST

START_TEST(test_appends)
{
    ck_assert_int_eq(inflate_block(packed, packed_len), MT_OK);
    ck_assert_int_eq(inflate_block(packed, packed_len), MT_OK);
    ck_assert_uint_eq(out.len, 2 * (sizeof text - 1));
    ck_assert_mem_eq(out.data + sizeof text - 1, text, sizeof text - 1);
}
END_TEST

START_TEST(test_nothing_packed_is_nothing)
{
    ck_assert_int_eq(inflate_zeros(0, 10), MT_OK);
    ck_assert_int_eq(inflate_zeros(0, 0), MT_OK);
}
END_TEST

START_TEST(test_truncated_anywhere)
{
    for (size_t len = 0; len < packed_len; len++) {
        out.len = 0;
        ck_assert_int_eq(inflate_block(packed, len), MT_MALFORMED);
    }
}
END_TEST

/* Neither a byte, nor a second member, nor zeros, which gzip(1) forgives, may follow. */
START_TEST(test_trailing_bytes)
{
    unsigned char *longer = malloc(2 * packed_len);
    ck_assert_ptr_nonnull(longer);
    memcpy(longer, packed, packed_len);
    memcpy(longer + packed_len, packed, packed_len);
    ck_assert_int_eq(inflate_block(longer, 2 * packed_len), MT_MALFORMED);
    ck_assert_int_eq(inflate_block(longer, packed_len + 1), MT_MALFORMED);
    memset(longer + packed_len, 0, packed_len);
    ck_assert_int_eq(inflate_block(longer, packed_len + 1), MT_MALFORMED);
    ck_assert_int_eq(inflate_block(longer, 2 * packed_len), MT_MALFORMED);
    free(longer);
}
END_TEST

START_TEST(test_trailing_byte_where_the_buffer_is_full)
{
    struct mt_buf full = MT_BUF_INIT(sizeof text - 1);
    unsigned char *longer = calloc(1, packed_len + 1);
    ck_assert_ptr_nonnull(longer);
    memcpy(longer, packed, packed_len);
    ck_assert_int_eq(mt_inflate_gzip(longer, packed_len + 1, &full), MT_MALFORMED);
    free(longer);
    mt_buf_wipe(&full);
}
END_TEST

/* The checksum, the length and the header are checked, not only the compressed bytes. */
START_TEST(test_damaged)
{
    static const size_t from_the_end[] = {1, 4, 5, 8};
    for (size_t i = 0; i < COUNT_OF(from_the_end); i++) {
        size_t at = packed_len - from_the_end[i];
        packed[at] ^= 1;
        ck_assert_int_eq(inflate_block(packed, packed_len), MT_MALFORMED);
        packed[at] ^= 1;
    }
    packed[2] = 9; /* no such method */
    ck_assert_int_eq(inflate_block(packed, packed_len), MT_MALFORMED);
}
END_TEST

START_TEST(test_any_flipped_bit_is_refused_or_harmless)
{
    for (size_t bit = 0; bit < packed_len * 8; bit++) {
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        out.len = 0;
        enum mt_status status = inflate_block(packed, packed_len);
        bool same = out.len == sizeof text - 1 && memcmp(out.data, text, out.len) == 0;
        ck_assert_msg(status == MT_MALFORMED || (status == MT_OK && same), "bit %zu: %d", bit,
                      (int)status);
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}
END_TEST

static enum mt_status inflate_other_form(int window_bits)
{
    unsigned char bytes[256];
    z_stream z = {.next_in = (z_const unsigned char *)text,
                  .avail_in = sizeof text - 1,
                  .next_out = bytes,
                  .avail_out = sizeof bytes};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_int_eq(deflateEnd(&z), Z_OK);
    return inflate_block(bytes, sizeof bytes - z.avail_out);
}

START_TEST(test_zlib_stream)
{
    ck_assert_int_eq(inflate_other_form(MAX_WBITS), MT_MALFORMED);
}
END_TEST

START_TEST(test_raw_stream)
{
    ck_assert_int_eq(inflate_other_form(-MAX_WBITS), MT_MALFORMED);
}
END_TEST

START_TEST(test_plain_text)
{
    ck_assert_int_eq(inflate_block((const unsigned char *)text, sizeof text - 1), MT_MALFORMED);
}
END_TEST

/* Around the limit, and around the 4 KiB steps in which the buffer grows. */
static const size_t limits[] = {1, 10, 4095, 4096, 4097, 8192, MT_MESSAGE_MAX};

START_TEST(test_exactly_at_the_limit)
{
    ck_assert_int_eq(inflate_zeros(limits[_i], limits[_i]), MT_OK);
}
END_TEST

START_TEST(test_one_over_the_limit)
{
    ck_assert_int_eq(inflate_zeros(limits[_i] + 1, limits[_i]), MT_TOO_LARGE);
}
END_TEST

START_TEST(test_bomb)
{
    ck_assert_int_eq(inflate_zeros(32 * 1024 * 1024, MT_MESSAGE_MAX), MT_TOO_LARGE);
}
END_TEST

START_TEST(test_input_over_its_limit)
{
    unsigned char *bytes = calloc(1, MT_MESSAGE_MAX + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_int_eq(mt_inflate_gzip(bytes, MT_MESSAGE_MAX + 1, &out), MT_TOO_LARGE);
    ck_assert_int_eq(mt_inflate_gzip(bytes, MT_MESSAGE_MAX, &out), MT_MALFORMED);
    free(bytes);
}
END_TEST

/* Bare deflate, and its inverse. */

START_TEST(test_raw_round_trip)
{
    static const size_t lengths[] = {0, 1, 51, 4096, MT_MESSAGE_MAX};
    char *bytes = repeat("0123456789abcdef", MT_MESSAGE_MAX / 16);
    struct mt_buf raw = MT_BUF_INIT(MT_MESSAGE_MAX);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        ck_assert_int_eq(mt_deflate_raw(bytes, lengths[i], &raw), MT_OK);
        ck_assert_int_eq(mt_inflate_raw(raw.data, raw.len, &out), MT_OK);
        ck_assert_uint_eq(out.len, lengths[i]);
        ck_assert(lengths[i] == 0 || memcmp(out.data, bytes, lengths[i]) == 0);
        mt_buf_wipe(&out);
        ck_assert_int_eq(mt_inflate_raw(raw.data, raw.len - 1, &out), MT_MALFORMED);
        mt_buf_wipe(&out);
        ck_assert_int_eq(mt_buf_append(&raw, "", 1), MT_OK);
        ck_assert_int_eq(mt_inflate_raw(raw.data, raw.len, &out), MT_MALFORMED);
        mt_buf_wipe(&out);
        mt_buf_wipe(&raw);
    }
    free(bytes);
}
END_TEST

START_TEST(test_raw_limits)
{
    struct mt_buf small = MT_BUF_INIT(8);
    char *bytes = repeat("x", MT_MESSAGE_MAX + 1);
    ck_assert_int_eq(mt_deflate_raw(bytes, MT_MESSAGE_MAX + 1, &out), MT_TOO_LARGE);
    ck_assert_int_eq(mt_deflate_raw(text, sizeof text - 1, &small), MT_TOO_LARGE);
    ck_assert_int_eq(mt_deflate_raw(text, sizeof text - 1, &out), MT_OK);
    ck_assert_int_eq(mt_inflate_raw(out.data, out.len, &small), MT_TOO_LARGE);
    ck_assert_int_eq(inflate_block((unsigned char *)out.data, out.len), MT_MALFORMED);
    ck_assert_int_eq(mt_inflate_raw(packed, packed_len, &small), MT_MALFORMED);
    mt_buf_wipe(&small);
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deflate");
    TCase *tests = add_case(suite, "form");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_appends);
    tcase_add_test(tests, test_nothing_packed_is_nothing);
    tcase_add_test(tests, test_truncated_anywhere);
    tcase_add_test(tests, test_trailing_bytes);
    tcase_add_test(tests, test_trailing_byte_where_the_buffer_is_full);
    tcase_add_test(tests, test_damaged);
    tcase_add_test(tests, test_any_flipped_bit_is_refused_or_harmless);
    tcase_add_test(tests, test_zlib_stream);
    tcase_add_test(tests, test_raw_stream);
    tcase_add_test(tests, test_plain_text);
    tests = add_case(suite, "limits");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_exactly_at_the_limit, 0, (int)COUNT_OF(limits));
    tcase_add_loop_test(tests, test_one_over_the_limit, 0, (int)COUNT_OF(limits));
    tcase_add_test(tests, test_bomb);
    tcase_add_test(tests, test_input_over_its_limit);
    tests = add_case(suite, "raw");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_raw_round_trip);
    tcase_add_test(tests, test_raw_limits);
    return run_suite(suite);
}
