/* SPDX-License-Identifier: MIT */
/*
 * The key envelope: MTK1:base64url(key id | nonce | AES-256-GCM(deflate(message)) | tag). Its key
 * is derived from one of the group's for this job of this user alone, and the name before the
 * payload is authenticated with it: nothing of a name can be changed or be of use to another job.
 */
#include "envelope_key.h"

#include "base64.h"
#include "deflate.h"
#include "envelope.h"
#include "mt_limits.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>

#define MARK_LEN (sizeof MT_KEY_MARK - 1)
#define TAG_BYTES 16
#define HEAD_BYTES (MT_KEY_ID_BYTES + MT_KEY_NONCE_BYTES)

/* MTK1, cluster, job and uid, with a NUL between them. Returns its length. */
static size_t write_info(const struct mt_record *record, char *out, size_t size)
{
    int len = snprintf(out, size, "MTK1%c%s%c%lu%c%lu", 0, record->cluster, 0,
                       (unsigned long)record->job_id, 0, (unsigned long)record->uid);
    return (size_t)len;
}

/* The key of this job: HKDF-SHA256 without salt (RFC 5869). */
static bool derive(const struct mt_key *key, const struct mt_record *record,
                   unsigned char out[MT_KEY_BYTES])
{
    char info[MT_NAME_MAX + 32];
    size_t info_len = write_info(record, info, sizeof info);
    size_t len = MT_KEY_BYTES;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    bool ok = info_len < sizeof info && ctx && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_CTX_set1_hkdf_key(ctx, key->bytes, MT_KEY_BYTES) == 1 &&
              EVP_PKEY_CTX_add1_hkdf_info(ctx, (unsigned char *)info, (int)info_len) == 1 &&
              EVP_PKEY_derive(ctx, out, &len) == 1 && len == MT_KEY_BYTES;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* A context with the job's key and nonce, or NULL. */
static EVP_CIPHER_CTX *new_context(const struct mt_key *key, const struct mt_record *record,
                                   const unsigned char *nonce, int encrypt)
{
    unsigned char derived[MT_KEY_BYTES];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && derive(key, record, derived) &&
              EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, derived, nonce, encrypt) == 1;
    OPENSSL_cleanse(derived, sizeof derived);
    if (!ok) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* Authenticates what stands in the name up to and including MTK1:. */
static bool add_name(EVP_CIPHER_CTX *ctx, const char *prefix, size_t prefix_len)
{
    int some;
    return EVP_CipherUpdate(ctx, NULL, &some, (const unsigned char *)prefix, (int)prefix_len) ==
               1 &&
           EVP_CipherUpdate(ctx, NULL, &some, (const unsigned char *)MT_KEY_MARK, MARK_LEN) == 1;
}

/* ---- sealing ---- */

/* Appends ciphertext and tag to `out`. */
static enum mt_status encrypt(EVP_CIPHER_CTX *ctx, const struct mt_buf *packed, struct mt_buf *out)
{
    int some = 0;
    int rest = 0;
    enum mt_status status = mt_buf_reserve(out, packed->len + TAG_BYTES);
    if (status != MT_OK)
        return status;
    unsigned char *to = (unsigned char *)out->data + out->len;
    if (EVP_EncryptUpdate(ctx, to, &some, (const unsigned char *)packed->data, (int)packed->len) !=
            1 ||
        EVP_EncryptFinal_ex(ctx, to + some, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, to + packed->len) != 1)
        return MT_CRYPTO;
    out->len += packed->len + TAG_BYTES;
    return MT_OK;
}

enum mt_status mt_envelope_key_seal(const struct mt_record *record, const char *prefix,
                                    size_t prefix_len, const struct mt_key *key,
                                    const unsigned char nonce[MT_KEY_NONCE_BYTES], const char *text,
                                    size_t len, struct mt_buf *out)
{
    struct mt_buf packed = MT_BUF_INIT(MT_JOBNAME_MAX);
    struct mt_buf sealed = MT_BUF_INIT(MT_JOBNAME_MAX);
    EVP_CIPHER_CTX *ctx = NULL;
    enum mt_status status = MT_TOO_LARGE;

    (void)ERR_set_mark();
    if (prefix_len > MT_JOBNAME_MAX)
        goto out;
    if ((status = mt_deflate_raw(text, len, &packed)) != MT_OK ||
        (status = mt_buf_append(&sealed, key->id, MT_KEY_ID_BYTES)) != MT_OK ||
        (status = mt_buf_append(&sealed, nonce, MT_KEY_NONCE_BYTES)) != MT_OK)
        goto out;
    status = MT_CRYPTO;
    ctx = new_context(key, record, nonce, 1);
    if (!ctx || !add_name(ctx, prefix, prefix_len))
        goto out;
    if ((status = encrypt(ctx, &packed, &sealed)) != MT_OK ||
        (status = mt_buf_append(out, MT_KEY_MARK, MARK_LEN)) != MT_OK)
        goto out;
    status = mt_base64url_encode(sealed.data, sealed.len, out);
out:
    EVP_CIPHER_CTX_free(ctx);
    (void)ERR_pop_to_mark();
    mt_buf_wipe(&packed);
    mt_buf_wipe(&sealed);
    return status;
}

/* ---- opening ---- */

/* The payload, which begins with MTK1:, as bytes: key id, nonce, ciphertext and tag. */
enum mt_status mt_envelope_key_decode(const char *payload, size_t len, struct mt_buf *sealed,
                                      enum mt_reason *reason)
{
    enum mt_status status =
        mt_envelope_to_reason(mt_base64url_decode(payload + MARK_LEN, len - MARK_LEN, sealed),
                              MT_REASON_bad_base64, reason);
    if (status == MT_OK && sealed->len <= HEAD_BYTES + TAG_BYTES)
        status = mt_refuse(MT_REASON_bad_cipher, reason);
    return status;
}

bool mt_envelope_key_id(const char *payload, size_t len, unsigned char id[MT_KEY_ID_BYTES])
{
    struct mt_buf sealed = MT_BUF_INIT(MT_JOBNAME_MAX);
    enum mt_reason reason;
    bool ok = mt_envelope_of(payload, len) == MT_ENVELOPE_KEY &&
              mt_envelope_key_decode(payload, len, &sealed, &reason) == MT_OK;
    if (ok)
        memcpy(id, sealed.data, MT_KEY_ID_BYTES);
    mt_buf_wipe(&sealed);
    return ok;
}

/* The group's key that a payload names. envelope_unavailable: it can't be had here, or not yet. */
static enum mt_status find_key(const struct mt_record *record, const struct mt_settings *settings,
                               const struct mt_buf *sealed, struct mt_key *out,
                               enum mt_reason *reason)
{
    struct mt_keyring ring;
    char why[MT_WHY_SIZE];
    const enum mt_reason unavailable = MT_REASON_envelope_unavailable;
    if (!settings->keys || record->group_known != MT_YES)
        return mt_refuse(unavailable, reason);
    enum mt_status status = mt_keyring_load(settings->keys, record->group_gid, &ring, why);
    if (status != MT_OK)
        return status == MT_NOMEM ? status : mt_refuse(unavailable, reason);
    const struct mt_key *key = mt_keyring_find(&ring, (const unsigned char *)sealed->data);
    if (key)
        *out = *key;
    mt_keyring_wipe(&ring);
    return key ? MT_OK : mt_refuse(unavailable, reason);
}

static enum mt_status decrypt(const struct mt_record *record, const struct mt_key *key,
                              const struct mt_buf *sealed, struct mt_buf *packed,
                              enum mt_reason *reason)
{
    const struct mt_jobname *name = &record->parts;
    const unsigned char *nonce = (const unsigned char *)sealed->data + MT_KEY_ID_BYTES;
    const unsigned char *from = nonce + MT_KEY_NONCE_BYTES;
    size_t len = sealed->len - HEAD_BYTES - TAG_BYTES;
    int some = 0;
    int rest = 0;

    (void)ERR_set_mark();
    enum mt_status status = MT_CRYPTO;
    EVP_CIPHER_CTX *ctx = new_context(key, record, nonce, 0);
    if (!ctx || !add_name(ctx, name->label, (size_t)(name->payload - name->label)))
        goto out;
    if ((status = mt_buf_reserve(packed, len)) != MT_OK)
        goto out;
    status = MT_CRYPTO;
    if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, (void *)(from + len)) != 1)
        goto out;
    unsigned char *to = (unsigned char *)packed->data;
    bool ok = EVP_DecryptUpdate(ctx, to, &some, from, (int)len) == 1 &&
              EVP_DecryptFinal_ex(ctx, to + some, &rest) == 1;
    packed->len = (size_t)some;
    status = ok ? MT_OK : mt_refuse(MT_REASON_bad_cipher, reason);
out:
    EVP_CIPHER_CTX_free(ctx);
    (void)ERR_pop_to_mark();
    return status;
}

enum mt_status mt_envelope_key_unseal(const struct mt_record *record,
                                      const struct mt_settings *settings,
                                      const struct mt_opened *opened, const struct mt_buf *sealed,
                                      struct mt_buf *text, enum mt_reason *reason)
{
    struct mt_buf packed = MT_BUF_INIT(MT_JOBNAME_MAX);
    struct mt_key key = {0};
    (void)opened;
    enum mt_status status = find_key(record, settings, sealed, &key, reason);
    if (status == MT_OK)
        status = decrypt(record, &key, sealed, &packed, reason);
    if (status == MT_OK)
        status = mt_envelope_to_reason(mt_inflate_raw(packed.data, packed.len, text),
                                       MT_REASON_bad_gzip, reason);
    OPENSSL_cleanse(&key, sizeof key);
    mt_buf_wipe(&packed);
    return status;
}
