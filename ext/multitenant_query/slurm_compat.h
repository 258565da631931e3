/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libslurm from 22.05 to 26.05 under one set of names. The only file that includes <slurm/…>.
 *
 * Everything here was read in slurm/slurm.h and slurm/slurmdb.h of the branches slurm-22.05 to
 * slurm-26.05; where a fact stands elsewhere in Slurm's source, the file is named.
 */
#pragma once

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <slurm/slurmdb.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define MT_SLURM_AT_LEAST(major, minor) (SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(major, minor, 0))

/*
 * API_CURRENT of the release whose headers are compiled against (META of each branch). It is the
 * number in the library's file name and the upper half of slurm_api_version(), which is
 * 0xCCAARR of current, age and revision (auxdir/slurm.m4). 0: a release after those known here.
 */
#if MT_SLURM_AT_LEAST(26, 6)
#    define MT_SLURM_API 0
#elif MT_SLURM_AT_LEAST(26, 5)
#    define MT_SLURM_API 45
#elif MT_SLURM_AT_LEAST(25, 11)
#    define MT_SLURM_API 44
#elif MT_SLURM_AT_LEAST(25, 5)
#    define MT_SLURM_API 43
#elif MT_SLURM_AT_LEAST(24, 11)
#    define MT_SLURM_API 42
#elif MT_SLURM_AT_LEAST(24, 5)
#    define MT_SLURM_API 41
#elif MT_SLURM_AT_LEAST(23, 11)
#    define MT_SLURM_API 40
#elif MT_SLURM_AT_LEAST(23, 2)
#    define MT_SLURM_API 39
#elif MT_SLURM_AT_LEAST(22, 5)
#    define MT_SLURM_API 38
#else
#    error "Slurm 22.05 or later is needed"
#endif

/*
 * Up to 23.11 both ends of a slurmdbd connection write the length and the body of a message apart
 * and leave Nagle's algorithm on, which costs a delayed acknowledgement (about 40 ms) each way.
 * 24.05.0 sets TCP_NODELAY (commits 1807bce846 and 29802a9b7b).
 */
#if !MT_SLURM_AT_LEAST(24, 5)
#    define MT_SLURM_DELAYS_ANSWERS 1
#endif

/* The iterator's typedef went with 24.05, that of the list with 24.11. */
#if MT_SLURM_AT_LEAST(24, 11)
typedef list_t *mt_slurm_list;
#else
typedef List mt_slurm_list;
#endif
#if MT_SLURM_AT_LEAST(24, 5)
typedef list_itr_t *mt_slurm_iter;
#else
typedef ListIterator mt_slurm_iter;
#endif

/* A pointer that has changed its names. */
typedef __typeof__(slurm_hostlist_create(NULL)) mt_slurm_hostlist;

/* slurm_load_ctl_conf's answer is freed by another function since 26.05. */
static inline void mt_slurm_conf_free(slurm_conf_t *conf)
{
#if MT_SLURM_AT_LEAST(26, 5)
    slurm_free_conf(conf);
#else
    slurm_free_ctl_conf(conf);
#endif
}

/* src/common/read_config.h, and exported by every branch: what slurm_init read of slurm.conf. */
slurm_conf_t *slurm_conf_lock(void);
void slurm_conf_unlock(void);

/*
 * Asks slurmctld for one job by its raw id. SHOW_LOCAL spares the question for the federation,
 * SHOW_ALL shows hidden partitions. 26.05 takes a step id; its slurm.h may also make
 * slurm_load_job a macro (SLURM_BACKWARD_COMPAT).
 */
static inline int mt_slurm_load_job(job_info_msg_t **answer, uint32_t job_id)
{
#if MT_SLURM_AT_LEAST(26, 5)
    slurm_step_id_t which = SLURM_STEP_ID_INITIALIZER;
    which.job_id = job_id;
    return (slurm_load_job)(answer, which, SHOW_LOCAL | SHOW_ALL);
#else
    return slurm_load_job(answer, job_id, SHOW_LOCAL | SHOW_ALL);
#endif
}

#if !MT_SLURM_AT_LEAST(26, 5)
/* config_key_pair_t: its name is in slurmdb.h, its body in src/common/read_config.h alone, the same
 * in every branch. */
struct mt_slurm_key_pair {
    char *name;
    char *value;
};
#endif

/*
 * Does slurmdbd show this user's jobs alone (PrivateData=jobs in slurmdbd.conf)? Sets *hides and
 * returns true, or false where slurmdbd does not answer.
 *
 * Since 26.05 slurmdbd no longer tells: slurmdbd_conf_t has no such member, and
 * slurmdb_config_get_keypairs prints the client's own slurm.conf (src/api/extra_get_functions.c).
 * There `assumed` is the answer.
 */
static inline bool mt_slurmdbd_hides_jobs(void *db, bool assumed, bool *hides)
{
    *hides = assumed;
#if MT_SLURM_AT_LEAST(26, 5)
    (void)db;
#else
    mt_slurm_list pairs = slurmdb_config_get(db);
    if (!pairs)
        return false;
    mt_slurm_iter iter = slurm_list_iterator_create(pairs);
    for (struct mt_slurm_key_pair *pair; (pair = slurm_list_next(iter));) {
        /* "none", or some of accounts,events,jobs,… (private_data_string, src/common) */
        if (pair->name && pair->value && strcasecmp(pair->name, "PrivateData") == 0)
            *hides = strstr(pair->value, "jobs") != NULL;
    }
    slurm_list_iterator_destroy(iter);
    slurm_list_destroy(pairs);
#endif
    return true;
}
