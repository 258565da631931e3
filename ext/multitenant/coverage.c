/* SPDX-License-Identifier: MIT */
#include "coverage.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *join(const json_t *wckeys)
{
    size_t i;
    json_t *key;
    size_t size = 1;
    json_array_foreach((json_t *)wckeys, i, key) size += json_string_length(key) + 1;
    char *out = calloc(1, size);
    size_t at = 0;
    json_array_foreach((json_t *)wckeys, i, key)
    {
        if (out)
            at +=
                (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "", json_string_value(key));
    }
    return out;
}

enum mt_status mt_coverage_add(struct mt_coverage *coverage, const struct mt_stream *stream,
                               const char **wckeys)
{
    if (coverage->count == MT_STREAMS_MAX)
        return MT_INTERNAL;
    struct mt_seen *seen = &coverage->items[coverage->count++];
    seen->all = stream->sees_all;
    seen->generated = stream->generated;
    seen->cluster = strdup(stream->cluster);
    seen->wckeys = join(stream->wckeys);
    seen->undetermined = json_incref((json_t *)stream->undetermined);
    *wckeys = seen->wckeys;
    return seen->cluster && seen->wckeys ? MT_OK : MT_NOMEM;
}

static const struct mt_seen *find(const struct mt_coverage *coverage, const char *cluster)
{
    for (size_t i = 0; i < coverage->count; i++) {
        if (strcmp(coverage->items[i].cluster, cluster) == 0)
            return &coverage->items[i];
    }
    return NULL;
}

bool mt_coverage_has(const struct mt_coverage *coverage, const char *cluster)
{
    return find(coverage, cluster) != NULL;
}

static bool is_undetermined(const struct mt_seen *seen, uint32_t job_id)
{
    size_t i;
    json_t *id;
    json_array_foreach(seen->undetermined, i, id)
    {
        if (json_integer_value(id) == job_id)
            return true;
    }
    return false;
}

static bool covers(const struct mt_seen *seen, const char *wckeys)
{
    while (*wckeys) {
        size_t n = strcspn(wckeys, ",");
        if (!mt_text_list_has(seen->wckeys, wckeys, n))
            return false;
        wckeys += n + (wckeys[n] == ',');
    }
    return true;
}

bool mt_coverage_tells(const struct mt_coverage *coverage, const char *cluster, const char *wckeys,
                       uint32_t job_id)
{
    const struct mt_seen *seen = find(coverage, cluster);
    return seen && seen->all && !is_undetermined(seen, job_id) && covers(seen, wckeys);
}

bool mt_coverage_tells_all(const struct mt_coverage *coverage, const char *cluster,
                           const char *wckeys)
{
    const struct mt_seen *seen = find(coverage, cluster);
    return seen && seen->all && json_array_size(seen->undetermined) == 0 && covers(seen, wckeys);
}

bool mt_coverage_is_older(const struct mt_coverage *coverage, const char *cluster, int64_t time)
{
    const struct mt_seen *seen = find(coverage, cluster);
    return seen && time > seen->generated && time - MT_AGE_MAX <= seen->generated;
}

void mt_coverage_free(struct mt_coverage *coverage)
{
    for (size_t i = 0; i < coverage->count; i++) {
        free(coverage->items[i].cluster);
        free(coverage->items[i].wckeys);
        json_decref(coverage->items[i].undetermined);
    }
    memset(coverage, 0, sizeof *coverage);
}
