/* SPDX-License-Identifier: MIT */
/* The two secrets that the gate keeps. */
#include "block.h"
#include "keys.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mt_buf text = {.data = block_of(data, size), .len = size, .limit = size};
    struct keys keys = {.door = ""};
    char again[TEXT_SIZE];
    if (take_token(&text, &keys)) {
        write_hex(keys.token, again);
        if (memcmp(again, text.data, size) != 0)
            abort();
    }
    if (take_door(&text, &keys) && strlen(keys.door) != MT_DOOR_CHARS)
        abort();
    free(text.data);
    return 0;
}
