/* SPDX-License-Identifier: MIT */
/*
 * The v1 envelope: base64(AES-256-CBC(gzip(message))). Its key is made of public values, so it
 * hides the message from a glance and from nobody else (SECURITY.md).
 */
#include "base64.h"
#include "deflate.h"
#include "envelope.h"
#include "mt_limits.h"
#include "text.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define KEY_BYTES 32
#define IV_BYTES 16
#define BLOCK_BYTES 16

/*
 * The text itself is the key or iv: zero bytes fill it up, and what is longer is cut, as
 * `openssl enc -K -iv` does with too short and too long hexadecimal.
 */
static void fill(unsigned char *out, size_t size, const char *text)
{
    size_t len = strlen(text);
    memset(out, 0, size);
    memcpy(out, text, len < size ? len : size);
}

static enum mt_status decrypt(const struct mt_record *record, const struct mt_buf *sealed,
                              struct mt_buf *plain, enum mt_reason *reason)
{
    enum mt_status status = MT_CRYPTO;
    unsigned char key[KEY_BYTES];
    unsigned char iv[IV_BYTES];
    char job_id[MT_JOB_TEXT_SIZE];
    char text[MT_NAME_MAX + MT_JOB_TEXT_SIZE];
    int some = 0;
    int rest = 0;

    (void)mt_text_of_job(record->job_id, job_id);
    (void)snprintf(text, sizeof text, "%s%s", job_id, record->user);
    fill(key, sizeof key, text);
    (void)snprintf(text, sizeof text, "%s%s", job_id, job_id);
    fill(iv, sizeof iv, text);

    (void)ERR_set_mark();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || EVP_DecryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv) != 1)
        goto out;
    if ((status = mt_buf_reserve(plain, sealed->len + EVP_MAX_BLOCK_LENGTH)) != MT_OK)
        goto out;
    unsigned char *to = (unsigned char *)plain->data;
    bool ok = EVP_DecryptUpdate(ctx, to, &some, (const unsigned char *)sealed->data,
                                (int)sealed->len) == 1 &&
              EVP_DecryptFinal_ex(ctx, to + some, &rest) == 1;
    plain->len = (size_t)(some + rest);
    status = ok ? MT_OK : mt_refuse(MT_REASON_bad_cipher, reason);
out:
    EVP_CIPHER_CTX_free(ctx);
    (void)ERR_pop_to_mark();
    OPENSSL_cleanse(key, sizeof key);
    return status;
}

enum mt_status mt_envelope_v1_decode(const char *payload, size_t len, struct mt_buf *sealed,
                                     enum mt_reason *reason)
{
    enum mt_status status =
        mt_envelope_to_reason(mt_base64_decode(payload, len, sealed), MT_REASON_bad_base64, reason);
    if (status == MT_OK && sealed->len % BLOCK_BYTES != 0)
        status = mt_refuse(MT_REASON_bad_cipher, reason);
    return status;
}

enum mt_status mt_envelope_v1_unseal(const struct mt_record *record,
                                     const struct mt_settings *settings,
                                     const struct mt_opened *opened, const struct mt_buf *sealed,
                                     struct mt_buf *text, enum mt_reason *reason)
{
    struct mt_buf packed = MT_BUF_INIT(MT_JOBNAME_MAX + EVP_MAX_BLOCK_LENGTH);
    (void)settings;
    (void)opened;
    enum mt_status status = decrypt(record, sealed, &packed, reason);
    if (status == MT_OK)
        status = mt_envelope_to_reason(mt_inflate_gzip(packed.data, packed.len, text),
                                       MT_REASON_bad_gzip, reason);
    mt_buf_wipe(&packed);
    return status;
}
