/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    struct mt_message message;
    if (mt_message_parse_v1(text, size, &message) == MT_OK)
        (void)mt_message_is_for(&message, 1001);
    mt_message_free(&message);
    free(text);
    return 0;
}
