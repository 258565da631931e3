/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Slurm of the test's own: libslurm's questions to its daemons are answered here, as a test
 * wants, while its lists, hostlists and error texts are the real ones. Link with --wrap of
 * $(own_slurm_wraps), with job_ids, and with libslurm.
 */
#pragma once

#include "slurm_compat.h"

/* What libslurm can be asked for. */
enum question {
    READ_CONF,      /* its configuration: slurm_init */
    CONNECT,        /* slurmdbd */
    ASK_HIDDEN,     /* its PrivateData */
    ASK_CLUSTERS,   /* which it knows */
    ASK_OPERATOR,   /* a user's admin level */
    ASK_ROWS,       /* jobs */
    ASK_CONTROLLER, /* slurmctld: its slurm.conf */
    ASK_JOBS,       /* by one id, several, or their user */
    ASK_NODES,      /* one, or all */
    QUESTIONS
};

/* What comes of a question instead of an answer; that it is all zero: the answer. */
struct fault {
    unsigned after;  /* so many are answered */
    const char *log; /* what libslurm writes to its log first */
    int error;       /* an errno, or one of Slurm's: it fails */
    bool is_empty;   /* it succeeds, and nothing comes */
    bool ends;       /* libslurm ends the process, as its fatal() does */
    bool hangs;      /* until the deadline (ext/kit/deadline.c), which comes at once */
};

enum { OWN_JOBS_MAX = 400 };

/* What it knows, and how it is. Texts are the test's. */
struct own_slurm {
    struct fault faults[QUESTIONS];
    uid_t me; /* who asks */
    long api;
    slurm_conf_t here;       /* slurm.conf of this host */
    slurm_conf_t controller; /* and of slurmctld */
    bool no_accounting;      /* libslurm has no connection to offer */
    const char *hidden;      /* PrivateData of slurmdbd */
    const char *siblings[2]; /* clusters that slurmdbd knows; NULL is one without a name */
    bool no_siblings;        /* it has no list of them */
    uint16_t admin_level;    /* of who asks */
    bool is_unheard;         /* libslurm calls its own function to send a question (job_ids.h) */
    bool is_strange;         /* and its request is none that we know */
    slurmdb_job_rec_t rows[OWN_JOBS_MAX]; /* jobs as slurmdbd has them */
    size_t row_count;
    slurm_job_info_t jobs[OWN_JOBS_MAX]; /* and slurmctld */
    size_t job_count;
    node_info_t nodes[3];
};
extern struct own_slurm own_slurm;

/* As at the start of each test: cluster "hpc", in which nothing is hidden and nothing runs, as
 * user 2001 sees it at second 1000000. */
void own_slurm_reset(void);

/* One more job that both daemons know: a share of prof's (1001) with group class, on node n1, from
 * second 5000 + `id` on. */
void add_job(uint32_t id);

/* What libslurm was asked by this process and its children, in words with blanks between. */
const char *asked(void);

/* Was all of it freed that was handed out in this process? */
bool own_slurm_has_all_back(void);
