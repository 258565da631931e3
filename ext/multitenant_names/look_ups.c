/* SPDX-License-Identifier: MIT */
#include "look_ups.h"

#include "clock.h"
#include "mt_limits.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN and MAX */

struct worker {
    struct mt_look_ups *all;
    pthread_t thread;
    /* under `lock` */
    bool running;
    const struct mt_look_up *in; /* NULL: in none */
    int64_t since;               /* when it went into that, or began */
};

struct mt_look_ups {
    struct mt_look_up *items; /* none twice */
    size_t count;
    void *known;               /* tsearch's tree of them */
    struct mt_look_up **queue; /* all of them, in turn */
    size_t queued;

    struct worker workers[MT_NSS_WORKERS_MAX];
    size_t worker_count; /* threads that were started */
    size_t worker_most;

    pthread_mutex_t lock;
    pthread_cond_t ended; /* a worker did */
    size_t next;          /* under `lock`: all before this one in the queue are taken */
};

static bool is_kept_by(const struct mt_look_ups *all, uid_t uid)
{
    for (size_t i = 0; i < MT_NSS_WORKERS_MAX; i++) {
        if (all->workers[i].in && all->workers[i].in->uid == uid)
            return true;
    }
    return false;
}

/* The first that waits. Those of a publisher who keeps a worker busy already come last. */
static struct mt_look_up *first_waiting(struct mt_look_ups *all)
{
    while (all->next < all->queued && all->queue[all->next]->taken)
        all->next++;
    for (size_t i = all->next; i < all->queued; i++) {
        if (!all->queue[i]->taken && !is_kept_by(all, all->queue[i]->uid))
            return all->queue[i];
    }
    return all->next < all->queued ? all->queue[all->next] : NULL;
}

/* Ends the worker's look-up and begins the next one that waits; NULL: none does. */
static struct mt_look_up *take(struct worker *worker)
{
    worker->in = NULL;
    struct mt_look_up *taken = first_waiting(worker->all);
    if (!taken)
        return NULL;
    taken->taken = true;
    worker->in = taken;
    worker->since = mt_now();
    return taken;
}

/* A group of tens of thousands of members, and there may be many, goes once nobody waits for it. */
static void tell(struct mt_pair *pair)
{
    const struct mt_user *user = &pair->user->user;
    struct mt_look_up *group = pair->group;
    if (pair->user->found == MT_YES && group->found == MT_YES) {
        pair->in_group = mt_user_in_group(user, &group->entry) ? MT_YES : MT_NO;
        if (pair->with_others)
            pair->others = mt_group_others(&group->entry, user->name);
    }
    if (--group->waiting == 0)
        mt_group_free(&group->entry);
}

