/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include "mt_limits.h"

#include <openssl/evp.h>
#include <string.h>

/* The longest text that is a whole number of groups of four. */
#define TEXT_MAX (MT_JOBNAME_MAX / 4 * 4)

enum mt_status mt_base64_decode(const char *text, size_t len, struct mt_buf *out)
{
    if (len == 0 || len % 4 != 0)
        return MT_MALFORMED;
    if (len > TEXT_MAX)
        return MT_TOO_LARGE;

    unsigned char bytes[TEXT_MAX / 4 * 3];
    unsigned char again[TEXT_MAX + 1];
    int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len);
    if (decoded < 0)
        return MT_MALFORMED;
    decoded -= (text[len - 1] == '=') + (text[len - 2] == '=');

    /* EVP_DecodeBlock forgives white space, stray padding and unused bits; its inverse does not. */
    int encoded = EVP_EncodeBlock(again, bytes, decoded);
    if ((size_t)encoded != len || memcmp(again, text, len) != 0)
        return MT_MALFORMED;
    return mt_buf_append(out, bytes, (size_t)decoded);
}
