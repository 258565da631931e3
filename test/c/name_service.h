/* SPDX-License-Identifier: MIT */
/*
 * A name service of the test's own: users and groups that are looked up in place of the host's, as
 * quickly, slowly or badly as a test wants. Link with --wrap of $(name_service_wraps).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ns_user {
    const char *name; /* NULL ends a list of users */
    uid_t uid;
    const gid_t *groups; /* the primary one, and others */
    int group_count;
};

struct ns_group {
    const char *name; /* NULL ends a list of groups */
    gid_t gid;
    char *const *members; /* up to a NULL */
};

/* What it knows, and how it is. Set while nobody asks. */
struct name_service {
    const struct ns_user *users;
    const struct ns_group *groups;
    int error;     /* what every look-up fails with, an errno */
    size_t needs;  /* bytes of buffer that an answer takes */
    size_t quick;  /* so many look-ups come at once, and the others as slow ones; 0: any number */
    int own_count; /* groups of this process, the effective one first */
    const gid_t *own_groups;
};
extern struct name_service name_service;

/* Users of this uid and above, and groups whose name begins with "slow", come when ns_go_on is
 * called. */
#define NS_SLOW_UID 9000

/* As at the start: it knows nobody, and nobody has asked. */
void ns_reset(void);

/* Lets all look-ups that hang come to their end, and those that follow. */
void ns_go_on(void);

/* How many look-ups were made of users and groups by name, and at most at once. */
size_t ns_look_ups(void);
size_t ns_most_at_once(void);
