/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "message.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const deliveries[] = {"sys/*"};
    static const struct mt_settings settings = {
        .uid = 1001, .deliveries = deliveries, .n_deliveries = 1};
    static const struct mt_record record = {.uid = 2001};
    char *text = block_of(data, size);
    struct mt_message message;
    if (mt_message_parse_v1(text, size, &message) == MT_OK)
        (void)mt_policy_message(&record, &message, &settings);
    mt_message_free(&message);
    free(text);
    return 0;
}
