/* SPDX-License-Identifier: MIT */
/* Whose connections nginx has: who is banned loses those that are open. */
#pragma once

#include "attr.h"

#include <sys/types.h>

struct streams;

/* NULL without memory; the caller frees. */
MT_NODISCARD struct streams *streams_new(void);
void streams_free(struct streams *streams);

/* The client at this address and port, as nginx writes them, is this user. */
MT_NONNULL_ALL void streams_note(struct streams *streams, const char *addr, const char *port,
                                 uid_t uid, int64_t now);

/*
 * Cuts the connections of all users for whom `is_out` says so, in all processes of nginx's group.
 * `uid` is NULL of a client's connection that may be anybody's, as whose it is was forgotten.
 * Returns how many, or -1: this kernel does not let us (Linux before 5.6, or a ptrace policy).
 */
MT_NODISCARD MT_NONNULL(1, 3) int streams_cut(const struct streams *streams, pid_t nginx,
                                              bool is_out(void *context, const uid_t *uid),
                                              void *context);
