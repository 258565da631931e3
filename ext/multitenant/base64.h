/* SPDX-License-Identifier: MIT */
/* Strict base64 (RFC 4648 §4), and its form for names and URLs (§5), over libcrypto. */
#pragma once

#include "attr.h"
#include "buf.h"

/*
 * Appends to `out` what `len` characters of base64 stand for. Only the one canonical text of some
 * bytes is accepted: no white space, full padding, unused bits zero.
 *
 * MT_OK
 * MT_MALFORMED: not canonical, or nothing
 * MT_TOO_LARGE, MT_NOMEM: from `out`
 */
MT_CHECKED enum mt_status mt_base64_decode(const char *text, size_t len, struct mt_buf *out);

/* The same for base64url without padding. */
MT_CHECKED enum mt_status mt_base64url_decode(const char *text, size_t len, struct mt_buf *out);

/* Appends `len` bytes, at most MT_JOBNAME_MAX, as base64url without padding. As above. */
MT_CHECKED enum mt_status mt_base64url_encode(const void *bytes, size_t len, struct mt_buf *out);
