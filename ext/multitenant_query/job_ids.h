/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several jobs by their ids, in one question to slurmctld. */
#pragma once

#include "attr.h"
#include "slurm_compat.h"

#include <errno.h>
#include <stddef.h>

#define MT_HELD_BACK ECANCELED

/* The next question to slurmctld is not sent, where libslurm lets us hold it back: it then fails
 * with MT_HELD_BACK in errno. */
void mt_job_ids_hold_back(void);

/*
 * Asks for the `count` jobs that `ids` name, after a question was held back. Those that slurmctld
 * does not know, or hides, are missing in *answer, and an array's id is its last task's alone.
 * Returns as slurm_load_jobs, whose answer the caller frees, or fails with MT_HELD_BACK in errno.
 */
MT_NODISCARD int mt_job_ids_load(job_info_msg_t **answer, uint32_t *ids, size_t count);
