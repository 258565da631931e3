/* SPDX-License-Identifier: MIT */
/* Compression to bare deflate (RFC 1951) over zlib. */
#pragma once

#include "attr.h"
#include "buf.h"

/*
 * Appends the `len` bytes at `in`, as small as zlib can make them, to `out`.
 *
 * MT_OK
 * MT_TOO_LARGE: more than the buffer's limit, or `len` over MT_MESSAGE_MAX
 * MT_NOMEM
 * MT_INTERNAL: zlib is not the one that was compiled for
 */
MT_CHECKED enum mt_status mt_deflate_raw(const void *in, size_t len, struct mt_buf *out);
