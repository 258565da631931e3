/* SPDX-License-Identifier: MIT */
#include "lists.h"

#include <stdlib.h>
#include <string.h>

/* A decimal up to `max`, where *at is; *at is moved behind it. */
static bool take_number(const char **at, const char *end, uint64_t max, uint32_t *out)
{
    uint64_t number = 0;
    const char *begin = *at;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        number = number * 10 + (uint64_t)(**at - '0');
        if (number > max)
            return false;
    }
    *out = (uint32_t)number;
    return *at > begin;
}

static bool take(const char **at, const char *end, char c)
{
    return *at < end && *(*at)++ == c;
}

/* By uid, of which both kinds of items begin with one. */
static int by_uid(const void *a, const void *b)
{
    return MT_ORDER(*(const uid_t *)a, *(const uid_t *)b);
}

enum mt_status lists_read_banned(struct lists *lists, const char *text, size_t len)
{
    const char *end = text + len;
    lists->banned_count = 0;
    while (text < end) {
        if (lists->banned_count == MT_GATE_LISTED_MAX)
            return MT_TOO_LARGE;
        if (!take_number(&text, end, UINT32_MAX, &lists->banned[lists->banned_count++]) ||
            !take(&text, end, '\n'))
            return MT_MALFORMED;
    }
    qsort(lists->banned, lists->banned_count, sizeof *lists->banned, by_uid);
    return MT_OK;
}

enum mt_status lists_read_limits(struct lists *lists, const char *text, size_t len)
{
    const char *end = text + len;
    lists->limit_count = 0;
    lists->has_rate = false;
    while (text < end) {
        struct limit limit = {.uid = 0};
        bool all = *text == '*';
        if (all)
            text++;
        else if (!take_number(&text, end, UINT32_MAX, &limit.uid))
            return MT_MALFORMED;
        if (!take(&text, end, ' ') || !take_number(&text, end, MT_GATE_RATE_MAX, &limit.rate) ||
            !take(&text, end, '\n'))
            return MT_MALFORMED;
        if (all) {
            lists->has_rate = true;
            lists->rate = limit.rate;
        } else if (lists->limit_count == MT_GATE_LISTED_MAX) {
            return MT_TOO_LARGE;
        } else {
            lists->limits[lists->limit_count++] = limit;
        }
    }
    qsort(lists->limits, lists->limit_count, sizeof *lists->limits, by_uid);
    return MT_OK;
}

bool lists_bans(const struct lists *lists, uid_t uid)
{
    return bsearch(&uid, lists->banned, lists->banned_count, sizeof uid, by_uid) != NULL;
}

uint32_t lists_rate(const struct lists *lists, uid_t uid, uint32_t rate)
{
    const struct limit *own = bsearch(&uid, lists->limits, lists->limit_count, sizeof *own, by_uid);
    if (own)
        return own->rate;
    return lists->has_rate ? lists->rate : rate;
}
