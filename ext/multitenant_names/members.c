/* SPDX-License-Identifier: MIT */
#include "members.h"

#include "mt_limits.h"

#include <pthread.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000) /* in nanoseconds */

/* One user, or one group. */
struct look_up {
    uid_t uid;         /* the user; of a group the publisher whose turn comes first */
    const char *group; /* NULL: a user */
    size_t asked;      /* of a user: questions so far */
    bool queued;
    /* under `lock` */
    bool taken;
    bool done; /* what follows is set, for good */
    enum mt_answer found;
    struct mt_user user;
    struct mt_group entry;
};

struct asked {
    uid_t uid;
    char *group_name;      /* NULL: none */
    struct look_up *user;  /* NULL: nothing is asked of the name service */
    struct look_up *group; /* NULL: the job names none */
    size_t turn;           /* how many questions of the same publisher come before */
    size_t index;
};

struct worker {
    struct mt_members *members;
    pthread_t thread;
    /* under `lock` */
    bool running;
    const struct look_up *in; /* NULL: in none */
    int64_t since;            /* when it went into that, or began */
};

struct mt_members {
    struct asked *questions;
    struct asked **order;
    size_t most;
    size_t count;

    struct look_up *look_ups; /* none twice */
    size_t look_up_count;
    void *known;            /* tsearch's tree of them */
    struct look_up **queue; /* all of them, in turn */
    size_t queued;

    char *publisher_names;                       /* NULL: not asked for */
    struct look_up *publishers[MT_NAME_MAX + 1]; /* as many as commas can part */
    size_t publisher_count;

    struct worker workers[MT_NSS_WORKERS_MAX];
    size_t worker_count; /* threads that were started */
    size_t worker_most;

    pthread_mutex_t lock;
    pthread_cond_t ended; /* a worker did */
    size_t next;          /* under `lock`: all before this one in the queue are taken */
};

static int64_t nanoseconds(const struct timespec *at)
{
    return at->tv_sec * SECOND + at->tv_nsec;
}

static int64_t now(void)
{
    struct timespec at = {0};
    clock_gettime(CLOCK_MONOTONIC, &at);
    return nanoseconds(&at);
}

/* ---- the workers ---- */

static bool is_kept_by(const struct mt_members *m, uid_t uid)
{
    for (size_t i = 0; i < MT_NSS_WORKERS_MAX; i++) {
        if (m->workers[i].in && m->workers[i].in->uid == uid)
            return true;
    }
    return false;
}

/* The first that waits. Those of a publisher who keeps a worker busy already come last. */
static struct look_up *first_waiting(struct mt_members *m)
{
    while (m->next < m->queued && m->queue[m->next]->taken)
        m->next++;
    for (size_t i = m->next; i < m->queued; i++) {
        if (!m->queue[i]->taken && !is_kept_by(m, m->queue[i]->uid))
            return m->queue[i];
    }
    return m->next < m->queued ? m->queue[m->next] : NULL;
}

