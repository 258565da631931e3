/* SPDX-License-Identifier: MIT */
/* The time limit of a program: at its end the process ends, whatever it waits for. */
#ifndef MT_TIMEOUT_H
#define MT_TIMEOUT_H

#include "attr.h"

#include <stdbool.h>

/* Reads seconds, 0.1 to 3600. */
MT_NODISCARD MT_NONNULL_ALL bool mt_timeout_read(const char *text, double *seconds);

/*
 * Ends the process after `seconds` with status 75 (EX_TEMPFAIL) and `sentence` on standard error,
 * by SIGALRM. Returns false with errno where no timer can be set.
 */
MT_NODISCARD MT_NONNULL_ALL bool mt_timeout_start(double seconds, const char *sentence);

/* What it says from now on. The text must live on. */
MT_NONNULL_ALL void mt_timeout_says(const char *sentence);

#endif
