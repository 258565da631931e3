/* SPDX-License-Identifier: MIT */
#include "base64.h"
#include "block.h"
#include "mt_limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    struct mt_buf out = MT_BUF_INIT(MT_JOBNAME_MAX);
    struct mt_buf again = MT_BUF_INIT(2 * MT_JOBNAME_MAX);
    (void)mt_base64_decode(text, size, &out);
    mt_buf_wipe(&out);
    /* Bytes have one text. */
    if (mt_base64url_decode(text, size, &out) == MT_OK &&
        (mt_base64url_encode(out.data, out.len, &again) != MT_OK || again.len != size ||
         memcmp(again.data, text, size) != 0))
        abort();
    mt_buf_wipe(&again);
    mt_buf_wipe(&out);
    free(text);
    return 0;
}