/* Ends the worker's look-up and begins the next one that waits; NULL: none does. */
static struct look_up *take(struct worker *worker)
{
    worker->in = NULL;
    struct look_up *taken = first_waiting(worker->members);
    if (!taken)
        return NULL;
    taken->taken = true;
    worker->in = taken;
    worker->since = now();
    return taken;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct mt_members *m = worker->members;
    pthread_mutex_lock(&m->lock);
    for (struct look_up *taken; (taken = take(worker));) {
        struct mt_user user = {0};
        struct mt_group entry = {0};
        pthread_mutex_unlock(&m->lock);
        enum mt_answer found;
        if (taken->group)
            found = mt_group_find(&entry, taken->group);
        else
            found = mt_user_find(&user, taken->uid);
        pthread_mutex_lock(&m->lock);
        taken->found = found;
        taken->user = user;
        taken->entry = entry;
        taken->done = true;
    }
    worker->running = false;
    pthread_cond_signal(&m->ended);
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* ---- turns ---- */

static int by_turn(const void *left, const void *right)
{
    const struct asked *a = *(struct asked *const *)left;
    const struct asked *b = *(struct asked *const *)right;
    if (a->turn != b->turn)
        return a->turn < b->turn ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static void queue_add(struct mt_members *m, struct look_up *look_up, uid_t uid)
{
    if (!look_up || look_up->queued)
        return;
    look_up->uid = uid;
    look_up->queued = true;
    m->queue[m->queued++] = look_up;
}

static void queue_all(struct mt_members *m)
{
    const uid_t nobody = (uid_t)-1;
    for (size_t i = 0; i < m->count; i++)
        m->order[i] = &m->questions[i];
    qsort(m->order, m->count, sizeof(struct asked *), by_turn);
    for (size_t i = 0; i < m->publisher_count; i++)
        queue_add(m, m->publishers[i], nobody);
    for (size_t i = 0; i < m->count; i++) {
        const struct asked *question = m->order[i];
        queue_add(m, question->user, question->uid);
        queue_add(m, question->group, question->uid);
    }
}

/* ---- the asker ---- */

static int make_locks(struct mt_members *m)
{
    pthread_condattr_t attr;
    int error = pthread_condattr_init(&attr);
    if (error)
        return error;
    error = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(&m->ended, &attr);
    pthread_condattr_destroy(&attr);
    if (error)
        return error;
    error = pthread_mutex_init(&m->lock, NULL);
    if (error)
        pthread_cond_destroy(&m->ended);
    return error;
}

static int by_what(const void *left, const void *right)
{
    const struct look_up *a = left;
    const struct look_up *b = right;
    if (a->group && b->group)
        return strcmp(a->group, b->group);
    if (a->group || b->group)
        return a->group ? 1 : -1;
    return (a->uid > b->uid) - (a->uid < b->uid);
}

/* The one for a group, or for a user where `group` is NULL. Returns NULL without memory. */
static struct look_up *look_up_of(struct mt_members *m, uid_t uid, const char *group)
{
    struct look_up *fresh = &m->look_ups[m->look_up_count];
    *fresh = (struct look_up){.uid = uid, .group = group, .found = MT_UNKNOWN};
    struct look_up **known = tsearch(fresh, &m->known, by_what);
    if (!known)
        return NULL;
    if (*known == fresh)
        m->look_up_count++;
    return *known;
}

/* Returns false without memory. */
static bool add_publishers(struct mt_members *m, const char *names)
{
    m->publisher_names = strndup(names, MT_NAME_MAX);
    char *rest = m->publisher_names;
    for (const char *name; (name = strsep(&rest, ","));) {
        if (!(m->publishers[m->publisher_count] = look_up_of(m, 0, name)))
            return false;
        m->publisher_count++;
    }
    return m->publisher_names != NULL;
}

struct mt_members *mt_members_new(size_t most, const char *publishers)
{
    struct mt_members *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    if (make_locks(m) != 0) {
        free(m);
        return NULL;
    }
    const size_t look_ups = 2 * most + MT_NAME_MAX + 2; /* users, groups, publishers, a spare one */
    m->most = most;
    m->worker_most = MT_NSS_WORKERS_MAX;
    m->questions = calloc(most + 1, sizeof *m->questions);
    m->order = calloc(most + 1, sizeof(struct asked *));
    m->look_ups = calloc(look_ups, sizeof *m->look_ups);
    m->queue = calloc(look_ups, sizeof(struct look_up *));
    if (m->questions && m->order && m->look_ups && m->queue &&
        (!publishers || add_publishers(m, publishers)))
        return m;
    mt_members_free(m);
    return NULL;
}

bool mt_members_ask(struct mt_members *m, uid_t uid, const char *group, size_t len, bool want_user)
{
    if (m->count == m->most)
        return false;
    struct asked *question = &m->questions[m->count];
    *question = (struct asked){.uid = uid, .index = m->count};
    m->count++;
    if (!group && !want_user && !m->publisher_names)
        return true;
    question->user = look_up_of(m, uid, NULL);
    if (!question->user)
        return false;
    question->turn = question->user->asked++;
    if (!group)
        return true;
    question->group_name = strndup(group, len);
    if (question->group_name)
        question->group = look_up_of(m, uid, question->group_name);
    return question->group != NULL;
}

static void start_worker(struct mt_members *m)
{
    struct worker *worker = &m->workers[m->worker_count];
    worker->members = m;
    worker->running = true;
    worker->since = now();
    if (pthread_create(&worker->thread, NULL, work, worker) == 0) {
        m->worker_count++;
        return;
    }
    worker->running = false;
    m->worker_most = m->worker_count;
}

/* When the last of the workers that run went into its look-up; 0: none runs. */
static int64_t last_progress(const struct mt_members *m)
{
    int64_t last = 0;
    for (size_t i = 0; i < MT_NSS_WORKERS_MAX; i++) {
        if (m->workers[i].running && m->workers[i].since > last)
            last = m->workers[i].since;
    }
    return last;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void wait_until(struct mt_members *m, int64_t at)
{
    struct timespec when = {.tv_sec = at / SECOND, .tv_nsec = at % SECOND};
    pthread_cond_timedwait(&m->ended, &m->lock, &when);
}

/*
 * When all workers are late one more is started, and where that is of no use all are given up.
 * Who gives more time on the command line gives the slow ones more of it.
 */
bool mt_members_run(struct mt_members *m, const struct timespec *until)
{
    const int64_t end = nanoseconds(until);
    const int64_t left = end - now();
    const int64_t another = min(left / 4, MT_NSS_ANOTHER_MS * SECOND / 1000);
    const int64_t give_up = max(left / 3, MT_NSS_GIVE_UP_MS * SECOND / 1000);

    queue_all(m);
    start_worker(m);
    if (m->worker_count == 0)
        work(&m->workers[0]); /* no thread to be had: the hard deadline alone holds */

    int64_t last;
    pthread_mutex_lock(&m->lock);
    while ((last = last_progress(m)) != 0) {
        bool more = m->worker_count < m->worker_most && first_waiting(m);
        int64_t at = min(last + (more ? another : give_up), end);
        if (now() < at)
            wait_until(m, at);
        else if (more && at < end)
            start_worker(m);
        else
            break;
    }
    pthread_mutex_unlock(&m->lock);
    return last == 0;
}

/* Nobody is in a group that does not exist, and a user who does not exist is in none. */
static enum mt_answer is_member(const struct look_up *user, const struct look_up *group)
{
    if (user->found == MT_NO || group->found == MT_NO)
        return MT_NO;
    if (user->found == MT_UNKNOWN || group->found == MT_UNKNOWN)
        return MT_UNKNOWN;
    return mt_user_in_group(&user->user, &group->entry) ? MT_YES : MT_NO;
}

static bool is_done(const struct look_up *look_up)
{
    return !look_up || look_up->done;
}

/* One of the publishers' groups is enough. `done`: what is unknown stays so. */
static enum mt_answer is_publisher(const struct mt_members *m, const struct look_up *user,
                                   bool *done)
{
    enum mt_answer answer = m->publisher_names ? MT_NO : MT_UNKNOWN;
    *done = true;
    for (size_t i = 0; i < m->publisher_count; i++) {
        enum mt_answer one = is_member(user, m->publishers[i]);
        if (one != MT_NO)
            answer = one;
        if (one == MT_YES)
            break;
        *done = *done && m->publishers[i]->done;
    }
    *done = *done || answer == MT_YES;
    return answer;
}

/* A job that names no group is in none. */
void mt_members_answer(struct mt_members *m, size_t index, struct mt_member_answer *answer)
{
    const struct asked *question = &m->questions[index];
    const struct look_up *user = question->user;
    const struct look_up *group = question->group;

    pthread_mutex_lock(&m->lock);
    bool publishers_done;
    enum mt_answer allowed = is_publisher(m, user, &publishers_done);
    *answer = (struct mt_member_answer){
        .done = is_done(user) && is_done(group) && publishers_done,
        .group_known = group ? group->found : MT_NO,
        .gid = group ? group->entry.entry.gr_gid : 0,
        .group = group && group->found == MT_YES ? &group->entry : NULL,
        .in_group = group ? is_member(user, group) : MT_NO,
        .allowed = allowed,
        .user = user ? user->user.name : NULL,
        .user_known = user ? user->found : MT_UNKNOWN,
        .gids = user ? user->user.groups : NULL,
        .gid_count = user ? user->user.group_count : 0,
    };
    pthread_mutex_unlock(&m->lock);
}

/* Are the workers done for good, or were they never there? */
static bool is_idle(struct mt_members *m)
{
    pthread_mutex_lock(&m->lock);
    bool idle = last_progress(m) == 0;
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; idle && i < m->worker_count; i++)
        idle = pthread_join(m->workers[i].thread, NULL) == 0;
    return idle;
}

static void keep(void *look_up)
{
    (void)look_up; /* the tree borrows it */
}

void mt_members_free(struct mt_members *m)
{
    if (!m || !is_idle(m))
        return;
    tdestroy(m->known, keep);
    for (size_t i = 0; i < m->count; i++)
        free(m->questions[i].group_name);
    for (size_t i = 0; i < m->look_up_count; i++) {
        mt_user_free(&m->look_ups[i].user);
        mt_group_free(&m->look_ups[i].entry);
    }
    pthread_cond_destroy(&m->ended);
    pthread_mutex_destroy(&m->lock);
    free(m->publisher_names);
    free(m->questions);
    free(m->order);
    free(m->look_ups);
    free(m->queue);
    free(m);
}
