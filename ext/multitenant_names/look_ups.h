/* SPDX-License-Identifier: MIT */
/*
 * Look-ups of users and groups, each once, by threads with a time limit (members.h says how they
 * take turns).
 *
 * Use: _new, _of for each user and group, _queue in the order in which they are wanted, _run, then
 * read them between _lock and _unlock, _free; all from one thread.
 */
#pragma once

#include "attr.h"
#include "directory.h"

struct mt_pair;

/* One user, or one group. */
struct mt_look_up {
    uid_t uid;             /* the user; of a group the publisher whose turn comes first */
    const char *group;     /* NULL: a user */
    size_t asked;          /* of a user: questions so far */
    struct mt_pair *pairs; /* that it belongs to */
    bool queued;
    /* under `lock` */
    bool taken;
    bool done; /* what follows is set */
    enum mt_answer found;
    struct mt_user user;
    gid_t gid;
    struct mt_group entry; /* with all members, and so only while somebody waits for it */
    size_t waiting;        /* pairs that are not told, and others that need it */
};

/* A user and a group. */
struct mt_pair {
    struct mt_look_up *user;
    struct mt_look_up *group;
    struct mt_pair *next_of_user;
    struct mt_pair *next_of_group;
    bool with_others;
    /* under `lock`, once both are done */
    enum mt_answer in_group; /* where both are there: is the user a member */
    long others;             /* `with_others`, see mt_group_others; else -1 */
};

struct mt_look_ups;

/* For at most `most` of them. Returns NULL without memory; the caller frees. */
MT_NODISCARD struct mt_look_ups *mt_look_ups_new(size_t most);

/*
 * The one of a group, whose name is borrowed, or of a user where `group` is NULL; the same each
 * time. Returns NULL without memory.
 */
MT_NODISCARD MT_NONNULL(1) struct mt_look_up *mt_look_ups_of(struct mt_look_ups *all, uid_t uid,
                                                             const char *group);

/* Tells of the pair, whose two look-ups are set, as soon as both are done. It stays the caller's.
 */
MT_NONNULL_ALL void mt_look_ups_pair(struct mt_pair *pair);

/* The next in turn, unless it has its turn already or is NULL; `uid` is the publisher it is for. */
MT_NONNULL(1)
void mt_look_ups_queue(struct mt_look_ups *all, struct mt_look_up *look_up, uid_t uid);

/* Looks all up that have a turn, once; as mt_members_run. */
MT_CHECKED bool mt_look_ups_run(struct mt_look_ups *all, int64_t until);

/* Between them no look-up changes. */
MT_NONNULL_ALL void mt_look_ups_lock(struct mt_look_ups *all);
MT_NONNULL_ALL void mt_look_ups_unlock(struct mt_look_ups *all);

/* Frees all, NULL is fine. False: a look-up still hangs, and nothing is freed. */
bool mt_look_ups_free(struct mt_look_ups *all);
