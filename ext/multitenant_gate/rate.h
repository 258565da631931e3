/* SPDX-License-Identifier: MIT */
/* How many requests a minute: a bucket that fills again as time goes by. */
#pragma once

#include "attr.h"

/* Zeroed, it is full. */
struct bucket {
    int64_t full_at; /* by the clock of clock.h */
};

/*
 * Takes one of `rate` requests a minute, all of which may come at once. Returns 0, or after how
 * many seconds there is one again. A rate of 0 has no limit.
 */
MT_CHECKED unsigned rate_take(struct bucket *bucket, uint32_t rate, int64_t now);
