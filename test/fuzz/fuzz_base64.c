/* SPDX-License-Identifier: MIT */
#include "base64.h"
#include "block.h"
#include "mt_limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    struct mt_buf out = MT_BUF_INIT(MT_JOBNAME_MAX);
    (void)mt_base64_decode(text, size, &out);
    mt_buf_wipe(&out);
    free(text);
    return 0;
}
