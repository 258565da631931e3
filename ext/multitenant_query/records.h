/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record stream as text: a header, one line for each job, and the count. One JSON object a
 * line; doc/formats.md has the whole format.
 */
#ifndef MT_RECORDS_H
#define MT_RECORDS_H

#include "attr.h"
#include "members.h"
#include "options.h"
#include "slurm_cluster.h"
#include "slurm_jobs.h"

#include <stdint.h>

/*
 * Each writes one line, which mt_lines_end and mt_lines_flush of the kit end. Other than 0, a
 * sentence was said.
 *
 * 0
 * 71 (EX_OSERR): no memory
 * 74 (EX_IOERR): it can't be written
 */

/* The header; `generated` is the time when Slurm was asked (seconds since the epoch). */
MT_NODISCARD MT_NONNULL_ALL int mt_records_head(const struct mt_slurm_cluster *cluster,
                                                const struct query_options *options,
                                                int64_t generated);

/*
 * A job and what the name service says of it. `with_allowed`: also whether the publisher is
 * allowed. A name or user that is not UTF-8 is written byte by byte as U+0000 to U+00FF, the name
 * with "binary":true.
 */
MT_NODISCARD MT_NONNULL_ALL int mt_records_job(const char *cluster, const struct mt_job *job,
                                               const struct mt_member_answer *answer,
                                               bool with_allowed);

#endif
