/* SPDX-License-Identifier: MIT */
#include "deflate.h"

#include "mt_limits.h"

#include <zlib.h>

#define NO_HEADER (-MAX_WBITS)

enum mt_status mt_deflate_raw(const void *in, size_t len, struct mt_buf *out)
{
    enum mt_status status = MT_INTERNAL;
    if (len > MT_MESSAGE_MAX)
        return MT_TOO_LARGE;
    z_stream z = {.next_in = (z_const unsigned char *)in, .avail_in = (uInt)len};
    int rc = deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, NO_HEADER, MAX_MEM_LEVEL,
                          Z_DEFAULT_STRATEGY);
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
