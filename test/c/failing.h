/* SPDX-License-Identifier: MIT */
/* Allocations that fail at a test's wish. Link with --wrap of $(failing_wraps), see the Makefile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * From here on the allocation `nth`, counted from 1, of the linked modules fails, in whatever
 * thread; 0: none does.
 */
void fail_allocation(size_t nth);

/* From here on none fails. Returns whether one did. */
bool stop_failing(void);

/* For functions that a suite wraps itself: does this call fail? Then errno is ENOMEM. */
bool allocation_fails(void);
