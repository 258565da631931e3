/* SPDX-License-Identifier: MIT */
#include "jobname.h"

#include "mt_limits.h"

#include <string.h>

static bool group_ok(const char *group, size_t len)
{
    if (len == 0 || len > MT_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)group[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

bool mt_jobname_split(const char *name, size_t len, struct mt_jobname *out)
{
    memset(out, 0, sizeof *out);
    const char *end = name + len;
    const char *first = memchr(name, '|', len);
    if (!first)
        return false;
    const char *group = first + 1;
    const char *second = memchr(group, '|', (size_t)(end - group));
    if (!second)
        return false;
    const char *payload = second + 1;
    if (payload == end || memchr(payload, '|', (size_t)(end - payload)))
        return false;
    if (!group_ok(group, (size_t)(second - group)))
        return false;
    *out = (struct mt_jobname){
        .label = name,
        .label_len = (size_t)(first - name),
        .group = group,
        .group_len = (size_t)(second - group),
        .payload = payload,
        .payload_len = (size_t)(end - payload),
    };
    return true;
}
