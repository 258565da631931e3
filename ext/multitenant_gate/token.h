/* SPDX-License-Identifier: MIT */
/*
 * Tokens: mt1.UID.EXP.TAG, where TAG is the HMAC-SHA256 of what stands before it in base64url; and
 * the accounts of databases, whose passwords come from the same key.
 */
#pragma once

#include "code.h"
#include "status.h"

#include <sys/types.h>

#define TOKEN_KEY_BYTES 32
#define TOKEN_TAG 43                                     /* characters */
#define TOKEN_SIZE (4 + 10 + 1 + 12 + 1 + TOKEN_TAG + 1) /* with its terminator */
#define TOKEN_EXPIRES_MAX 999999999999

/* Writes the token of a user who may come in until `expires`. MT_OK, MT_CRYPTO. */
MT_CHECKED enum mt_status token_make(const unsigned char key[TOKEN_KEY_BYTES], uid_t uid,
                                     int64_t expires, char out[TOKEN_SIZE]);

/*
 * Whose token is it, and until when? Compared in constant time.
 *
 * CODE_ok: *uid and *expires are set
 * CODE_token_malformed: not of this form
 * CODE_token_bad: not made with this key
 * CODE_token_expired
 */
MT_CHECKED enum code token_check(const unsigned char key[TOKEN_KEY_BYTES], const char *text,
                                 int64_t now, uid_t *uid, int64_t *expires);

/* Whether the text begins as a token does. */
MT_CHECKED bool token_is_like(const char *text);

#define ACCOUNT_SIZE (3 + 10 + 1 + 8 + 1)
#define PASSWORD_SIZE 33

/* The account of a user, by number and name: numbers are given to others later. */
MT_CHECKED enum mt_status account_name(uid_t uid, const char *user, char out[ACCOUNT_SIZE]);

/* Its password, the same one for as long as the service has this key. */
MT_CHECKED enum mt_status account_password(const unsigned char key[TOKEN_KEY_BYTES],
                                           const char *account, char out[PASSWORD_SIZE]);
