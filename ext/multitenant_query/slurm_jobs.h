/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running jobs of some WCKeys. */
#pragma once

#include "attr.h"
#include "jobname.h"
#include "mt_limits.h"
#include "slurm_cluster.h"

/* One running job. Texts are NUL-terminated, of any bytes, and belong to it. */
struct mt_job {
    uint32_t job_id; /* raw id: also of an array's task and of a het job's component */
    uint32_t uid;    /* slurmctld's word, as are all numbers and the name */
    uint32_t restarts;
    int64_t start;           /* seconds since the epoch */
    int64_t end;             /* the same; 0: no time limit */
    char *name;              /* "" for one over MT_QUERY_SHARES_PER_PUBLISHER */
    bool is_share;           /* the name is LABEL|GROUP|PAYLOAD */
    struct mt_jobname parts; /* of the name of a share */
    char *wckey;             /* the one of those asked for that it has */
    char *nodes;             /* expression of hostlists */
    char *user;              /* slurmdbd's word; NULL where the job has no association */
};

struct mt_jobs {
    struct mt_job *items; /* by start, then by job id */
    size_t count;
    bool hide_nothing; /* slurmctld knows each that slurmdbd named, of which there are some */
};

/*
 * Asks slurmdbd for the ids of the running jobs that have one of the `key_count` WCKeys, and
 * slurmctld for them, in one question where libslurm lets it be asked (job_ids.h). Left out are
 * jobs that do not run in slurmctld (suspended, completing, ended, unknown), that are another
 * user's there, or that have another spelling of a key; and, where they are asked for one by one,
 * the last tasks of a submitter's arrays after MT_ARRAY_TASKS_MAX. Other than 0, a sentence was
 * said. The caller frees *jobs in any case.
 *
 * 0: *jobs is all of them
 * 69 (EX_UNAVAILABLE): a daemon did not answer, *jobs is what is known
 * 71 (EX_OSERR): no memory
 */
MT_CHECKED int mt_jobs_ask(struct mt_jobs *jobs, const struct mt_slurm_cluster *cluster,
                           const char (*keys)[MT_QUERY_NAME_MAX + 1], size_t key_count);

/* Frees and zeroes; a zeroed one is fine. */
MT_NONNULL_ALL void mt_jobs_free(struct mt_jobs *jobs);
