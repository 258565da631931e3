/* SPDX-License-Identifier: MIT */
/*
 * Files below a data root: the only code of the core that writes. Every step is decided on an open
 * descriptor; below the root no link is followed, and what does not belong to this process's user
 * is not touched. No function changes the umask or the working directory.
 *
 * Statuses of all:
 *
 * MT_OK: also where what is asked for is absent
 * MT_UNSAFE: a link, another owner or another kind of file
 * MT_IO: errno tells
 * MT_NOMEM
 *
 * Names are single path components.
 */
#pragma once

#include "buf.h"
#include "mt_limits.h"
#include "status.h"

/*
 * Opens the data root, which may be reached through links; `create` makes what is missing of its
 * path (0700). The caller closes *out; -1: absent.
 */
MT_CHECKED enum mt_status mt_store_open_root(const char *path, bool create, int *out);

/*
 * Opens the directory at the relative `path` below `root`, component by component; `create` makes
 * what is missing (0700). The caller closes *out; -1: absent.
 */
MT_CHECKED enum mt_status mt_store_open_dir(int root, const char *path, bool create, int *out);

/* Closes a directory, or does nothing for -1. */
void mt_store_close(int dir);

/* A file as it was read. */
struct mt_file {
    bool found;
    bool is_private; /* its mode is 0600 */
    int64_t time;    /* when it was written, or what mt_store_set_time says */
    struct mt_buf bytes;
};

/* An empty file; every mt_file begins so and ends with mt_buf_wipe(&file.bytes). */
#define MT_FILE_INIT ((struct mt_file){.bytes = MT_BUF_INIT(MT_FILE_READ_MAX)})

/* Reads a regular file. Also MT_TOO_LARGE: over MT_FILE_READ_MAX. */
MT_CHECKED enum mt_status mt_store_read(int dir, const char *name, struct mt_file *out);

/*
 * Writes a file (0600) in one step: under a name of its own in `scratch`, a directory of the same
 * file system, then renamed to `name` in `dir`. A crash leaves the old file or the new, and what
 * mt_store_is_scratch tells. Two processes of a user may write one file at the same time.
 */
MT_CHECKED enum mt_status mt_store_write(int dir, const char *name, int scratch, const char *text,
                                         size_t len);

/* Has a file written at `time`, where the file system allows it. */
void mt_store_set_time(int dir, const char *name, int64_t time);

/* Removes a file; absent is fine. */
MT_CHECKED enum mt_status mt_store_remove(int dir, const char *name);

/* Removes an empty directory; absent or not empty is fine. */
MT_CHECKED enum mt_status mt_store_remove_dir(int dir, const char *name);

/* Names in a directory, without . and .. */
struct mt_names {
    char **items;
    size_t count;
};

/* Lists a directory. The caller frees *out. */
MT_CHECKED enum mt_status mt_store_list(int dir, struct mt_names *out);

/* Adds a copy of a name. MT_OK, MT_NOMEM. */
MT_CHECKED enum mt_status mt_names_add(struct mt_names *names, const char *name);

MT_NONNULL_ALL void mt_names_free(struct mt_names *names);

/* Whether the name is one that mt_store_write begins with, left behind by a crash. */
MT_CHECKED bool mt_store_is_scratch(const char *name);

/*
 * Takes a lock that only one process of the user has, on this host or another, waiting for it a
 * tenth of a second at most. Where the file system has no locks, or no room, there is none, and
 * that is fine. Also MT_BUSY. The caller ends it with mt_store_unlock, which leaves no file behind.
 */
MT_CHECKED enum mt_status mt_store_lock(int dir, int *out);
void mt_store_unlock(int dir, int lock);

/* Gives an open directory the mode 0700. */
MT_NODISCARD enum mt_status mt_store_restrict(int dir);
