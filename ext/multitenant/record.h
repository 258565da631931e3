/* SPDX-License-Identifier: MIT */
/* One job of the records that streams.h reads. */
#pragma once

#include "answer.h"
#include "jobname.h"
#include "mt_limits.h"
#include "status.h"

#include <jansson.h>

/*
 * One job. Texts are NUL-terminated UTF-8 and borrow from `json`; the name's bytes and parts borrow
 * from `name_json`, any of them may be zero, and need not be UTF-8 when `binary`.
 */
struct mt_record {
    json_t *json;
    json_t *name_json;
    size_t line_at; /* where its line stands in the text that it was read from */
    size_t line_len;
    const char *cluster;
    const char *user;  /* empty: could not be learned */
    const char *wckey; /* NULL where the record has none: any of the stream's */
    const char *name;
    size_t name_len;
    bool binary;
    bool is_share;           /* the name is LABEL|GROUP|PAYLOAD */
    struct mt_jobname parts; /* zeroed unless it is a share's */
    uint32_t job_id;         /* raw id */
    uint32_t uid;
    uint32_t restarts;
    int64_t start;              /* seconds since the epoch */
    int64_t end;                /* the same; 0: no time limit */
    enum mt_answer group_known; /* MT_YES: group_gid is set; MT_NO: no such group */
    uint32_t group_gid;
    enum mt_answer publisher_in_group;
    enum mt_answer publisher_allowed; /* MT_UNKNOWN also where the record does not say */
    const json_t *nodes;              /* objects with texts name, host, addr; NULL: not known */
    bool out_of_time;                 /* what is unknown was cut off by the deadline */
};

/*
 * Reads a job of this cluster, and takes a reference of its own to `json`; `out` has its line
 * alone. The caller frees it in any case.
 *
 * MT_OK, MT_MALFORMED, MT_NOMEM
 */
MT_CHECKED enum mt_status mt_record_parse(json_t *json, const char *cluster, struct mt_record *out);

/* Another owner of the same record; both are freed. */
MT_CHECKED struct mt_record mt_record_copy(const struct mt_record *record);

/* Frees what it owns and zeroes it; a zeroed one is fine. */
MT_NONNULL_ALL void mt_record_free(struct mt_record *record);
