/* SPDX-License-Identifier: MIT */
/* The clock that deadlines go by: CLOCK_MONOTONIC, in nanoseconds. */
#pragma once

#include "attr.h"

#include <time.h>

#define MT_SECOND INT64_C(1000000000)

static inline int64_t mt_now(void)
{
    struct timespec at = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * MT_SECOND + at.tv_nsec;
}

static inline struct timespec mt_timespec(int64_t at)
{
    return (struct timespec){.tv_sec = at / MT_SECOND, .tv_nsec = at % MT_SECOND};
}
