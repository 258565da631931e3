/* SPDX-License-Identifier: MIT */
/* A growing byte buffer that can't be made without a limit; reading and writing the whole. */
#pragma once

#include "status.h"

/* `data` holds `len` bytes, is owned by the buffer, and is NULL while nothing was appended. */
struct mt_buf {
    char *data;
    size_t len;
    size_t size;
    size_t limit;
};

/* An empty buffer that holds at most `limit` bytes. */
#define MT_BUF_INIT(max) ((struct mt_buf){.limit = (max)})

/*
 * Makes room for `more` bytes after the buffer's end.
 *
 * MT_OK
 * MT_TOO_LARGE: beyond the limit; the buffer is as it was
 * MT_NOMEM: the buffer is as it was
 */
MT_CHECKED enum mt_status mt_buf_reserve(struct mt_buf *buf, size_t more);

/* Appends `len` bytes. Statuses as mt_buf_reserve. */
MT_CHECKED enum mt_status mt_buf_append(struct mt_buf *buf, const void *bytes, size_t len);

/*
 * Appends all that can be read from a file, up to its end.
 *
 * MT_OK
 * MT_TOO_LARGE, MT_NOMEM: as mt_buf_reserve; a part was appended
 * MT_IO: errno tells
 */
MT_CHECKED enum mt_status mt_buf_read(struct mt_buf *buf, int fd);

/* Writes all of `len` bytes. MT_OK; MT_IO: errno tells. Async-signal-safe. */
MT_CHECKED enum mt_status mt_write_all(int fd, const char *text, size_t len);

/* Overwrites what the buffer holds with zeros (the compiler can't drop it) and frees it. */
MT_NONNULL_ALL void mt_buf_wipe(struct mt_buf *buf);
