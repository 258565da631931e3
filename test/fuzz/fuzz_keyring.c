/* SPDX-License-Identifier: MIT */
/* A group's keys. */
#include "block.h"
#include "keyring.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    struct mt_keyring ring = {.count = 0};
    if (read_keys(text, size, &ring) == MT_OK)
        for (size_t i = 0; i < ring.count; i++) {
            if (mt_keyring_find(&ring, ring.keys[i].id) != &ring.keys[i])
                abort();
        }
    free(text);
    return 0;
}
