/* SPDX-License-Identifier: MIT */
/*
 * Credentials that have logged somebody in: a munged remembers them, too, but forgets when it
 * starts again, and another host's never knew.
 */
#pragma once

#include "attr.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nonces;

/* NULL without memory; the caller frees. */
MT_NODISCARD struct nonces *nonces_new(void);
void nonces_free(struct nonces *nonces);

enum nonce {
    NONCE_NEW,  /* and remembered from now on */
    NONCE_USED, /* seen before */
    NONCE_FULL  /* there is no room to remember it, or none for one more of this user's */
};

/* Of a user's credential, when munged still takes it. */
MT_CHECKED enum nonce nonces_use(struct nonces *nonces, const char *credential, uid_t uid,
                                 int64_t now);
