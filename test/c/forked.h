/* SPDX-License-Identifier: MIT */
/* What the kit does to a process: seen from outside, in a child of the test. */
#pragma once

#include <stddef.h>

struct forked {
    int status; /* exit code; a signal's number below zero */
    char out[128 * 1024];
    char err[4096];
};

/*
 * Runs `body` in a child with `len` bytes of standard input, both outputs kept; the child ends with
 * what it returns.
 */
struct forked run_forked(int (*body)(void *argument), void *argument, const char *input,
                         size_t len);
