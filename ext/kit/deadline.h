/* SPDX-License-Identifier: MIT */
/*
 * The two deadlines of a program. Up to the soft one it waits for answers and then goes on with
 * what it has. At the hard one, the time of --timeout, the process ends, whatever it waits for,
 * with a sentence that names the step in which it was.
 */
#pragma once

#include "attr.h"
#include "mt_limits.h"

/* What a program waits for; the sentence is "LATE within 3 s; FIX". */
struct mt_step {
    const char *late;
    const char *fix;
};

/* The steps that every program has. */
extern const struct mt_step mt_step_input;
extern const struct mt_step mt_step_output;

/*
 * Ends the process with 75 (EX_TEMPFAIL) after `seconds`; the first step is mt_step_input. Once in
 * a process, before it has threads.
 *
 * 0
 * 71 (EX_OSERR): no timer can be set, which was said
 */
MT_NODISCARD int mt_deadline_start(double seconds);

/* What is done next; it must live on. */
MT_NONNULL_ALL void mt_deadline_step(const struct mt_step *step);

/* The step that goes on; NULL after mt_deadline_end. */
const struct mt_step *mt_deadline_current(void);

/* All is said and written: from here on the deadline ends the process with `status`, silently. */
void mt_deadline_end(int status);

/*
 * From here on the sentence quotes in brackets what `find` puts into `cause`, a text, "" for none.
 * It is called by a signal handler.
 */
MT_NONNULL_ALL void mt_deadline_quotes(void (*find)(char cause[MT_CAUSE_MAX + 1]));

/*
 * The soft deadline of what begins now, by the clock of clock.h: 85 % of the whole, or half of what
 * is left where that is later, so that what was learned can still be written.
 */
MT_NODISCARD int64_t mt_deadline_soft(void);
