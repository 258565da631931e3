/* SPDX-License-Identifier: MIT */
/*
 * Two files of a snapshot, with a NUL between them: the agent's state and a group's. The second is
 * read as it is in the next round, where the jobs of the first are known; then they become one.
 */
#include "block.h"
#include "streams.h"

static struct mt_streams first;
static struct mt_streams second;

static size_t learn(const char *text, struct mt_known *known, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < first.count; i++) {
        const struct mt_stream *stream = &first.items[i];
        for (size_t j = 0; stream->complete && j < stream->count && n < max; j++)
            known[n++] = (struct mt_known){text, &stream->records[j]};
    }
    return n;
}

/* Of one cluster at most one stream stays complete, and all is there. */
static void join(void)
{
    const size_t before = first.count;
    size_t bad_line;
    (void)mt_streams_same(&first, &second);
    if (mt_streams_add(&first, &second, &bad_line) != MT_OK || first.count < before)
        abort();
    for (size_t i = before; i < first.count; i++)
        for (size_t j = 0; j < i; j++) {
            if (strcmp(first.items[i].cluster, first.items[j].cluster) == 0 &&
                first.items[i].complete)
                abort();
        }
    if (!mt_streams_same(&second, &second))
        for (size_t i = 0; i <= second.count; i++) {
            if (i == second.count)
                abort();
            if (!second.items[i].complete)
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mt_known known[64];
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    const size_t len = nul ? (size_t)(nul - data) : size;
    const size_t rest = nul ? size - len - 1 : 0;
    char *state = block_of(data, len);
    char *group = block_of(data + size - rest, rest);
    size_t bad_line;
    if (mt_streams_read(&first, state, len, &bad_line) == MT_OK &&
        mt_streams_read_again(&second, group, rest, &bad_line, known,
                              learn(state, known, sizeof known / sizeof *known)) == MT_OK)
        join();
    mt_streams_free(&first);
    mt_streams_free(&second);
    free(group);
    free(state);
    return 0;
}
