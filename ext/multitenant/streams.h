/* SPDX-License-Identifier: MIT */
/*
 * Records: what Slurm and the name service say of the running jobs of some WCKeys, as text, one
 * JSON object a line. The same text comes from the query program, a snapshot or a test.
 *
 *   {"multitenant":1,"generated":EPOCH,"cluster":"NAME","wckeys":["multitenant"],"sees":"all"}
 *   {"cluster":"NAME","job_id":4711,"user":"prof","uid":1001,"name":"…","start":EPOCH,"end":0,
 *    "restarts":0,"group_gid":3000,"publisher_in_group":true,"wckey":"multitenant",
 *    "nodes":[{"name":"n1","host":"n1","addr":"10.0.0.1"}]}
 *   {"end":1}
 *
 * One stream per cluster; an input may hold several, one after the other. Keys that are not named
 * here are ignored. doc/formats.md has the whole format.
 */
#pragma once

#include "record.h"

/* All records of one cluster. Texts and arrays borrow from `header`. */
struct mt_stream {
    json_t *header;
    size_t line; /* the number of its first line */
    const char *cluster;
    const char *publishers;     /* the groups that publisher_allowed speaks of; NULL: none */
    const char *round;          /* of a snapshot; NULL: none */
    const json_t *groups;       /* of a snapshot, as it came; NULL: none */
    const json_t *undetermined; /* of a snapshot: ids of jobs that it does not place; NULL: none */
    const json_t *wckeys;       /* array of strings */
    int64_t generated;
    bool sees_all;               /* false: PrivateData hides jobs of others from who asked */
    enum mt_answer private_jobs; /* it hides them from ordinary users */
    bool complete;               /* its last line was there, with the right count */
    struct mt_record *records;
    size_t count;
};

struct mt_streams {
    struct mt_stream items[MT_STREAMS_MAX];
    size_t count;
};

/*
 * Reads `len` bytes of text and adds its streams to `streams` (zeroed before the first text).
 * Reading stops at the first line that does not belong: *bad_line is its number, or 0. The stream
 * that it stands in stays incomplete, the ones before it count. A second stream of one cluster
 * does not belong, nor does a second job of one id in a stream.
 *
 * MT_OK: *bad_line and each stream's `complete` tell what is whole
 * MT_TOO_LARGE: over MT_RECORDS_MAX
 * MT_NOMEM
 *
 * The caller frees *streams in any case. Thread-safe.
 */
MT_CHECKED enum mt_status mt_streams_read(struct mt_streams *streams, const char *text, size_t len,
                                          size_t *bad_line);

/* A record of a whole stream, and the text that it was read from. Both are borrowed. */
struct mt_known {
    const char *text;
    const struct mt_record *record;
};

/*
 * The same, where much of the text was read before: a job whose line is that of a known one is that
 * one, and is not parsed. Those are found which stand in the same order.
 */
MT_NODISCARD MT_NONNULL(1, 2, 4) enum mt_status
    mt_streams_read_again(struct mt_streams *streams, const char *text, size_t len,
                          size_t *bad_line, const struct mt_known *known, size_t n_known);

/*
 * Whether all streams of both are whole, and say the same of the same jobs, whenever that was:
 * those of the later one were known when it was read.
 */
MT_CHECKED bool mt_streams_same(const struct mt_streams *a, const struct mt_streams *b);

/*
 * Adds the streams of another text. *bad_line is that of the first of them that does not belong, as
 * mt_streams_read has it: it stays incomplete, and what follows it in its text is left out; else
 * 0.
 *
 * MT_OK
 * MT_NOMEM
 */
MT_CHECKED enum mt_status mt_streams_add(struct mt_streams *streams,
                                         const struct mt_streams *others, size_t *bad_line);

/* Frees what it owns and zeroes it; a zeroed one is fine. */
MT_NONNULL_ALL void mt_streams_free(struct mt_streams *streams);