static void tell_pairs(const struct mt_look_up *look_up)
{
    struct mt_pair *next;
    for (struct mt_pair *pair = look_up->pairs; pair; pair = next) {
        next = look_up->group ? pair->next_of_group : pair->next_of_user;
        if (pair->user->done && pair->group->done)
            tell(pair);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct mt_look_ups *all = worker->all;
    pthread_mutex_lock(&all->lock);
    for (struct mt_look_up *taken; (taken = take(worker));) {
        struct mt_user user = {0};
        struct mt_group entry = {0};
        pthread_mutex_unlock(&all->lock);
        enum mt_answer found;
        if (taken->group)
            found = mt_group_find(&entry, taken->group);
        else
            found = mt_user_find(&user, taken->uid);
        pthread_mutex_lock(&all->lock);
        taken->found = found;
        taken->user = user;
        taken->gid = entry.entry.gr_gid;
        taken->entry = entry;
        taken->done = true;
        tell_pairs(taken);
    }
    worker->running = false;
    pthread_cond_signal(&all->ended);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

static int make_locks(struct mt_look_ups *all)
{
    pthread_condattr_t attr;
    int error = pthread_condattr_init(&attr);
    if (error)
        return error;
    error = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(&all->ended, &attr);
    pthread_condattr_destroy(&attr);
    if (error)
        return error;
    error = pthread_mutex_init(&all->lock, NULL);
    if (error)
        pthread_cond_destroy(&all->ended);
    return error;
}

static int by_what(const void *left, const void *right)
{
    const struct mt_look_up *a = left;
    const struct mt_look_up *b = right;
    if (a->group && b->group)
        return strcmp(a->group, b->group);
    if (a->group || b->group)
        return a->group ? 1 : -1;
    return MT_ORDER(a->uid, b->uid);
}

struct mt_look_up *mt_look_ups_of(struct mt_look_ups *all, uid_t uid, const char *group)
{
    struct mt_look_up *fresh = &all->items[all->count];
    *fresh = (struct mt_look_up){.uid = uid, .group = group, .found = MT_UNKNOWN};
    struct mt_look_up **known = tsearch(fresh, &all->known, by_what);
    if (!known)
        return NULL;
    if (*known == fresh)
        all->count++;
    return *known;
}

void mt_look_ups_pair(struct mt_pair *pair)
{
    pair->in_group = MT_UNKNOWN;
    pair->others = -1;
    pair->next_of_user = pair->user->pairs;
    pair->next_of_group = pair->group->pairs;
    pair->user->pairs = pair;
    pair->group->pairs = pair;
    pair->group->waiting++;
}

struct mt_look_ups *mt_look_ups_new(size_t most)
{
    struct mt_look_ups *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    if (make_locks(all) != 0) {
        free(all);
        return NULL;
    }
    all->worker_most = MT_NSS_WORKERS_MAX;
    all->items = calloc(most + 1, sizeof *all->items); /* and a spare one */
    all->queue = calloc(most + 1, sizeof(struct mt_look_up *));
    if (all->items && all->queue)
        return all;
    mt_look_ups_free(all);
    return NULL;
}

void mt_look_ups_queue(struct mt_look_ups *all, struct mt_look_up *look_up, uid_t uid)
{
    if (!look_up || look_up->queued)
        return;
    look_up->uid = uid;
    look_up->queued = true;
    all->queue[all->queued++] = look_up;
}

static void start_worker(struct mt_look_ups *all)
{
    struct worker *worker = &all->workers[all->worker_count];
    worker->all = all;
    worker->running = true;
    worker->since = mt_now();
    if (pthread_create(&worker->thread, NULL, work, worker) == 0) {
        all->worker_count++;
        return;
    }
    worker->running = false;
    all->worker_most = all->worker_count;
}

/* When the last of the workers that run went into its look-up; 0: none runs. */
static int64_t last_progress(const struct mt_look_ups *all)
{
    int64_t last = 0;
    for (size_t i = 0; i < MT_NSS_WORKERS_MAX; i++) {
        if (all->workers[i].running && all->workers[i].since > last)
            last = all->workers[i].since;
    }
    return last;
}

static void wait_until(struct mt_look_ups *all, int64_t at)
{
    struct timespec when = mt_timespec(at);
    pthread_cond_timedwait(&all->ended, &all->lock, &when);
}

/*
 * When all workers are late one more is started, and where that is of no use all are given up.
 * Who gives more time on the command line gives the slow ones more of it.
 */
bool mt_look_ups_run(struct mt_look_ups *all, int64_t end)
{
    const int64_t left = end - mt_now();
    const int64_t another = MIN(left / 4, MT_NSS_ANOTHER_MS * MT_SECOND / 1000);
    const int64_t give_up = MAX(left / 3, MT_NSS_GIVE_UP_MS * MT_SECOND / 1000);

    start_worker(all);
    if (all->worker_count == 0)
        work(&all->workers[0]); /* no thread to be had: the hard deadline alone holds */

    int64_t last;
    pthread_mutex_lock(&all->lock);
    while ((last = last_progress(all)) != 0) {
        bool more = all->worker_count < all->worker_most && first_waiting(all);
        int64_t at = MIN(last + (more ? another : give_up), end);
        if (mt_now() < at)
            wait_until(all, at);
        else if (more && at < end)
            start_worker(all);
        else
            break;
    }
    pthread_mutex_unlock(&all->lock);
    return last == 0;
}

/* Are the workers done for good, or were they never there? */
static bool is_idle(struct mt_look_ups *all)
{
    pthread_mutex_lock(&all->lock);
    bool idle = last_progress(all) == 0;
    pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; idle && i < all->worker_count; i++)
        idle = pthread_join(all->workers[i].thread, NULL) == 0;
    return idle;
}

static void keep(void *look_up)
{
    (void)look_up; /* the tree borrows it */
}

void mt_look_ups_lock(struct mt_look_ups *all)
{
    pthread_mutex_lock(&all->lock);
}

void mt_look_ups_unlock(struct mt_look_ups *all)
{
    pthread_mutex_unlock(&all->lock);
}

bool mt_look_ups_free(struct mt_look_ups *all)
{
    if (!all)
        return true;
    if (!is_idle(all))
        return false;
    tdestroy(all->known, keep);
    for (size_t i = 0; i < all->count; i++) {
        mt_user_free(&all->items[i].user);
        mt_group_free(&all->items[i].entry);
    }
    pthread_cond_destroy(&all->ended);
    pthread_mutex_destroy(&all->lock);
    free(all->items);
    free(all->queue);
    free(all);
    return true;
}
