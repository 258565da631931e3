/* SPDX-License-Identifier: MIT */
#include "recipients.h"

#include "mt_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many ones say that the whole count follows in 32 bits. */
#define ESCAPE 12

#define PARAMETERS 32u

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- writing ---- */

/* Bits that are to become digits; `n` of them wait in the lowest of `bits`. */
struct writer {
    struct mt_buf *out;
    enum mt_status status;
    uint64_t bits;
    unsigned n;
};

static void put_digit(struct writer *writer, unsigned digit)
{
    if (writer->status == MT_OK)
        writer->status = mt_buf_append(writer->out, &digits[digit], 1);
}

/* At most 45 bits: 5 may wait from before. */
static void put_bits(struct writer *writer, uint64_t bits, unsigned n)
{
    writer->bits = writer->bits << n | bits;
    writer->n += n;
    while (writer->n >= 6) {
        writer->n -= 6;
        put_digit(writer, (unsigned)(writer->bits >> writer->n) & 63);
    }
    writer->bits &= (UINT64_C(1) << writer->n) - 1;
}

static void put_count(struct writer *writer, uint32_t v, unsigned k)
{
    uint32_t q = v >> k;
    if (q >= ESCAPE) {
        put_bits(writer, ((UINT64_C(1) << ESCAPE) - 1) << 32 | v, ESCAPE + 32);
        return;
    }
    put_bits(writer, (UINT64_C(1) << (q + 1)) - 2, q + 1);
    put_bits(writer, v & ((UINT64_C(1) << k) - 1), k);
}

static uint32_t count_before(const uint32_t *uids, size_t i)
{
    return i == 0 ? uids[0] : uids[i] - uids[i - 1] - 1;
}

static size_t bits_with(const uint32_t *uids, size_t count, unsigned k)
{
    size_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t q = count_before(uids, i) >> k;
        bits += q < ESCAPE ? q + 1 + k : ESCAPE + 32;
    }
    return bits;
}

enum mt_status mt_recipients_encode(const uint32_t *uids, size_t count, struct mt_buf *out)
{
    struct writer writer = {.out = out, .status = MT_OK};
    unsigned best = 0;
    size_t least = SIZE_MAX;
    if (count > MT_RECIPIENTS_MAX)
        return MT_MALFORMED;
    for (size_t i = 1; i < count; i++) {
        if (uids[i] <= uids[i - 1])
            return MT_MALFORMED;
    }
    if (count == 0)
        return MT_OK;
    for (unsigned k = 0; k < PARAMETERS; k++) {
        size_t bits = bits_with(uids, count, k);
        if (bits < least) {
            least = bits;
            best = k;
        }
    }
    put_digit(&writer, best);
    for (size_t i = 0; i < count; i++)
        put_count(&writer, count_before(uids, i), best);
    unsigned fill = (6 - writer.n) % 6;
    put_bits(&writer, (UINT64_C(1) << fill) - 1, fill);
    return writer.status;
}

/* ---- reading ---- */

/* Digits that are to become bits; a bit beyond the end is -1 and stays so. */
struct reader {
    const char *at;
    const char *end;
    unsigned digit;
    unsigned n; /* bits of it that are left */
};

static int next_digit(struct reader *reader)
{
    if (reader->at == reader->end)
        return -1;
    const char *found = memchr(digits, *reader->at, sizeof digits - 1);
    if (!found)
        return -1;
    reader->at++;
    return (int)(found - digits);
}

static int next_bit(struct reader *reader)
{
    if (reader->n == 0) {
        int digit = next_digit(reader);
        if (digit < 0)
            return -1;
        reader->digit = (unsigned)digit;
        reader->n = 6;
    }
    return (int)(reader->digit >> --reader->n & 1);
}

/* A number of n bits; false: there are not so many. */
static bool next_bits(struct reader *reader, unsigned n, uint64_t *out)
{
    for (*out = 0; n > 0; n--) {
        int bit = next_bit(reader);
        if (bit < 0)
            return false;
        *out = *out << 1 | (unsigned)bit;
    }
    return true;
}

/* The next count; false: no more are left, or it is cut off. */
static bool next_count(struct reader *reader, unsigned k, uint64_t *out)
{
    uint64_t q = 0;
    uint64_t low;
    int bit = 1;
    while (q < ESCAPE && (bit = next_bit(reader)) == 1)
        q++;
    if (bit < 0)
        return false;
    if (q == ESCAPE)
        return next_bits(reader, 32, out);
    if (!next_bits(reader, k, &low))
        return false;
    *out = q << k | low;
    return true;
}

/*
 * Reads uids for as long as they go on; what the text ends with is not looked at. Returns how many
 * there are, or MT_RECIPIENTS_MAX + 1 where they are too many or too large.
 */
static size_t read_uids(struct reader *reader, uint32_t *uids)
{
    int k = next_digit(reader);
    size_t n = 0;
    uint64_t next = 0; /* the smallest uid that may follow */
    uint64_t v;
    while (k >= 0 && k < (int)PARAMETERS && next_count(reader, (unsigned)k, &v)) {
        if (n == MT_RECIPIENTS_MAX || next + v > UINT32_MAX)
            return MT_RECIPIENTS_MAX + 1;
        uids[n++] = (uint32_t)(next + v);
        next += v + 1;
    }
    return n;
}

static enum mt_status append_decimal(const uint32_t *uids, size_t n, struct mt_buf *out)
{
    enum mt_status status = MT_OK;
    char text[16];
    for (size_t i = 0; i < n && status == MT_OK; i++) {
        int len = snprintf(text, sizeof text, "%s%lu", i > 0 ? "," : "", (unsigned long)uids[i]);
        status = mt_buf_append(out, text, (size_t)len);
    }
    return status;
}

enum mt_status mt_recipients_decode(const char *text, size_t len, struct mt_buf *out)
{
    enum mt_status status = MT_MALFORMED;
    struct reader reader = {.at = text, .end = text + len};
    struct mt_buf again = MT_BUF_INIT(len);
    uint32_t *uids = malloc(MT_RECIPIENTS_MAX * sizeof *uids);
    if (!uids)
        return MT_NOMEM;
    size_t n = read_uids(&reader, uids);
    if (n > MT_RECIPIENTS_MAX)
        goto out;
    /* Encoding again finds another k, a needless escape, and bits after the last uid. */
    status = mt_recipients_encode(uids, n, &again);
    if (status == MT_TOO_LARGE)
        status = MT_MALFORMED;
    if (status != MT_OK)
        goto out;
    status = MT_MALFORMED;
    if (again.len == len && (len == 0 || memcmp(again.data, text, len) == 0))
        status = append_decimal(uids, n, out);
out:
    free(uids);
    mt_buf_wipe(&again);
    return status;
}
