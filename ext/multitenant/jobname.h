/* SPDX-License-Identifier: MIT */
/* The job name of a share: LABEL|GROUP|PAYLOAD. */
#pragma once

#include "attr.h"

/* The parts of a job name; each borrows from the name and is not NUL-terminated. */
struct mt_jobname {
    const char *label;
    size_t label_len;
    const char *group;
    size_t group_len;
    const char *payload;
    size_t payload_len;
};

/*
 * Splits a name of `len` bytes at its two `|`. LABEL may be empty and may hold any byte but `|`;
 * GROUP is 1 to MT_NAME_MAX bytes without control characters; PAYLOAD is not empty.
 *
 * Returns true and sets *out, or false (not a share's name; *out is zeroed). Does not look at the
 * name's length beyond that. Thread-safe.
 */
MT_CHECKED bool mt_jobname_split(const char *name, size_t len, struct mt_jobname *out);
