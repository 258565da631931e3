/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "deflate.h"
#include "mt_limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *member = block_of(data, size);
    struct mt_buf out = MT_BUF_INIT(MT_MESSAGE_MAX);
    (void)mt_inflate_gzip(member, size, &out);
    mt_buf_wipe(&out);
    (void)mt_inflate_raw(member, size, &out);
    mt_buf_wipe(&out);
    free(member);
    return 0;
}
