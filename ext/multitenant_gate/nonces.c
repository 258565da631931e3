/* SPDX-License-Identifier: MIT */
#include "nonces.h"

#include "clock.h"
#include "digest.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

/* munged takes a credential within its TTL before and after the time that it says. */
#define REMEMBERED (2 * MT_LOGIN_TTL_MAX * MT_SECOND)

/* A ring, the oldest first. */
struct nonces {
    size_t first;
    size_t count;
    struct {
        unsigned char digest[MT_DIGEST_BYTES];
        int64_t until;
        uid_t uid;
    } items[MT_GATE_NONCES_MAX];
};

struct nonces *nonces_new(void)
{
    return calloc(1, sizeof(struct nonces));
}

void nonces_free(struct nonces *nonces)
{
    free(nonces);
}

enum nonce nonces_use(struct nonces *nonces, const char *credential, uid_t uid, int64_t now)
{
    size_t own = 0;
    unsigned char digest[MT_DIGEST_BYTES];
    if (mt_digest(&credential, 1, digest) != MT_OK)
        return NONCE_FULL;
    while (nonces->count > 0 && nonces->items[nonces->first].until <= now) {
        nonces->first = (nonces->first + 1) % MT_GATE_NONCES_MAX;
        nonces->count--;
    }
    for (size_t i = 0; i < nonces->count; i++) {
        size_t at = (nonces->first + i) % MT_GATE_NONCES_MAX;
        if (memcmp(nonces->items[at].digest, digest, sizeof digest) == 0)
            return NONCE_USED;
        own += nonces->items[at].uid == uid;
    }
    if (nonces->count == MT_GATE_NONCES_MAX || own >= MT_GATE_NONCES_USER_MAX)
        return NONCE_FULL;
    size_t last = (nonces->first + nonces->count++) % MT_GATE_NONCES_MAX;
    memcpy(nonces->items[last].digest, digest, sizeof digest);
    nonces->items[last].until = now + REMEMBERED;
    nonces->items[last].uid = uid;
    return NONCE_NEW;
}
