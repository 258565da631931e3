/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slurm_jobs.h"

#include "job_ids.h"
#include "mt_limits.h"
#include "say.h"
#include "slurm_compat.h"
#include "steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

/* A job that slurmdbd named. `user` borrows from slurmdbd's answer. */
struct wanted {
    uint32_t job_id;
    uint32_t uid;
    const char *user;
    const char *wckey; /* one of the keys asked for */
    bool is_array_id;  /* slurmctld answers to it with all tasks of the array */
    bool seen;         /* by slurmctld, running or not */
    bool taken;
};

struct wanteds {
    struct wanted *items; /* by uid, then by job id, none twice */
    size_t count;
};

/* ---- slurmdbd ---- */

/* A list of texts of its own, which libslurm frees with free(). */
static int list_add(mt_slurm_list list, const char *prefix, const char *text)
{
    size_t size = strlen(prefix) + strlen(text) + 1;
    char *copy = malloc(size);
    if (!copy)
        return EX_OSERR;
    (void)snprintf(copy, size, "%s%s", prefix, text);
    slurm_list_append(list, copy);
    return 0;
}

/*
 * wckey_list: a default key is stored as "*key"; asked_key says how they compare. cluster_list:
 * none means all clusters. db_flags: zero means jobs that no scheduler started. The times: without
 * them MaxQueryTimeRange counts from the epoch (_get_jobs_cond, src/slurmdbd/proc_req.c). NO_TRUNC:
 * else slurmdbd asks its database once more for each job, what of that time it was suspended.
 */
static int fill_condition(slurmdb_job_cond_t *cond, const char *cluster,
                          const char (*keys)[MT_QUERY_NAME_MAX + 1], size_t key_count)
{
    char state[16];
    (void)snprintf(state, sizeof state, "%d", JOB_RUNNING);
    cond->db_flags = SLURMDB_JOB_FLAG_NOTSET;
    cond->flags = JOBCOND_FLAG_NO_STEP | JOBCOND_FLAG_NO_TRUNC;
    cond->usage_start = time(NULL);
    cond->usage_end = cond->usage_start + MT_CLOCK_SLACK;
    if (list_add(cond->cluster_list, "", cluster) || list_add(cond->state_list, "", state))
        return mt_say_no_memory();
    for (size_t i = 0; i < key_count; i++) {
        if (list_add(cond->wckey_list, "", keys[i]) || list_add(cond->wckey_list, "*", keys[i]))
            return mt_say_no_memory();
    }
    return 0;
}

/* On 0 *rows is a list that the caller destroys. */
static int ask_slurmdbd(mt_slurm_list *rows, const struct mt_slurm_cluster *cluster,
                        const char (*keys)[MT_QUERY_NAME_MAX + 1], size_t key_count)
{
    slurmdb_job_cond_t cond = {
        .cluster_list = slurm_list_create(free),
        .state_list = slurm_list_create(free),
        .wckey_list = slurm_list_create(free),
    };
    step_begin(&step_slurmdbd);
    int status = fill_condition(&cond, cluster->name, keys, key_count);
    if (status == 0) {
        errno = 0;
        *rows = slurmdb_jobs_get(cluster->db, &cond);
        if (!*rows)
            status = step_failed("slurmdbd", errno);
    }
    slurm_list_destroy(cond.cluster_list);
    slurm_list_destroy(cond.state_list);
    slurm_list_destroy(cond.wckey_list);
    return status;
}

static int by_uid(const void *left, const void *right)
{
    const struct wanted *a = left;
    const struct wanted *b = right;
    int order = MT_ORDER(a->uid, b->uid);
    return order ? order : MT_ORDER(a->job_id, b->job_id);
}

static void drop_doubles(struct wanteds *wanteds)
{
    size_t kept = 0;
    for (size_t i = 0; i < wanteds->count; i++) {
        if (kept == 0 || by_uid(&wanteds->items[kept - 1], &wanteds->items[i]) != 0)
            wanteds->items[kept++] = wanteds->items[i];
    }
    wanteds->count = kept;
}

/*
 * The one of `keys` that a job has, NULL: none. MariaDB compares with a collation, for which case,
 * accents and blanks at the end are nothing; to the readers of records another spelling is another
 * key.
 */
static const char *asked_key(const char *wckey, const char (*keys)[MT_QUERY_NAME_MAX + 1],
                             size_t key_count)
{
    if (!wckey)
        return NULL;
    if (*wckey == '*')
        wckey++;
    for (size_t i = 0; i < key_count; i++) {
        if (strcmp(keys[i], wckey) == 0)
            return keys[i];
    }
    return NULL;
}

