/* SPDX-License-Identifier: MIT */
/* Hexadecimal text. */
#pragma once

#include "attr.h"

/* The value of a digit, in lower case; -1: it is none. */
static inline int mt_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads two digits for each of `count` bytes; false: there is something else, *out is undefined. */
MT_CHECKED static inline bool mt_hex_decode(const char *text, size_t count, unsigned char *out)
{
    for (size_t i = 0; i < count; i++) {
        int high = mt_hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : mt_hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
