/* SPDX-License-Identifier: MIT */
/*
 * The state's files, which may be on a file system that hangs: a process of its own reads `banned`
 * and `limits` about once a second, writes the gate's lines and `seen`, and sees to the size of the
 * logs. It knows no secret.
 */
#pragma once

#include "code.h"
#include "config.h"
#include "lists.h"

struct keeper {
    pid_t pid;
    int socket;
    char seen[2 * 64 + 3]; /* what tells of the lists that were read last */
    int64_t second;        /* lines written in it, and left out */
    unsigned lines;
    unsigned dropped;
};

/* Starts it and reads the lists for the first time. 0; 71, 74, 78: said. */
MT_CHECKED int keeper_start(struct keeper *keeper, const struct config *config,
                            struct lists *lists);

enum keeper_news {
    KEEPER_NOTHING,
    KEEPER_LISTS,   /* *lists is new: keeper_seen, when it acts */
    KEEPER_ROTATED, /* nginx has to open its log anew */
    KEEPER_ENDED
};

/* What it has to tell; never blocks. */
MT_CHECKED enum keeper_news keeper_read(struct keeper *keeper, struct lists *lists);

/* The lists that were read last act now. */
MT_NONNULL_ALL void keeper_seen(struct keeper *keeper);

/*
 * A line for the gate's log, TIME and what is given. Where they come too fast they are left out,
 * and their number is told.
 */
MT_NONNULL_ALL MT_PRINTF(2, 3) void keeper_note(struct keeper *keeper, const char *format, ...);
