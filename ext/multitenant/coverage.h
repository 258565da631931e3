/* SPDX-License-Identifier: MIT */
/*
 * What a round has seen: of which clusters and WCKeys, and whether all their running jobs or, where
 * PrivateData hides the others', the viewer's own. It decides what may be removed.
 */
#pragma once

#include "mt_limits.h"
#include "status.h"
#include "streams.h"

/* Both texts are owned; `wckeys` is comma-separated. */
struct mt_seen {
    char *cluster;
    char *wckeys;
    bool all;
    int64_t generated;
    json_t *undetermined; /* ids of jobs of which nothing else was told; NULL: none */
};

struct mt_coverage {
    struct mt_seen items[MT_STREAMS_MAX];
    size_t count;
};

/*
 * Adds a complete stream.
 *
 * MT_OK: *wckeys is its keys, borrowed
 * MT_NOMEM
 * MT_INTERNAL: over MT_STREAMS_MAX
 */
MT_CHECKED enum mt_status mt_coverage_add(struct mt_coverage *coverage,
                                          const struct mt_stream *stream, const char **wckeys);

/* Whether the cluster answered at all. */
MT_CHECKED bool mt_coverage_has(const struct mt_coverage *coverage, const char *cluster);

/*
 * Whether every running job of the cluster with one of these keys (comma-separated) was seen, and
 * this one is not undetermined: if it is not in the specs, it has ended.
 */
MT_CHECKED bool mt_coverage_tells(const struct mt_coverage *coverage, const char *cluster,
                                  const char *wckeys, uint32_t job_id);

/* Whether every running job of the cluster with one of these keys was seen and placed. */
MT_CHECKED bool mt_coverage_tells_all(const struct mt_coverage *coverage, const char *cluster,
                                      const char *wckeys);

/*
 * Whether the cluster's answer is older than another that was given at `time`. One that seems to be
 * older by more than MT_AGE_MAX seconds is not: a clock is wrong.
 */
MT_CHECKED bool mt_coverage_is_older(const struct mt_coverage *coverage, const char *cluster,
                                     int64_t time);

/* Frees what it owns and zeroes it. */
MT_NONNULL_ALL void mt_coverage_free(struct mt_coverage *coverage);
