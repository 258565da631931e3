/* SPDX-License-Identifier: MIT */
/* The cards that are below a data root: a walk over the output directories of apps. */
#pragma once

#include "card.h"
#include "settings.h"
#include "status.h"
#include "store.h"

/* Whose an output directory is. */
enum mt_owner {
    MT_OURS,    /* it has a mark */
    MT_LEGACY,  /* nothing but connection.yml: the old initializer's */
    MT_FOREIGN, /* the user's own */
};

/* What is to become of it. */
enum mt_plan { MT_STAYS, MT_GOES, MT_WANTED };

struct mt_found {
    char *dir;   /* of the outputs, below the data root */
    char *token; /* sys/NAME */
    char id[MT_UUID_SIZE];
    enum mt_owner owner;
    struct mt_mark mark; /* MT_OURS */
    bool has_db;         /* there is a db file of this id, and of this token or of none */
    char *db_job_id;     /* its job; NULL: it does not say */
    bool db_gone;        /* there is no db file of this id */
    bool db_completed;
    enum mt_plan plan;
    struct mt_share *share; /* MT_WANTED: whose card it is; borrowed */
};

struct mt_inventory {
    struct mt_found *items;
    size_t count;
    struct mt_names outputs; /* the directories of allowed tokens, below the data root */
};

/* Told of a path below the data root that can't be used. */
typedef void mt_trouble_fn(const char *path, enum mt_status status, void *arg);

/*
 * Finds all of them below the directory `root`; `db` is the directory of db files or -1. An empty
 * output directory counts as none. What can't be read is told and left out; `trouble`
 * NULL: it was told before. The caller frees *out.
 *
 * Of tokens that the site allows no more what has a mark is found, too, and nothing is told: of
 * those that come with the gem, or with `every` of all.
 *
 * MT_OK
 * MT_NOMEM
 */
MT_NODISCARD MT_NONNULL(3, 5) enum mt_status
    mt_inventory_take(int root, int db, const struct mt_settings *settings, bool every,
                      struct mt_inventory *out, mt_trouble_fn *trouble, void *arg);

/*
 * Reads the db file of that id in `db`; -1: there is none. The caller releases out->json.
 *
 * MT_OK
 * MT_MALFORMED: it is no db file
 * MT_NOMEM
 * what mt_store_read returns
 */
MT_CHECKED enum mt_status mt_inventory_read_db(int db, const char *id, struct mt_db *out,
                                               bool *found);

MT_NONNULL_ALL void mt_inventory_free(struct mt_inventory *inventory);
