/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mt_streams streams;
    char *text = block_of(data, size);
    size_t bad_line;
    (void)mt_streams_read(&streams, text, size, &bad_line);
    free(text);
    mt_streams_free(&streams);
    return 0;
}
