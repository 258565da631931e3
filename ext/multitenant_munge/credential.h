/* SPDX-License-Identifier: MIT */
/* A MUNGE credential, opened by munged as the user that this process runs as. */
#ifndef MT_CREDENTIAL_H
#define MT_CREDENTIAL_H

#include "attr.h"

#include <munge.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * What is in it. `status` is libmunge's error number: with EMUNGE_SUCCESS and those of a credential
 * that is expired, rewound or replayed, for which munged gives the contents too (dec.c: only after
 * authentication, MAC and restriction were checked), the rest is set; else it is zero.
 */
struct mt_credential {
    munge_err_t status;
    bool open;      /* the rest is set */
    uid_t uid;      /* who made it, as munged saw them */
    uid_t uid_only; /* MUNGE_UID_ANY, or who alone may open it */
    gid_t gid_only; /* MUNGE_GID_ANY, or whose members alone may */
    char *payload;  /* `len` bytes and a NUL; NULL where there are none */
    size_t len;
};

/*
 * Opens `text`. `socket` is munged's, or NULL for libmunge's default. Blocks while munged does not
 * answer. Returns false where munged can't be asked (no memory, too), and out->status is why. The
 * caller frees *out.
 */
MT_NODISCARD MT_NONNULL(1, 3) bool mt_credential_open(const char *text, const char *socket,
                                                      struct mt_credential *out);

/* Frees the payload, wiped; a zeroed one is fine. */
MT_NONNULL_ALL void mt_credential_free(struct mt_credential *credential);

#endif
