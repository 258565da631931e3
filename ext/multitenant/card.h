/* SPDX-License-Identifier: MIT */
/* What stands in the files of a card. No I/O. */
#pragma once

#include "specs.h"
#include "status.h"

#include <jansson.h>

/* The files of a card: two in its output directory, and the db file that makes OOD list it. */
#define MT_CARD_MARK ".multitenant"
#define MT_CARD_CONNECTION "connection.yml"

/* Where db files are, below the data root. */
#define MT_CARD_DB MT_BATCH_CONNECT "/db"

/* The texts of the three files; owned. */
struct mt_card {
    char *mark;       /* JSON: whose card this is */
    char *db;         /* JSON: OOD's session record, its nine keys (session.rb#attributes) */
    char *connection; /* JSON, and so YAML: every value a string */
};

/*
 * Makes the texts for a share that has a card id and an OOD cluster.
 *
 * MT_OK: the caller frees *out
 * MT_NOMEM: *out is zeroed
 */
MT_CHECKED enum mt_status mt_card_render(const struct mt_share *share, struct mt_card *out);

/*
 * The connection that forms and cards show: the publisher's keys, `jobid` and `mt_appname`. A new
 * object of strings that the caller releases; NULL: no memory.
 */
MT_CHECKED json_t *mt_card_connection(const struct mt_share *share);

/*
 * The directory, below the data root, in which the share's output directory is; a new text that the
 * caller frees. With a data root per cluster the share needs its OOD cluster. NULL: no memory.
 */
MT_CHECKED char *mt_card_outputs(const struct mt_share *share, const struct mt_settings *settings);

/* What a mark says. Texts borrow from `json`. */
struct mt_mark {
    json_t *json;
    const char *cluster;
    const char *wckeys;
    uint32_t job_id;
    uint32_t uid;
    const char *service; /* the key of the service whose card it is; NULL: of a job alone */
    int64_t time;        /* of the answer that the card was made by */
};

/*
 * Reads a mark. The caller releases out->json in any case.
 *
 * MT_OK
 * MT_MALFORMED: it is none
 * MT_NOMEM
 */
MT_CHECKED enum mt_status mt_mark_parse(const char *text, size_t len, struct mt_mark *out);

/* What a db file says that tells whose it is. Texts borrow from `json`. */
struct mt_db {
    json_t *json;
    const char *token;
    const char *job_id;
    bool completed; /* OOD has seen the job's end */
};

/* Reads a db file. Statuses and ownership as mt_mark_parse. */
MT_CHECKED enum mt_status mt_db_parse(const char *text, size_t len, struct mt_db *out);

/* Whether two db files say the same, whatever their white space and order. */
MT_CHECKED bool mt_db_same(const char *a, size_t a_len, const char *b, size_t b_len);

/* Frees what it owns and zeroes it. */
MT_NONNULL_ALL void mt_card_free(struct mt_card *card);
