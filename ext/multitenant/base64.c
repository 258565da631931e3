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

enum mt_status mt_base64url_decode(const char *text, size_t len, struct mt_buf *out)
{
    char padded[TEXT_MAX];
    if (len % 4 == 1)
        return MT_MALFORMED;
    if (len > TEXT_MAX)
        return MT_TOO_LARGE;
    for (size_t i = 0; i < len; i++) {
        if (strchr("+/=", text[i])) /* finds NUL, too */
            return MT_MALFORMED;
        padded[i] = text[i] == '-' ? '+' : text[i];
        padded[i] = text[i] == '_' ? '/' : padded[i];
    }
    size_t whole = (len + 3) / 4 * 4;
    memset(padded + len, '=', whole - len);
    return mt_base64_decode(padded, whole, out);
}

enum mt_status mt_base64url_encode(const void *bytes, size_t len, struct mt_buf *out)
{
    unsigned char text[(MT_JOBNAME_MAX + 2) / 3 * 4 + 1];
    if (len > MT_JOBNAME_MAX)
        return MT_TOO_LARGE;
    size_t n = (size_t)EVP_EncodeBlock(text, bytes, (int)len);
    while (n > 0 && text[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '+')
            text[i] = '-';
        else if (text[i] == '/')
            text[i] = '_';
    }
    return mt_buf_append(out, text, n);
}
