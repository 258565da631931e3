/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "opened.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_opened opened;
    char *text = block_of(data, size);
    size_t bad_line;
    if (mt_opened_read(text, size, &opened, &bad_line) == MT_OK)
        (void)mt_opened_find(&opened, "MUNGE:AAAA:", 11);
    free(text);
    mt_opened_free(&opened);
    return 0;
}
