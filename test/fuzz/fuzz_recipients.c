/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "mt_limits.h"
#include "recipients.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    struct mt_buf out = MT_BUF_INIT(MT_RECIPIENTS_MAX * 11);
    (void)mt_recipients_decode(text, size, &out);
    mt_buf_wipe(&out);
    free(text);
    return 0;
}
