/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A daemon of Slurm's that does not answer. */
#ifndef MT_SLURM_FAILURE_H
#define MT_SLURM_FAILURE_H

#include "attr.h"

/*
 * Says that `daemon` did not answer, why (libslurm's own first error since the last step began, or
 * else what `error` means, an errno or one of Slurm's numbers), and where to look.
 *
 * Returns 69 (EX_UNAVAILABLE).
 */
MT_NONNULL_ALL int mt_slurm_failure(const char *daemon, int error);

#endif
