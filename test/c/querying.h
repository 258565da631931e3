/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multitenant-query as a whole, in a child, with a Slurm and a name service of the test's own. Link
 * with --wrap of $(querying_wraps).
 */
#pragma once

#include "forked.h"
#include "own_slurm.h"

/* Each test begins with it: own_slurm_reset, and prof (1001) is in group class (3000), student
 * (2001) and all others are not. No SLURM_CONF is set. */
void querying_setup(void);

/*
 * Runs the program with `--wckey multitenant --timeout 60` and further options, blanks between. It
 * ends with EX_SOFTWARE where an answer of libslurm's was not freed.
 */
struct forked query(const char *options, const char *input);

/* The same, but that the allocation `nth` fails; *reached is whether there were so many. */
struct forked query_starved(const char *options, const char *input, size_t nth, bool *reached);
