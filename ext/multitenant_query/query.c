/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multitenant-query: what Slurm and the name service say of the running jobs of some WCKeys.
 *
 * A program of its own, because libslurm may block for a minute or end the process. One question
 * after the other: slurmctld (which cluster, what is hidden), slurmdbd (which jobs), slurmctld
 * (their names), the name service (groups and members). Then all is written at once.
 */
#include "deadline.h"
#include "errlog.h"
#include "jobname.h"
#include "members.h"
#include "options.h"
#include "records.h"
#include "slurm_cluster.h"
#include "slurm_jobs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#ifndef MT_VERSION
#    define MT_VERSION "unknown"
#endif

static int no_memory(void)
{
    mt_errlog_say("out of memory");
    return EX_OSERR;
}

/* Asks the name service about all jobs; *members is the caller's to free. */
static int ask_members(struct mt_members **members, const struct mt_jobs *jobs,
                       const char *publishers, bool *finished)
{
    struct timespec until;

    *members = mt_members_new(jobs->count, publishers);
    if (!*members)
        return no_memory();
    for (size_t i = 0; i < jobs->count; i++) {
        const struct mt_job *job = &jobs->items[i];
        struct mt_jobname name; /* all NULL where it is not a share's */
        bool share = mt_jobname_split(job->name, strlen(job->name), &name);
        if (!mt_members_ask(*members, job->uid, share ? name.group : NULL, name.group_len,
                            job->user == NULL))
            return no_memory();
    }
    mt_deadline_step(MT_STEP_NAMES);
    mt_deadline_soft(&until);
    *finished = mt_members_run(*members, &until);
    return 0;
}

static int write_records(const struct mt_cluster *cluster, const struct mt_options *options,
                         int64_t generated, const struct mt_jobs *jobs, struct mt_members *members,
                         bool complete)
{
    mt_deadline_step(MT_STEP_OUTPUT);
    int status = mt_records_head(stdout, cluster, options, generated);
    for (size_t i = 0; i < jobs->count && status == 0; i++) {
        struct mt_member_answer answer;
        mt_members_answer(members, i, &answer);
        status = mt_records_job(stdout, cluster->name, &jobs->items[i], &answer,
                                options->publishers != NULL);
    }
    if (status)
        return status;
    return complete ? mt_records_end(stdout, jobs->count) : mt_records_cut(stdout);
}

/* What is known is written, also when a daemon stopped to answer half-way. */
static int run(const struct mt_options *options)
{
    struct mt_cluster cluster = {0};
    struct mt_jobs jobs = {0};
    struct mt_members *members = NULL;
    bool finished = false;
    int64_t generated = (int64_t)time(NULL);

    int status = mt_cluster_open(&cluster, options->cluster);
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
    mt_cluster_close(&cluster);
    return status;
}

/* Else a socket of libslurm's could become the descriptor that its log or our records go to. */
static void fill_standard_descriptors(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    struct mt_options options;
    char slurm[32];

    fill_standard_descriptors();
    switch (mt_options_read(&options, argc, argv)) {
    case MT_OPTIONS_HELP:
        return fputs(mt_options_help, stdout) < 0 ? EX_IOERR : 0;
    case MT_OPTIONS_VERSION:
        return printf("multitenant-query %s (Slurm %s)\n", MT_VERSION,
                      mt_cluster_slurm_version(slurm)) < 0
                   ? EX_IOERR
                   : 0;
    case MT_OPTIONS_BAD:
        return EX_USAGE;
    case MT_OPTIONS_RUN:
        break;
    }
    mt_errlog_open();
    int status = mt_deadline_start(options.timeout, options.timeout_text);
    return status ? status : run(&options);
}
