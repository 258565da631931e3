/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input in a block that ends where it does: one byte read too far is seen. */
static inline char *block_of(const uint8_t *data, size_t size)
{
    char *block = malloc(size ? size : 1);
    if (!block)
        abort();
    memcpy(block, data, size);
    return block;
}

/* The same with a terminator behind it. */
static inline char *text_of(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}
