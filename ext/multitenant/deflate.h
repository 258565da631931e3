/* SPDX-License-Identifier: MIT */
/*
 * Deflate over zlib: bounded decompression, of one gzip member (RFC 1952) or bare (RFC 1951), and
 * compression to bare.
 */
#pragma once

#include "attr.h"
#include "buf.h"

/*
 * Appends to `out` what the gzip member in `len` bytes at `in` holds. The buffer's limit bounds it.
 *
 * MT_OK
 * MT_MALFORMED: not gzip, damaged, cut short, or followed by more bytes
 * MT_TOO_LARGE: more than the limit, or `len` over MT_MESSAGE_MAX
 * MT_NOMEM
 * MT_INTERNAL: zlib is not the one that was compiled for
 *
 * `out` may hold a part on failure.
 */
MT_CHECKED enum mt_status mt_inflate_gzip(const void *in, size_t len, struct mt_buf *out);

/* The same for bare deflate, without a header or checksum. */
MT_CHECKED enum mt_status mt_inflate_raw(const void *in, size_t len, struct mt_buf *out);

/*
 * Appends the `len` bytes at `in`, as small as zlib can make them, to `out`.
 *
 * MT_OK
 * MT_TOO_LARGE: more than the buffer's limit, or `len` over MT_MESSAGE_MAX
 * MT_NOMEM
 * MT_INTERNAL: zlib is not the one that was compiled for
 */
MT_CHECKED enum mt_status mt_deflate_raw(const void *in, size_t len, struct mt_buf *out);
