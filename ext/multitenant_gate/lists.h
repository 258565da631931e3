/* SPDX-License-Identifier: MIT */
/* What the publisher decided on tenants: the files `banned` and `limits` of the state. */
#pragma once

#include "mt_limits.h"
#include "status.h"

#include <sys/types.h>

struct limit {
    uid_t uid;
    uint32_t rate; /* requests a minute; 0: any number */
};

/* In rising order of uids. */
struct lists {
    size_t banned_count;
    size_t limit_count;
    bool has_rate; /* for all others: `rate` */
    uint32_t rate;
    uid_t banned[MT_GATE_LISTED_MAX];
    struct limit limits[MT_GATE_LISTED_MAX];
};

/* Reads the bytes of a file into its part of `lists`. MT_OK; MT_MALFORMED, MT_TOO_LARGE. */
MT_CHECKED enum mt_status lists_read_banned(struct lists *lists, const char *text, size_t len);
MT_CHECKED enum mt_status lists_read_limits(struct lists *lists, const char *text, size_t len);

MT_CHECKED bool lists_bans(const struct lists *lists, uid_t uid);

/* The limit of a user, where `rate` is that of the service. */
MT_CHECKED uint32_t lists_rate(const struct lists *lists, uid_t uid, uint32_t rate);
