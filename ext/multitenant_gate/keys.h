/* SPDX-License-Identifier: MIT */
/* The two secrets of a service's state: what tokens are made with, and what its message tells. */
#pragma once

#include "mt_limits.h"
#include "token.h"

struct keys {
    unsigned char token[TOKEN_KEY_BYTES];
    char door[MT_DOOR_CHARS + 1];
};

/*
 * Makes what is missing of token.key and door, and of the directory. What is there stays, also
 * where several do this at once. Other than 0, a sentence was said.
 *
 * 0
 * 71 (EX_OSERR): no random numbers
 * 74 (EX_IOERR): it can't be written
 * 78 (EX_CONFIG): it is not a directory of this user's alone
 */
MT_CHECKED int keys_make(const char *directory);

/* Reads both. 0; 74 (EX_IOERR), 78 (EX_CONFIG): said. The caller wipes. */
MT_CHECKED int keys_load(const char *directory, struct keys *out);
MT_NONNULL_ALL void keys_wipe(struct keys *keys);
