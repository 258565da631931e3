/* SPDX-License-Identifier: MIT */
#include "buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum mt_status mt_buf_reserve(struct mt_buf *buf, size_t more)
{
    if (more > buf->limit - buf->len)
        return MT_TOO_LARGE;
    size_t need = buf->len + more;
    if (need <= buf->size)
        return MT_OK;
    size_t size = buf->size ? buf->size : 256;
    while (size < need)
        size = size > buf->limit / 2 ? buf->limit : size * 2;

    /* Not realloc: what it leaves behind may be a secret. */
    char *data = malloc(size);
    if (!data)
        return MT_NOMEM;
    if (buf->data) {
        memcpy(data, buf->data, buf->len);
        explicit_bzero(buf->data, buf->len);
        free(buf->data);
    }
    buf->data = data;
    buf->size = size;
    return MT_OK;
}

enum mt_status mt_buf_append(struct mt_buf *buf, const void *bytes, size_t len)
{
    enum mt_status status = mt_buf_reserve(buf, len);
    if (status == MT_OK && len > 0) {
        memcpy(buf->data + buf->len, bytes, len);
        buf->len += len;
    }
    return status;
}

enum mt_status mt_buf_read(struct mt_buf *buf, int fd)
{
    char block[4096];
    ssize_t n;
    enum mt_status status = MT_OK;
    while (status == MT_OK && (n = read(fd, block, sizeof block)) != 0) {
        if (n > 0)
            status = mt_buf_append(buf, block, (size_t)n);
        else if (errno != EINTR)
            status = MT_IO;
    }
    explicit_bzero(block, sizeof block);
    return status;
}

enum mt_status mt_write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return MT_IO;
        text += n;
        len -= (size_t)n;
    }
    return MT_OK;
}

void mt_buf_wipe(struct mt_buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->len);
    free(buf->data);
    *buf = MT_BUF_INIT(buf->limit);
}
