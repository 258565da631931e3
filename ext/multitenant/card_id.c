/* SPDX-License-Identifier: MIT */
#include "card_id.h"

#include "text.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum mt_status mt_card_id_make(const char *cluster, uint32_t job_id, const char *session,
                               char out[MT_UUID_SIZE])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char job[MT_JOB_TEXT_SIZE];
    size_t n = mt_text_of_job(job_id, job);
    (void)ERR_set_mark();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    /* The terminators are hashed too: no two triples give one text. */
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, cluster, strlen(cluster) + 1) == 1 &&
              EVP_DigestUpdate(ctx, job, n + 1) == 1 &&
              EVP_DigestUpdate(ctx, session, strlen(session) + 1) == 1 &&
              EVP_DigestFinal_ex(ctx, hash, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    (void)ERR_pop_to_mark();
    if (!ok)
        return MT_CRYPTO;
    hash[6] = (unsigned char)((hash[6] & 0x0f) | 0x80);
    hash[8] = (unsigned char)((hash[8] & 0x3f) | 0x80);
    (void)snprintf(out, MT_UUID_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", hash[0],
                   hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7], hash[8], hash[9],
                   hash[10], hash[11], hash[12], hash[13], hash[14], hash[15]);
    return MT_OK;
}

bool mt_card_id_is_made(const char *uuid)
{
    return strlen(uuid) == MT_UUID_SIZE - 1 && uuid[14] == '8';
}
