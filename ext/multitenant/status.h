/* SPDX-License-Identifier: MIT */
/*
 * What a function of the core returns: whether it could do its work. What is wrong with a job's
 * name is not a status but a reason (reason.h).
 */
#pragma once

#include "attr.h"

/* code, name, sentence */
#define MT_STATUS_TABLE(X)                                                                        \
    X(MT_OK, "ok", "Done.")                                                                       \
    X(MT_INTERNAL, "internal", "The core met a state it should not reach; please report it.")     \
    X(MT_NOMEM, "no_memory", "There was not enough memory.")                                      \
    X(MT_CRYPTO, "crypto", "libcrypto could not do its work; is AES-256-CBC available?")          \
    X(MT_REFUSED, "refused", "What the job shares was refused; its reason says why.")             \
    X(MT_MALFORMED, "malformed", "The input is not of the expected form.")                        \
    X(MT_TOO_LARGE, "too_large", "The input is larger than its limit.")                           \
    X(MT_IO, "io", "A file or directory could not be read or written.")                           \
    X(MT_UNSAFE, "unsafe", "A path below the data root is a link, not ours, or of another kind.") \
    X(MT_BUSY, "busy",                                                                            \
      "Another process of this user is at the cards; the next refresh sees to them.")             \
    X(MT_SPAWN, "spawn", "The program could not be started.")                                     \
    X(MT_TIMEOUT, "timeout", "The program did not end before its deadline and was killed.")       \
    X(MT_CANCELLED, "cancelled", "Waiting for the program was interrupted.")

enum mt_status {
#define X(code, name, sentence) code,
    MT_STATUS_TABLE(X)
#undef X
        MT_STATUS_COUNT
};

/* The status's name and sentence; static strings. Any other number is named as MT_INTERNAL. */
MT_NODISCARD const char *mt_status_name(enum mt_status status);
MT_NODISCARD const char *mt_status_sentence(enum mt_status status);
