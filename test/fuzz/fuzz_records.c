/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "streams.h"

#include <stdlib.h>

static struct mt_streams streams;

/* What is known says nothing else. */
static void read_again(const char *text, size_t size)
{
    static struct mt_known known[64];
    static struct mt_streams again;
    size_t bad_line;
    size_t n = 0;
    for (size_t i = 0; i < streams.count; i++) {
        const struct mt_stream *stream = &streams.items[i];
        for (size_t j = 0; stream->complete && j < stream->count && n < 64; j++)
            known[n++] = (struct mt_known){text, &stream->records[j]};
    }
    (void)mt_streams_read_again(&again, text, size, &bad_line, known, n);
    if (again.count != streams.count)
        abort();
    for (size_t i = 0; i < streams.count; i++) {
        if (again.items[i].count != streams.items[i].count ||
            again.items[i].complete != streams.items[i].complete)
            abort();
    }
    mt_streams_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    size_t bad_line;
    (void)mt_streams_read(&streams, text, size, &bad_line);
    read_again(text, size);
    free(text);
    mt_streams_free(&streams);
    return 0;
}
