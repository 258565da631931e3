/* SPDX-License-Identifier: MIT */
#include "deflate.h"

#include "mt_limits.h"

#include <zlib.h>

#define CHUNK 4096u

/* zlib: 16 more than the window bits asks for a gzip header and trailer, and for nothing else. */
#define GZIP_ONLY (16 + MAX_WBITS)
/* Less than none: for no header at all. */
#define RAW (-MAX_WBITS)

static enum mt_status run(z_stream *z, struct mt_buf *out)
{
    for (;;) {
        unsigned char beyond;
        size_t room = out->limit - out->len;
        if (room > CHUNK)
            room = CHUNK;
        enum mt_status status = mt_buf_reserve(out, room);
        if (status != MT_OK)
            return status;
        /* At the limit one more byte tells "exactly full" from "too large". */
        z->next_out = room ? (unsigned char *)out->data + out->len : &beyond;
        z->avail_out = room ? (uInt)room : 1;

        int rc = inflate(z, Z_NO_FLUSH);
        if (!room && z->avail_out == 0)
            return MT_TOO_LARGE;
        if (room)
            out->len += room - z->avail_out;
        if (rc == Z_STREAM_END)
            return z->avail_in == 0 ? MT_OK : MT_MALFORMED;
        if (rc == Z_MEM_ERROR)
            return MT_NOMEM;
        if (rc != Z_OK)
            return MT_MALFORMED;
    }
}

static enum mt_status inflate_all(const void *in, size_t len, int window, struct mt_buf *out)
{
    if (len > MT_MESSAGE_MAX)
        return MT_TOO_LARGE;
    z_stream z = {.next_in = (z_const unsigned char *)in, .avail_in = (uInt)len};
    int rc = inflateInit2(&z, window);
    if (rc != Z_OK)
        return rc == Z_MEM_ERROR ? MT_NOMEM : MT_INTERNAL;
    enum mt_status status = run(&z, out);
    (void)inflateEnd(&z);
    return status;
}

enum mt_status mt_inflate_gzip(const void *in, size_t len, struct mt_buf *out)
{
    return inflate_all(in, len, GZIP_ONLY, out);
}

enum mt_status mt_inflate_raw(const void *in, size_t len, struct mt_buf *out)
{
    return inflate_all(in, len, RAW, out);
}

enum mt_status mt_deflate_raw(const void *in, size_t len, struct mt_buf *out)
{
    enum mt_status status = MT_INTERNAL;
    if (len > MT_MESSAGE_MAX)
        return MT_TOO_LARGE;
    z_stream z = {.next_in = (z_const unsigned char *)in, .avail_in = (uInt)len};
    int rc =
        deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, RAW, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY);
    if (rc != Z_OK)
        return rc == Z_MEM_ERROR ? MT_NOMEM : MT_INTERNAL;
    struct mt_buf packed = MT_BUF_INIT(2 * MT_MESSAGE_MAX);
    size_t most = deflateBound(&z, (uLong)len);
    if ((status = mt_buf_reserve(&packed, most)) != MT_OK)
        goto out;
    z.next_out = (unsigned char *)packed.data;
    z.avail_out = (uInt)most;
    status = deflate(&z, Z_FINISH) == Z_STREAM_END ? MT_OK : MT_INTERNAL;
    packed.len = most - z.avail_out;
    if (status == MT_OK)
        status = mt_buf_append(out, packed.data, packed.len);
out:
    (void)deflateEnd(&z);
    mt_buf_wipe(&packed);
    return status;
}
