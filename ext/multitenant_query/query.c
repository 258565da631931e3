/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multitenant-query: what Slurm and the name service say of the running jobs of some WCKeys.
 *
 * A program of its own, because libslurm may block for a minute or end the process. One question
 * after the other: slurmctld (which cluster, what is hidden), slurmdbd (which jobs), slurmctld
 * (their names), the name service (groups and members). Then all is written at once.
 */
#include "errlog.h"
#include "jobname.h"
#include "lines.h"
#include "members.h"
#include "options.h"
#include "records.h"
#include "say.h"
#include "slurm_cluster.h"
#include "slurm_jobs.h"
#include "steps.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* Asks the name service about all jobs; *members is the caller's to free. */
static int ask_members(struct mt_members **members, const struct mt_jobs *jobs,
                       const char *publishers, bool *finished)
{
    struct timespec until;

    *members = mt_members_new(jobs->count, publishers);
    if (!*members)
        return mt_say_no_memory();
    for (size_t i = 0; i < jobs->count; i++) {
        const struct mt_job *job = &jobs->items[i];
        struct mt_jobname name; /* all NULL where it is not a share's */
        bool share = mt_jobname_split(job->name, strlen(job->name), &name);
        if (!mt_members_ask(*members, job->uid, share ? name.group : NULL, name.group_len,
                            job->user == NULL))
            return mt_say_no_memory();
    }
    step_begin(&mt_directory_step);
    mt_deadline_soft(&until);
    *finished = mt_members_run(*members, &until);
    return 0;
}

static int write_records(const struct mt_slurm_cluster *cluster,
                         const struct query_options *options, int64_t generated,
                         const struct mt_jobs *jobs, struct mt_members *members, bool complete)
{
    step_begin(&mt_step_output);
    int status = mt_records_head(cluster, options, generated);
    for (size_t i = 0; i < jobs->count && status == 0; i++) {
        struct mt_member_answer answer;
        mt_members_answer(members, i, &answer);
        status =
            mt_records_job(cluster->name, &jobs->items[i], &answer, options->publishers != NULL);
    }
    if (status)
        return status;
    return complete ? mt_lines_end(jobs->count) : mt_lines_flush();
}

/* What is known is written, also when a daemon stopped to answer half-way. */
static int run(const struct query_options *options)
{
    struct mt_slurm_cluster cluster = {0};
    struct mt_jobs jobs = {0};
    struct mt_members *members = NULL;
    bool finished = false;
    int64_t generated = (int64_t)time(NULL);

    int status = mt_slurm_cluster_open(&cluster, options->cluster);
    if (status)
        goto out;
    status = mt_jobs_ask(&jobs, &cluster, options->keys, options->key_count);
    if (status && status != EX_UNAVAILABLE)
        goto out;
    int failed = ask_members(&members, &jobs, options->publishers, &finished);
    if (!failed)
        failed = write_records(&cluster, options, generated, &jobs, members, status == 0);
    if (failed)
        status = failed;
out:
    mt_deadline_end(status);
    if (members && !finished)
        _exit(status); /* the worker hangs in the name service, and so would exit() */
    mt_members_free(members);
    mt_jobs_free(&jobs);
    mt_slurm_cluster_close(&cluster);
    return status;
}

int main(int argc, char **argv)
{
    struct query_options options;
    int status;

    if (!options_read(&options, argc, argv, &status))
        return status;
    mt_errlog_open();
    status = steps_watch_exit();
    return status ? status : run(&options);
}
