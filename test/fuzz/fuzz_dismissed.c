/* SPDX-License-Identifier: MIT */
/* The list of cards that the viewer sent away. */
#include "block.h"
#include "dismissed.c"

static bool is_of_another(const struct mt_dismissal *it, const void *job_id)
{
    return it->job_id != *(const uint32_t *)job_id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char id[] = "0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c11";
    const struct mt_dismissal one = {
        .cluster = "hpc", .wckeys = "multitenant", .card_id = id, .job_id = 4711};
    const uint32_t job_id = one.job_id;
    struct mt_buf text = {.data = block_of(data, size), .len = size, .limit = size};
    struct mt_dismissed dismissed = {.list = NULL};
    if (parse(&text, &dismissed) == MT_OK) {
        (void)mt_dismissed_has_card(&dismissed, id);
        if (mt_dismissed_add(&dismissed, &one) != MT_OK ||
            !mt_dismissed_has(&dismissed, "hpc", job_id))
            abort();
        (void)mt_dismissed_drop(&dismissed, is_of_another, &job_id);
    }
    mt_dismissed_free(&dismissed);
    mt_buf_wipe(&text);
    return 0;
}
