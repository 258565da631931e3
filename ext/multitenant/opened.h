/* SPDX-License-Identifier: MIT */
/*
 * What munged said of MUNGE credentials, as text, one JSON object a line: what multitenant-munge
 * writes for this viewer, or a test by hand.
 *
 *   {"payload":"MUNGE:…","uid":1001,"gid_only":3000,"text":"{…}"}
 *   {"payload":"MUNGE:…","reason":"envelope_unavailable"}
 *   {"end":2}
 *
 * doc/formats.md has the whole format.
 */
#pragma once

#include "reason.h"
#include "status.h"

#include <jansson.h>

/* One credential. Texts borrow from `json`. */
struct mt_munged {
    json_t *json;
    const char *payload;
    enum mt_reason reason; /* why it was not opened; MT_REASON_ok: it was, and the rest is set */
    const char *text;      /* what is in it, not parsed; '' where that is no text */
    size_t text_len;
    uint32_t uid;     /* who made it */
    int64_t uid_only; /* the only user, or group, that munged opens it for; -1: no such condition */
    int64_t gid_only;
};

struct mt_opened {
    struct mt_munged *items;
    size_t count;
};

/*
 * Reads `len` bytes of text, all of it or nothing: it is empty, or whole lines up to the last one,
 * which has the right count. No payload stands there twice. *bad_line is 0, or the number of the
 * first line that does not belong (the one after the last, where that is missing).
 *
 * MT_OK: the caller frees *out, which is empty where *bad_line is not 0
 * MT_NOMEM: *out is empty
 */
MT_CHECKED enum mt_status mt_opened_read(const char *text, size_t len, struct mt_opened *out,
                                         size_t *bad_line);

/* What was said of a payload, borrowed, or NULL. */
MT_CHECKED const struct mt_munged *mt_opened_find(const struct mt_opened *opened,
                                                  const char *payload, size_t len);

/* Frees what it owns and zeroes it; a zeroed one is fine. */
MT_NONNULL_ALL void mt_opened_free(struct mt_opened *opened);
