/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *payload = block_of(data, size);
    struct mt_record record = {.job_id = 4711, .user = "prof"};
    struct mt_jobname name = {.payload = payload, .payload_len = size};
    struct mt_message message;
    enum mt_reason reason;
    (void)mt_envelope_v1_open(&record, &name, &message, &reason);
    mt_message_free(&message);
    free(payload);
    return 0;
}
