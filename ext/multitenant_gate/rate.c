/* SPDX-License-Identifier: MIT */
#include "rate.h"

#include "clock.h"

#include <sys/param.h> /* MAX */

#define MINUTE (60 * MT_SECOND)

unsigned rate_take(struct bucket *bucket, uint32_t rate, int64_t now)
{
    if (rate == 0)
        return 0;
    const int64_t full_at = MAX(bucket->full_at, now) + MINUTE / rate;
    if (full_at - now <= MINUTE) {
        bucket->full_at = full_at;
        return 0;
    }
    return (unsigned)((full_at - now - MINUTE + MT_SECOND - 1) / MT_SECOND);
}
