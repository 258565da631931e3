/* SPDX-License-Identifier: MIT */
/*
 * Who belongs to which group: the name service's answers for all jobs of a run, with a time limit.
 *
 * Threads of its own do the look-ups, each user and each group once, so that a name service that
 * hangs costs the answers that are still missing and nothing else. One at a time; only where a
 * look-up lasts (0.3 s, or a quarter of the time where that is less) another goes on with the rest,
 * up to four. The jobs of different publishers take turns, and whoever keeps a thread busy comes
 * after the others: neither thousands of groups nor one that hangs makes them wait for long. (A
 * client library of a name service that lets one thread in at a time makes them wait all the same.)
 * Of a group that was looked up the members are kept until all who name it are, too.
 *
 * Use: _new, _ask for each job, _run, _answer for each, _free; all from one thread.
 */
#pragma once

#include "attr.h"
#include "directory.h"

struct mt_members;

struct mt_member_answer {
    bool done;                  /* false: not all was looked up in time */
    enum mt_answer group_known; /* MT_YES: gid is set; MT_NO: none named, or no such group */
    gid_t gid;
    enum mt_answer in_group;   /* is the publisher a member of the group that the job names */
    long others;               /* that the group's list names, see mt_group_others; -1: not known */
    enum mt_answer allowed;    /* and of a group of publishers; unknown where none was given */
    const char *user;          /* the publisher's name, borrows from mt_members; NULL: not known */
    enum mt_answer user_known; /* MT_YES: their groups are set, which borrow as well; MT_NO: then
                                  of the others none is MT_NO but for a group that is not named */
    const gid_t *gids;         /* primary and supplementary */
    size_t gid_count;
};

/*
 * For at most `most` questions. `publishers` are the groups whose members may publish, with commas
 * between, or NULL; `with_others` the answers have `others`. Returns NULL without memory; the
 * caller frees.
 */
MT_NODISCARD struct mt_members *mt_members_new(size_t most, const char *publishers,
                                               bool with_others);

/*
 * Adds a question: publisher and the group of `len` bytes that they name, or NULL where the name of
 * the job is not that of a share. With `want_user` the publisher's name is asked for. Questions
 * count from 0. Returns false without memory, or over `most`.
 */
MT_NODISCARD MT_NONNULL(1) bool mt_members_ask(struct mt_members *members, uid_t uid,
                                               const char *group, size_t len, bool want_user);

/*
 * Looks all up, once. Returns at `until` (clock.h) at the latest: were all answered? False
 * sooner where only look-ups are left that last for more than 1 s (or a third of the time where
 * that is more), or all four threads are in such ones.
 */
MT_CHECKED bool mt_members_run(struct mt_members *members, int64_t until);

/* The answer to question `index`, as far as it is there. */
MT_NONNULL_ALL void mt_members_answer(struct mt_members *members, size_t index,
                                      struct mt_member_answer *answer);

/* Frees all, NULL is fine. While a look-up still hangs it does nothing: the process has to end. */
void mt_members_free(struct mt_members *members);
