/* SPDX-License-Identifier: MIT */
/* What a program says on standard error: one sentence, "NAME: SENTENCE", printable ASCII only. */
#pragma once

#include "attr.h"

/*
 * Says a sentence in printf's format, without its full stop. Once in a process: the first one wins,
 * as it is the nearest to the cause.
 *
 * Returns `status`, one of sysexits.h, so that a caller can say and return in one line.
 */
MT_NONNULL(2) MT_PRINTF(2, 3) int mt_say(int status, const char *format, ...);

/* Says that there is no memory. Returns 71 (EX_OSERR). */
int mt_say_no_memory(void);

/* Says `count` texts as one sentence. Async-signal-safe. */
MT_NONNULL_ALL void mt_say_joined(const char *const *texts, size_t count);

/* From here on sentences go to this descriptor. */
void mt_say_to(int descriptor);