static int read_rows(struct wanteds *wanteds, mt_slurm_list rows,
                     const char (*keys)[MT_QUERY_NAME_MAX + 1], size_t key_count)
{
    int count = slurm_list_count(rows);
    if (count <= 0)
        return 0;
    wanteds->items = calloc((size_t)count, sizeof *wanteds->items);
    if (!wanteds->items)
        return mt_say_no_memory();
    mt_slurm_iter iter = slurm_list_iterator_create(rows);
    for (slurmdb_job_rec_t *row; (row = slurm_list_next(iter));) {
        const char *wckey = asked_key(row->wckey, keys, key_count);
        if (!wckey)
            continue;
        wanteds->items[wanteds->count++] = (struct wanted){
            .job_id = row->jobid,
            .uid = row->uid,
            .user = row->user,
            .wckey = wckey,
            .is_array_id = row->array_job_id == row->jobid,
        };
    }
    slurm_list_iterator_destroy(iter);
    qsort(wanteds->items, wanteds->count, sizeof *wanteds->items, by_uid);
    drop_doubles(wanteds);
    return 0;
}

/* ---- slurmctld ---- */

/* RUNNING, and its nodes are up and its processes not stopped. */
static bool is_running(const slurm_job_info_t *info)
{
    const uint32_t not_yet_or_no_more =
        JOB_COMPLETING | JOB_CONFIGURING | JOB_POWER_UP_NODE | JOB_STOPPED;
    return (info->job_state & JOB_STATE_BASE) == JOB_RUNNING &&
           (info->job_state & not_yet_or_no_more) == 0;
}

static void job_free(struct mt_job *job)
{
    free(job->name);
    free(job->wckey);
    free(job->nodes);
    free(job->user);
    *job = (struct mt_job){0};
}

/* *jobs has room for each that is wanted, once. */
static int job_add(struct mt_jobs *jobs, const slurm_job_info_t *info, struct wanted *wanted)
{
    struct mt_job job = {
        .job_id = info->job_id,
        .uid = info->user_id,
        .restarts = info->restart_cnt,
        .start = (int64_t)info->start_time,
        .end = info->time_limit == INFINITE ? 0 : (int64_t)info->end_time,
        .name = strdup(info->name ? info->name : ""),
        .wckey = strdup(wanted->wckey),
        .nodes = strdup(info->nodes ? info->nodes : ""),
        .user = wanted->user && *wanted->user ? strdup(wanted->user) : NULL,
    };
    if (!job.name || !job.wckey || !job.nodes || (wanted->user && *wanted->user && !job.user)) {
        job_free(&job);
        return mt_say_no_memory();
    }
    job.is_share = mt_jobname_split(job.name, strlen(job.name), &job.parts);
    wanted->taken = true;
    jobs->items[jobs->count++] = job;
    return 0;
}

/*
 * Takes from an answer the jobs that are wanted. The answer to the id of an array or het job holds
 * its other members too, and that for a submitter all of their jobs. A job of another's has an id
 * that slurmctld gave out again.
 */
static int take(struct mt_jobs *jobs, const job_info_msg_t *answer, struct wanted *wanted,
                size_t count)
{
    for (uint32_t i = 0; i < answer->record_count; i++) {
        const slurm_job_info_t *info = &answer->job_array[i];
        struct wanted key = {.job_id = info->job_id, .uid = info->user_id};
        struct wanted *found = bsearch(&key, wanted, count, sizeof key, by_uid);
        if (!found)
            continue;
        found->seen = true;
        if (found->taken || !is_running(info))
            continue;
        int status = job_add(jobs, info, found);
        if (status)
            return status;
    }
    return 0;
}

enum { HELD_BACK = -1 }; /* the question was not sent */

/* Takes the answer of an RPC and frees it. That a job has gone meanwhile is not a failure. */
static int settle(struct mt_jobs *jobs, int rc, job_info_msg_t *answer, struct wanted *wanted,
                  size_t count)
{
    int error = errno;
    int status = 0;
    if (rc == SLURM_SUCCESS && answer)
        status = take(jobs, answer, wanted, count);
    else if (error == MT_HELD_BACK)
        status = HELD_BACK;
    else if (error != ESLURM_INVALID_JOB_ID)
        status = step_failed("slurmctld", error);
    if (answer)
        slurm_free_job_info_msg(answer);
    return status;
}

/* All that are wanted of one submitter, of whom `each_max` are asked for one by one. */
static int ask_for_submitter(struct mt_jobs *jobs, struct wanted *wanted, size_t count,
                             size_t each_max)
{
    int status = 0;
    if (count > each_max) {
        job_info_msg_t *answer = NULL;
        int rc = slurm_load_job_user(&answer, wanted->uid, SHOW_LOCAL | SHOW_ALL);
        return settle(jobs, rc, answer, wanted, count);
    }
    size_t tasks = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        if (wanted[i].taken || (wanted[i].is_array_id && tasks > MT_ARRAY_TASKS_MAX))
            continue;
        job_info_msg_t *answer = NULL;
        int rc = mt_slurm_load_job(&answer, wanted[i].job_id);
        if (rc == SLURM_SUCCESS && answer && wanted[i].is_array_id)
            tasks += answer->record_count;
        status = settle(jobs, rc, answer, wanted, count);
    }
    return status;
}

