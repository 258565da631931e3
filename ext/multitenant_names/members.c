/* SPDX-License-Identifier: MIT */
#include "members.h"

#include "look_ups.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

struct asked {
    uid_t uid;
    char *group_name; /* NULL: none */
    /* Without a user nothing is asked of the name service; without a group none is named. */
    struct mt_pair pair;
    size_t turn; /* how many questions of the same publisher come before */
    size_t index;
};

struct mt_members {
    struct mt_look_ups *look_ups;
    struct asked *questions;
    struct asked **order;
    size_t most;
    size_t count;
    bool with_others;

    char *publisher_names;                          /* NULL: not asked for */
    struct mt_look_up *publishers[MT_NAME_MAX + 1]; /* as many as commas can part */
    size_t publisher_count;
};

static int by_turn(const void *left, const void *right)
{
    const struct asked *a = *(struct asked *const *)left;
    const struct asked *b = *(struct asked *const *)right;
    int order = MT_ORDER(a->turn, b->turn);
    return order ? order : MT_ORDER(a->index, b->index);
}

static void queue_all(struct mt_members *m)
{
    const uid_t nobody = (uid_t)-1;
    for (size_t i = 0; i < m->count; i++)
        m->order[i] = &m->questions[i];
    qsort(m->order, m->count, sizeof(struct asked *), by_turn);
    for (size_t i = 0; i < m->publisher_count; i++)
        mt_look_ups_queue(m->look_ups, m->publishers[i], nobody);
    for (size_t i = 0; i < m->count; i++) {
        const struct asked *question = m->order[i];
        mt_look_ups_queue(m->look_ups, question->pair.user, question->uid);
        mt_look_ups_queue(m->look_ups, question->pair.group, question->uid);
    }
}

/* Returns false without memory. */
static bool add_publishers(struct mt_members *m, const char *names)
{
    m->publisher_names = strndup(names, MT_NAME_MAX);
    char *rest = m->publisher_names;
    for (const char *name; (name = strsep(&rest, ","));) {
        if (!(m->publishers[m->publisher_count] = mt_look_ups_of(m->look_ups, 0, name)))
            return false;
        m->publishers[m->publisher_count]->waiting++; /* who publishes is asked at the end */
        m->publisher_count++;
    }
    return m->publisher_names != NULL;
}

static void free_questions(struct mt_members *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->questions[i].group_name);
    free(m->publisher_names);
    free(m->questions);
    free(m->order);
    free(m);
}

struct mt_members *mt_members_new(size_t most, const char *publishers, bool with_others)
{
    struct mt_members *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->most = most;
    m->with_others = with_others;
    m->look_ups = mt_look_ups_new(2 * most + MT_NAME_MAX + 1); /* users, groups, publishers */
    m->questions = calloc(most + 1, sizeof *m->questions);
    m->order = calloc(most + 1, sizeof(struct asked *));
    if (m->questions && m->order && m->look_ups && (!publishers || add_publishers(m, publishers)))
        return m;
    mt_look_ups_free(m->look_ups);
    free_questions(m);
    return NULL;
}

bool mt_members_ask(struct mt_members *m, uid_t uid, const char *group, size_t len, bool want_user)
{
    if (m->count == m->most)
        return false;
    struct asked *question = &m->questions[m->count];
    struct mt_pair *pair = &question->pair;
    *question = (struct asked){.uid = uid, .index = m->count};
    m->count++;
    if (!group && !want_user && !m->publisher_names)
        return true;
    pair->user = mt_look_ups_of(m->look_ups, uid, NULL);
    if (!pair->user)
        return false;
    question->turn = pair->user->asked++;
    if (!group)
        return true;
    question->group_name = strndup(group, len);
    if (question->group_name)
        pair->group = mt_look_ups_of(m->look_ups, uid, question->group_name);
    if (!pair->group)
        return false;
    pair->with_others = m->with_others;
    mt_look_ups_pair(pair);
    return true;
}

bool mt_members_run(struct mt_members *m, int64_t until)
{
    queue_all(m);
    return mt_look_ups_run(m->look_ups, until);
}

/* Nobody is in a group that does not exist. */
static bool is_nobody(const struct mt_look_up *user, const struct mt_look_up *group)
{
    return group->found == MT_NO && !mt_directory_is_lost(user->found, group->found);
}

static enum mt_answer is_member(const struct mt_look_up *user, const struct mt_look_up *group)
{
    if (is_nobody(user, group))
        return MT_NO;
    if (user->found != MT_YES || group->found != MT_YES)
        return MT_UNKNOWN;
    return mt_user_in_group(&user->user, &group->entry) ? MT_YES : MT_NO;
}

static bool is_done(const struct mt_look_up *look_up)
{
    return !look_up || look_up->done;
}

/* One of the publishers' groups is enough. `done`: what is unknown stays so. */
static enum mt_answer is_publisher(const struct mt_members *m, const struct mt_look_up *user,
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
    const struct mt_pair *pair = &m->questions[index].pair;
    const struct mt_look_up *user = pair->user;
    const struct mt_look_up *group = pair->group;

    mt_look_ups_lock(m->look_ups);
    bool publishers_done;
    enum mt_answer allowed = is_publisher(m, user, &publishers_done);
    *answer = (struct mt_member_answer){
        .done = is_done(user) && is_done(group) && publishers_done,
        .group_known = !group                                            ? MT_NO
                       : mt_directory_is_lost(user->found, group->found) ? MT_UNKNOWN
                                                                         : group->found,
        .gid = group ? group->gid : 0,
        .in_group = !group || is_nobody(user, group) ? MT_NO : pair->in_group,
        .others = group ? pair->others : -1,
        .allowed = allowed,
        .user = user ? user->user.name : NULL,
        .user_known = user ? user->found : MT_UNKNOWN,
        .gids = user ? user->user.groups : NULL,
        .gid_count = user ? user->user.group_count : 0,
    };
    mt_look_ups_unlock(m->look_ups);
}

void mt_members_free(struct mt_members *m)
{
    if (m && mt_look_ups_free(m->look_ups))
        free_questions(m);
}
