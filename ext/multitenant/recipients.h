/* SPDX-License-Identifier: MIT */
/*
 * A list of uids as short text, so that some hundred fit into a job name.
 *
 * The uids in rising order, each as the count of uids left out before it: the first as itself. Each
 * count v is written in bits, with one parameter k for the whole list (Golomb-Rice): q = v >> k
 * ones and a zero, then the k low bits of v; or, where q is 12 or more, 12 ones and v in 32 bits.
 * The bits, highest first, and ones up to a multiple of six are digits of base64url; k (0 to 31),
 * as one digit, stands before them. k is the smallest of those that make the fewest bits. The empty
 * text is the empty list. doc/formats.md has an example.
 */
#pragma once

#include "attr.h"
#include "buf.h"

/*
 * Reads a list and appends it to `out` as decimal numbers with commas between them. Only the one
 * text that mt_recipients_encode makes of a list is accepted.
 *
 * MT_OK
 * MT_MALFORMED: another text, or more than MT_RECIPIENTS_MAX uids
 * MT_TOO_LARGE, MT_NOMEM: from `out`
 */
MT_CHECKED enum mt_status mt_recipients_decode(const char *text, size_t len, struct mt_buf *out);

/*
 * Appends `count` uids to `out` as text; `uids` may be NULL where there are none.
 *
 * MT_OK
 * MT_MALFORMED: they don't rise, or are more than MT_RECIPIENTS_MAX
 * MT_TOO_LARGE, MT_NOMEM: from `out`
 */
MT_NODISCARD MT_NONNULL(3) enum mt_status
    mt_recipients_encode(const uint32_t *uids, size_t count, struct mt_buf *out);
