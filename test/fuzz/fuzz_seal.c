/* SPDX-License-Identifier: MIT */
/* What a job asks multitenant-seal to seal: a message that is made of it opens. */
#include "block.h"
#include "request.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mt_record record = {.cluster = "hpc", .job_id = 4711, .uid = 1001};
    static const struct mt_jobname name = {.group = "students", .group_len = 8};
    char *text = block_of(data, size);
    struct mt_buf out = MT_BUF_INIT(MT_MESSAGE_MAX);
    json_t *request = NULL;
    if (mt_json_load(text, size, &request) == MT_OK)
        (void)!write_message(request, &record, &name, &out);
    json_decref(request);
    mt_buf_wipe(&out);
    free(text);
    return 0;
}
