/* SPDX-License-Identifier: MIT */
/*
 * What may block is done by children that are forked for it, under a deadline: munged, the name
 * service, the program that makes accounts. Their number is bounded.
 */
#pragma once

#include "attr.h"
#include "mt_limits.h"

#include <poll.h>
#include <sys/types.h>

/* Bytes that a child may answer: what one write to a pipe takes as a whole. */
#define CHILD_ANSWER_MAX 4096

/* Done in the child; returns how many bytes the answer has, 0: none. */
typedef size_t child_work(const void *question, void *answer);

/* Done here with the answer; `len` is 0 where there is none, or not in time. */
typedef void child_done(void *context, void *owner, const void *answer, size_t len);

/* What it is for; logins, and what nobody waits for, leave places to the others. */
enum child_use { FOR_ANYTHING, FOR_LOGIN, FOR_LATER, CHILD_USES };

struct child {
    pid_t pid; /* 0: this place is free */
    int fd;    /* -1: the answer was told, and it only has to be reaped */
    enum child_use use;
    int64_t until;
    child_done *done;
    void *owner;
};

struct children {
    void *context;
    void (*before)(void *context); /* done in each child at first */
    struct child places[MT_GATE_CHILDREN_MAX];
};

struct child_terms {
    child_work *work;
    child_done *done;
    void *owner;
    int seconds;
    enum child_use use;
};

/* Starts one; false: there are too many, or none can be had. `question` is read in the child. */
MT_CHECKED bool children_start(struct children *children, const struct child_terms *terms,
                               const void *question);

/* Adds what to wait for to `fds`, at most MT_GATE_CHILDREN_MAX; and when to look at the latest. */
MT_CHECKED size_t children_watch(const struct children *children, struct pollfd *fds,
                                 int64_t *until);

/* Hands on all answers that are there, and kills whoever is late. */
MT_NONNULL_ALL void children_look(struct children *children, int64_t now);

/* A process has ended. */
MT_NONNULL_ALL void children_reaped(struct children *children, pid_t pid);

/* In a new child: signals as a program expects them, and the end of the parent is its own. */
MT_CHECKED bool child_begin(pid_t parent, int signal_at_end);
