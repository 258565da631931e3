/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "members.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct question {
    uid_t uid;
    char *group; /* NULL: none */
    bool want_user;
    size_t turn; /* how many questions of the same publisher come before */
    size_t index;
    struct mt_member_answer answer; /* under `lock` */
};

struct known_user {
    uid_t uid;
    enum mt_tri found;
    struct mt_user user;
};

struct known_group {
    const char *name;
    enum mt_tri found;
    struct mt_group group;
};

struct mt_members {
    const char *publishers;
    struct question *questions;
    size_t most;
    size_t count;
    struct question **order;

    /* the worker's alone while it runs */
    struct known_user *users;
    size_t user_count;
    struct known_group *groups;
    size_t group_count;

    pthread_t worker;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool finished; /* under `lock` */
};

/* ---- the worker ---- */

static const struct known_user *user_of(struct mt_members *m, uid_t uid)
{
    for (size_t i = 0; i < m->user_count; i++) {
        if (m->users[i].uid == uid)
            return &m->users[i];
    }
    struct known_user *user = &m->users[m->user_count++];
    user->uid = uid;
    user->found = mt_user_find(&user->user, uid);
    return user;
}

static const struct known_group *group_of(struct mt_members *m, const char *name)
{
    for (size_t i = 0; i < m->group_count; i++) {
        if (strcmp(m->groups[i].name, name) == 0)
            return &m->groups[i];
    }
    struct known_group *group = &m->groups[m->group_count++];
    group->name = name;
    group->found = mt_group_find(&group->group, name);
    return group;
}

/* Nobody is in a group that does not exist, and a user who does not exist is in none. */
static enum mt_tri is_member(const struct known_user *user, const struct known_group *group)
{
    if (user->found == MT_TRI_NO || group->found == MT_TRI_NO)
        return MT_TRI_NO;
    if (user->found == MT_TRI_UNKNOWN || group->found == MT_TRI_UNKNOWN)
        return MT_TRI_UNKNOWN;
    return mt_user_in_group(&user->user, &group->group) ? MT_TRI_YES : MT_TRI_NO;
}

static bool needs_look_up(const struct mt_members *m, const struct question *question)
{
    return question->group || question->want_user || m->publishers;
}

/* What is known of a question without asking anybody: a job that names no group is in none. */
static struct mt_member_answer at_first(const struct mt_members *m, const struct question *question)
{
    enum mt_tri group = question->group ? MT_TRI_UNKNOWN : MT_TRI_NO;
    return (struct mt_member_answer){
        .done = !needs_look_up(m, question),
        .group_known = group,
        .in_group = group,
        .allowed = MT_TRI_UNKNOWN,
    };
}

static struct mt_member_answer look_up(struct mt_members *m, const struct question *question)
{
    struct mt_member_answer answer = at_first(m, question);
    if (answer.done)
        return answer;
    const struct known_user *user = user_of(m, question->uid);
    answer.user = user->user.name;
    if (question->group) {
        const struct known_group *group = group_of(m, question->group);
        answer.group_known = group->found;
        answer.gid = group->group.entry.gr_gid;
        answer.in_group = is_member(user, group);
    }
    if (m->publishers)
        answer.allowed = is_member(user, group_of(m, m->publishers));
    answer.done = true;
    return answer;
}

static void *work(void *argument)
{
    struct mt_members *m = argument;
    for (size_t i = 0; i < m->count; i++) {
        struct mt_member_answer answer = look_up(m, m->order[i]);
        pthread_mutex_lock(&m->lock);
        m->order[i]->answer = answer;
        pthread_mutex_unlock(&m->lock);
    }
    pthread_mutex_lock(&m->lock);
    m->finished = true;
    pthread_cond_signal(&m->ended);
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* ---- turns ---- */

static int by_uid(const void *left, const void *right)
{
    const struct question *a = *(struct question *const *)left;
    const struct question *b = *(struct question *const *)right;
    if (a->uid != b->uid)
        return a->uid < b->uid ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static int by_turn(const void *left, const void *right)
{
    const struct question *a = *(struct question *const *)left;
    const struct question *b = *(struct question *const *)right;
    if (a->turn != b->turn)
        return a->turn < b->turn ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static void take_turns(struct mt_members *m)
{
    for (size_t i = 0; i < m->count; i++)
        m->order[i] = &m->questions[i];
    qsort(m->order, m->count, sizeof *m->order, by_uid);
    for (size_t i = 1; i < m->count; i++) {
        if (m->order[i]->uid == m->order[i - 1]->uid)
            m->order[i]->turn = m->order[i - 1]->turn + 1;
    }
    qsort(m->order, m->count, sizeof *m->order, by_turn);
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

struct mt_members *mt_members_new(size_t most, const char *publishers)
{
    struct mt_members *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->publishers = publishers;
    m->most = most;
    m->questions = calloc(most + 1, sizeof *m->questions);
    m->order = calloc(most + 1, sizeof *m->order);
    m->users = calloc(most + 1, sizeof *m->users);
    m->groups = calloc(most + 1, sizeof *m->groups); /* one for each, and `publishers` */
    if (m->questions && m->order && m->users && m->groups && make_locks(m) == 0)
        return m;
    free(m->questions);
    free(m->order);
    free(m->users);
    free(m->groups);
    free(m);
    return NULL;
}

bool mt_members_ask(struct mt_members *m, uid_t uid, const char *group, size_t len, bool want_user)
{
    if (m->count == m->most)
        return false;
    struct question *question = &m->questions[m->count];
    *question = (struct question){.uid = uid, .want_user = want_user, .index = m->count};
    if (group && !(question->group = strndup(group, len)))
        return false;
    question->answer = at_first(m, question);
    m->count++;
    return true;
}

bool mt_members_run(struct mt_members *m, const struct timespec *until)
{
    take_turns(m);
    m->started = pthread_create(&m->worker, NULL, work, m) == 0;
    if (!m->started)
        work(m); /* no thread to be had: the hard deadline alone holds */

    int error = 0;
    pthread_mutex_lock(&m->lock);
    while (!m->finished && error == 0)
        error = pthread_cond_timedwait(&m->ended, &m->lock, until);
    bool finished = m->finished;
    pthread_mutex_unlock(&m->lock);
    return finished;
}

void mt_members_answer(struct mt_members *m, size_t index, struct mt_member_answer *answer)
{
    pthread_mutex_lock(&m->lock);
    *answer = m->questions[index].answer;
    pthread_mutex_unlock(&m->lock);
}

/* Is the worker done for good, or was it never there? */
static bool is_idle(struct mt_members *m)
{
    if (!m->started)
        return true;
    pthread_mutex_lock(&m->lock);
    bool finished = m->finished;
    pthread_mutex_unlock(&m->lock);
    return finished && pthread_join(m->worker, NULL) == 0;
}

void mt_members_free(struct mt_members *m)
{
    if (!m || !is_idle(m))
        return;
    for (size_t i = 0; i < m->count; i++)
        free(m->questions[i].group);
    for (size_t i = 0; i < m->user_count; i++)
        mt_user_free(&m->users[i].user);
    for (size_t i = 0; i < m->group_count; i++)
        mt_group_free(&m->groups[i].group);
    pthread_cond_destroy(&m->ended);
    pthread_mutex_destroy(&m->lock);
    free(m->questions);
    free(m->order);
    free(m->users);
    free(m->groups);
    free(m);
}
