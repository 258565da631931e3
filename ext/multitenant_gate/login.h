/* SPDX-License-Identifier: MIT */
/* What a login brings, as form or as JSON, and what munged must say of its credential. */
#pragma once

#include "code.h"
#include "mt_limits.h"

#include <jansson.h>
#include <sys/types.h>

/* Texts borrow from the body. */
struct login {
    bool is_form;
    bool shows_key;
    const char *credential;
    const char *base; /* ""; of a form, under which path the service is met */
};

/*
 * Reads the body of a login; `body` is written to, and has room for one byte behind `len`. False:
 * it is not of the form, the credential is not the one text for its bytes, or it is too long.
 * *parsed is the caller's to release; the texts borrow from it, too.
 */

MT_CHECKED bool login_read(const char *content_type, char *body, size_t len, struct login *out,
                           json_t **parsed);

/* What munged said of a credential, as it comes through a pipe. */
struct credential {
    int status; /* munge_err_t */
    int cipher; /* MUNGE_CIPHER_* */
    int ttl;
    uid_t uid;      /* who made it */
    uid_t uid_only; /* who alone may open it */
    size_t len;
    char payload[MT_GATE_CREDENTIAL_MAX];
};

/* What it must be for. */
struct login_terms {
    uid_t publisher;
    const char *cluster;
    uint32_t job_id;
    uint32_t restarts;
    const char *door;
};

/*
 * CODE_ok, CODE_munge_unavailable, or why this credential lets nobody in: CODE_login_*. It is
 * CODE_login_replayed only where nothing else is wrong.
 */
MT_CHECKED enum code login_judge(const struct credential *said, const struct login_terms *terms);
