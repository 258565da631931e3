/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "message_v2.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const deliveries[] = {"sys/*"};
    static const struct mt_settings settings = {
        .uid = 1001, .deliveries = deliveries, .n_deliveries = 1};
    static const struct mt_record record = {.cluster = "hpc", .job_id = 4711};
    static const struct mt_jobname name = {.group = "students", .group_len = 8};
    char *text = block_of(data, size);
    struct mt_message message;
    enum mt_reason reason;
    if (mt_message_v2_open(&record, &name, text, size, &message, &reason) == MT_OK)
        (void)mt_policy_message(&record, &message, &settings);
    mt_message_free(&message);
    free(text);
    return 0;
}
