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
#include <stdio.h>

/*
 * Each writes one line. 0; 71 (EX_OSERR): no memory; 74 (EX_IOERR): it could not be written. Other
 * than 0, a sentence was said.
 */

/* The header; `generated` is the time when Slurm was asked (seconds since the epoch). */
MT_NODISCARD MT_NONNULL_ALL int mt_records_head(FILE *out, const struct mt_cluster *cluster,
                                                const struct mt_options *options,
                                                int64_t generated);

/*
 * A job and what the name service says of it. `with_allowed`: also whether the publisher is
 * allowed. A name or user that is not UTF-8 is written byte by byte as U+0000 to U+00FF, the name
 * with "binary":true.
 */
MT_NODISCARD MT_NONNULL_ALL int mt_records_job(FILE *out, const char *cluster,
                                               const struct mt_job *job,
                                               const struct mt_member_answer *answer,
                                               bool with_allowed);

/* The last line, and all that is still buffered. */
MT_NODISCARD MT_NONNULL_ALL int mt_records_end(FILE *out, size_t count);

/* Without the last line: only what is buffered. */
MT_NODISCARD MT_NONNULL_ALL int mt_records_cut(FILE *out);

#endif
