/* SPDX-License-Identifier: MIT */
/* SHA-256 of a list of texts. */
#pragma once

#include "status.h"

#include <stddef.h>

#define MT_DIGEST_BYTES 32

/*
 * The SHA-256 of the texts, each with its terminator: no two lists give one input. Thread-safe.
 *
 * MT_OK
 * MT_CRYPTO
 */
MT_CHECKED enum mt_status mt_digest(const char *const *texts, size_t count,
                                    unsigned char out[MT_DIGEST_BYTES]);
