/* SPDX-License-Identifier: MIT */
#include "token.h"

#include "base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "mt1."
#define MAC_BYTES 32

/* The MAC of `len` bytes as base64url. */
static enum mt_status mac_text(const unsigned char key[TOKEN_KEY_BYTES], const void *bytes,
                               size_t len, char out[TOKEN_TAG + 1])
{
    unsigned char mac[MAC_BYTES];
    unsigned size = 0;
    struct mt_buf text = MT_BUF_INIT(TOKEN_TAG);
    enum mt_status status = MT_CRYPTO;
    if (HMAC(EVP_sha256(), key, TOKEN_KEY_BYTES, bytes, len, mac, &size) && size == sizeof mac &&
        mt_base64url_encode(mac, sizeof mac, &text) == MT_OK && text.len == TOKEN_TAG) {
        memcpy(out, text.data, TOKEN_TAG);
        out[TOKEN_TAG] = '\0';
        status = MT_OK;
    }
    OPENSSL_cleanse(mac, sizeof mac);
    mt_buf_wipe(&text);
    return status;
}

enum mt_status token_make(const unsigned char key[TOKEN_KEY_BYTES], uid_t uid, int64_t expires,
                          char out[TOKEN_SIZE])
{
    char tag[TOKEN_TAG + 1];
    if (expires < 0 || expires > TOKEN_EXPIRES_MAX)
        return MT_INTERNAL;
    int len = snprintf(out, TOKEN_SIZE, PREFIX "%u.%lld", uid, (long long)expires);
    enum mt_status status = mac_text(key, out, (size_t)len, tag);
    if (status == MT_OK)
        (void)snprintf(out + len, TOKEN_SIZE - (size_t)len, ".%s", tag);
    else
        *out = '\0';
    OPENSSL_cleanse(tag, sizeof tag);
    return status;
}

/* A decimal without leading zeros; *text is moved behind it. */
static bool take_number(const char **text, size_t digits, int64_t max, int64_t *out)
{
    size_t len = strspn(*text, "0123456789");
    if (len == 0 || len > digits || (len > 1 && **text == '0'))
        return false;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out * 10 + ((*text)[i] - '0');
    *text += len;
    return *out <= max;
}

enum code token_check(const unsigned char key[TOKEN_KEY_BYTES], const char *text, int64_t now,
                      uid_t *uid, int64_t *expires)
{
    char tag[TOKEN_TAG + 1];
    int64_t number;
    const char *at = text;
    *uid = 0;
    *expires = 0;
    if (!token_is_like(text))
        return CODE_token_malformed;
    at += strlen(PREFIX);
    if (!take_number(&at, 10, UINT32_MAX, &number) || *at++ != '.' ||
        !take_number(&at, 12, TOKEN_EXPIRES_MAX, expires) || *at != '.')
        return CODE_token_malformed;
    size_t signed_len = (size_t)(at - text);
    if (strnlen(++at, TOKEN_TAG + 1) != TOKEN_TAG)
        return CODE_token_malformed;
    bool same =
        mac_text(key, text, signed_len, tag) == MT_OK && CRYPTO_memcmp(tag, at, TOKEN_TAG) == 0;
    OPENSSL_cleanse(tag, sizeof tag);
    if (!same)
        return CODE_token_bad;
    *uid = (uid_t)number;
    return now < *expires ? CODE_ok : CODE_token_expired;
}

bool token_is_like(const char *text)
{
    return strncmp(text, PREFIX, strlen(PREFIX)) == 0;
}

enum mt_status account_name(uid_t uid, const char *user, char out[ACCOUNT_SIZE])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    if (EVP_Digest(user, strlen(user), sum, NULL, EVP_sha256(), NULL) != 1)
        return MT_CRYPTO;
    (void)snprintf(out, ACCOUNT_SIZE, "mt_%u_%02x%02x%02x%02x", uid, sum[0], sum[1], sum[2],
                   sum[3]);
    return MT_OK;
}

enum mt_status account_password(const unsigned char key[TOKEN_KEY_BYTES], const char *account,
                                char out[PASSWORD_SIZE])
{
    static const char purpose[] = "account"; /* with its terminator */
    char text[sizeof purpose + ACCOUNT_SIZE];
    char tag[TOKEN_TAG + 1];
    size_t len = strnlen(account, ACCOUNT_SIZE - 1);
    memcpy(text, purpose, sizeof purpose);
    memcpy(text + sizeof purpose, account, len);
    enum mt_status status = mac_text(key, text, sizeof purpose + len, tag);
    if (status == MT_OK) {
        memcpy(out, tag, PASSWORD_SIZE - 1);
        out[PASSWORD_SIZE - 1] = '\0';
    }
    OPENSSL_cleanse(tag, sizeof tag);
    return status;
}