static int ask_for_each(struct mt_jobs *jobs, struct wanteds *wanteds, bool is_limited)
{
    size_t each_max = is_limited ? MT_ASK_EACH_LIMITED_MAX : MT_ASK_EACH_MAX;
    int status = 0;
    for (size_t from = 0, to; from < wanteds->count && status == 0; from = to) {
        for (to = from; to < wanteds->count && wanteds->items[to].uid == wanteds->items[from].uid;)
            to++;
        status = ask_for_submitter(jobs, &wanteds->items[from], to - from, each_max);
    }
    return status;
}

static int ask_at_once(struct mt_jobs *jobs, struct wanteds *wanteds)
{
    uint32_t *ids = calloc(wanteds->count, sizeof *ids);
    if (!ids)
        return mt_say_no_memory();
    for (size_t i = 0; i < wanteds->count; i++)
        ids[i] = wanteds->items[i].job_id;
    job_info_msg_t *answer = NULL;
    int rc = mt_job_ids_load(&answer, ids, wanteds->count);
    free(ids);
    return settle(jobs, rc, answer, wanteds->items, wanteds->count);
}

static int ask_slurmctld(struct mt_jobs *jobs, struct wanteds *wanteds, bool is_limited)
{
    if (wanteds->count == 0)
        return 0;
    step_begin(&step_slurmctld);
    jobs->items = calloc(wanteds->count, sizeof *jobs->items);
    if (!jobs->items)
        return mt_say_no_memory();
    mt_job_ids_hold_back();
    int status = ask_for_each(jobs, wanteds, is_limited);
    if (status == HELD_BACK)
        status = ask_at_once(jobs, wanteds);
    return status == HELD_BACK ? ask_for_each(jobs, wanteds, is_limited) : status;
}

static bool are_seen(const struct wanteds *wanteds)
{
    for (size_t i = 0; i < wanteds->count; i++) {
        if (!wanteds->items[i].seen)
            return false;
    }
    return wanteds->count > 0;
}

/* ---- both ---- */

static int by_start(const void *left, const void *right)
{
    const struct mt_job *a = left;
    const struct mt_job *b = right;
    int order = MT_ORDER(a->start, b->start);
    return order ? order : MT_ORDER(a->job_id, b->job_id);
}

static int by_publisher(const void *left, const void *right)
{
    const struct mt_job *a = left;
    const struct mt_job *b = right;
    int order = MT_ORDER(a->uid, b->uid);
    return order ? order : by_start(left, right);
}

/* `jobs` are by publisher. To readers a job without a name shares nothing. Other names than those
 * of shares have as many places of their own. */
static void drop_surplus_names(struct mt_jobs *jobs)
{
    size_t names[] = {[false] = 0, [true] = 0};
    for (size_t i = 0; i < jobs->count; i++) {
        struct mt_job *job = &jobs->items[i];
        if (i > 0 && job[-1].uid != job->uid)
            names[false] = names[true] = 0;
        if (++names[job->is_share] > MT_QUERY_SHARES_PER_PUBLISHER) {
            *job->name = '\0';
            job->is_share = false;
        }
    }
}

int mt_jobs_ask(struct mt_jobs *jobs, const struct mt_slurm_cluster *cluster,
                const char (*keys)[MT_QUERY_NAME_MAX + 1], size_t key_count)
{
    mt_slurm_list rows = NULL;
    struct wanteds wanteds = {0};

    *jobs = (struct mt_jobs){0};
    int status = ask_slurmdbd(&rows, cluster, keys, key_count);
    if (status == 0)
        status = read_rows(&wanteds, rows, keys, key_count);
    if (status == 0)
        status = ask_slurmctld(jobs, &wanteds, cluster->is_limited);
    jobs->hide_nothing = are_seen(&wanteds);
    if (jobs->count > 0) {
        qsort(jobs->items, jobs->count, sizeof *jobs->items, by_publisher);
        drop_surplus_names(jobs);
        qsort(jobs->items, jobs->count, sizeof *jobs->items, by_start);
    }
    free(wanteds.items);
    if (rows)
        slurm_list_destroy(rows);
    return status;
}

void mt_jobs_free(struct mt_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++)
        job_free(&jobs->items[i]);
    free(jobs->items);
    *jobs = (struct mt_jobs){0};
}
