/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *payload = block_of(data, size);
    static const struct mt_opened none;
    struct mt_record record = {.job_id = 4711, .user = "prof"};
    struct mt_settings settings = {.envelopes = MT_ENVELOPES_ALL};
    record.parts = (struct mt_jobname){.label = payload, .payload = payload, .payload_len = size};
    struct mt_message message;
    enum mt_reason reason;
    (void)mt_envelope_check(&record.parts, &settings, &reason);
    /* Without a key, only what stands around the message is looked at. */
    (void)mt_envelope_open(&record, &settings, &none, &message, &reason);
    mt_message_free(&message);
    free(payload);
    return 0;
}
