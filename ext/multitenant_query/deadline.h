/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The deadline, and the end of the process by libslurm's hand.
 *
 * A hung slurmdbd, slurmctld, munged or name service blocks for 38 seconds and more inside of
 * libslurm, which has no time limit to set; and libslurm ends the process on a configuration that
 * it can't use (fatal(), src/common/log.c). Both become one sentence that names the step in which
 * it was, and an exit code of sysexits.h.
 */
#ifndef MT_DEADLINE_H
#define MT_DEADLINE_H

#include "attr.h"

#include <time.h>

enum mt_step {
    MT_STEP_CONF,      /* libslurm reads its configuration */
    MT_STEP_SLURMCTLD, /* slurmctld is asked */
    MT_STEP_SLURMDBD,  /* slurmdbd is asked */
    MT_STEP_NAMES,     /* the name service is asked */
    MT_STEP_OUTPUT,    /* the records are written */
    MT_STEP_END,       /* connections are closed; see mt_deadline_end */
};

/*
 * Ends the process with 75 (EX_TEMPFAIL) after `seconds`, which the sentence calls `text`, and an
 * exit() by others with 78 (EX_CONFIG) while Slurm is asked. `text` must live on.
 *
 * Returns 0, or 71 (EX_OSERR) with a sentence said. Once in a process, before it has threads.
 */
MT_NODISCARD MT_NONNULL_ALL int mt_deadline_start(double seconds, const char *text);

/* Says what is done next. Also sets errlog's mark. */
void mt_deadline_step(enum mt_step step);

/* All is said and written: from here on the deadline ends the process with `status`, silently. */
void mt_deadline_end(int status);

/*
 * The time (CLOCK_MONOTONIC) up to which the name service may be waited for: 85 % of the whole, or
 * half of what is left where that is later, so that the records can still be written.
 */
MT_NONNULL_ALL void mt_deadline_soft(struct timespec *at);

#endif
