/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

enum mt_status mt_digest(const char *const *texts, size_t count, unsigned char out[MT_DIGEST_BYTES])
{
    (void)ERR_set_mark();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < count && ok; i++)
        ok = EVP_DigestUpdate(ctx, texts[i], strlen(texts[i]) + 1) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    (void)ERR_pop_to_mark();
    return ok ? MT_OK : MT_CRYPTO;
}
