/* SPDX-License-Identifier: MIT */
/*
 * Users and groups, as the name service has them. Every call may block for as long as that likes.
 *
 * An answer is one of three: it exists, it does not, or that could not be learned. glibc says "does
 * not" with 0 and no entry; every errno means that some service failed.
 */
#pragma once

#include "answer.h"
#include "attr.h"
#include "deadline.h"

#include <grp.h>
#include <sys/types.h>

/* The step of a program that asks. */
extern const struct mt_step mt_directory_step;

struct mt_user {
    char *name;
    gid_t *groups; /* primary and supplementary */
    size_t group_count;
};

struct mt_group {
    struct group entry; /* its texts live in `buffer` */
    char *buffer;
};

/*
 * Looks up a user by number, with all groups. Thread-safe.
 *
 * MT_YES: *user is set, and freed by the caller
 * MT_NO: no such user
 * MT_UNKNOWN: the name service failed, its answer is over MT_NSS_BUF_MAX, or there is no memory
 */
MT_CHECKED enum mt_answer mt_user_find(struct mt_user *user, uid_t uid);

/* The same for a group by name, and by number. No group's name is other than UTF-8. */
MT_CHECKED enum mt_answer mt_group_find(struct mt_group *group, const char *name);
MT_CHECKED enum mt_answer mt_group_find_gid(struct mt_group *group, gid_t gid);

/*
 * Has the name service lost its directory, as it knows neither the group nor a user of whom Slurm
 * or munged says that there is one? So SSSD answers on EL while it does not run.
 */
static inline bool mt_directory_is_lost(enum mt_answer user, enum mt_answer group)
{
    return user == MT_NO && group == MT_NO;
}

/*
 * Is the user a member, by their own list of groups or by the group's list of members? Either list
 * may be short where a name service serves only the other (ignore_group_members, no initgroups).
 */
MT_CHECKED bool mt_user_in_group(const struct mt_user *user, const struct mt_group *group);

/*
 * How many others than the user does the group's own list of members name? -1: it does not tell,
 * since the user, who is a member, is missing in it, or stands in it alone: it lists nobody who has
 * the group as their primary one. A group that is called like the user is theirs alone, unless the
 * list names somebody.
 */
MT_CHECKED long mt_group_others(const struct mt_group *group, const char *user);

/* Free and zero; a zeroed one is fine. */
MT_NONNULL_ALL void mt_user_free(struct mt_user *user);
MT_NONNULL_ALL void mt_group_free(struct mt_group *group);
