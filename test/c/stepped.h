/* SPDX-License-Identifier: MIT */
/* A process that is stopped before each of its system calls. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Starts a process that does `body`, whatever that returns, and stops it before its nth system
 * call, counted from 1; 0: it has ended before. */
pid_t stop_before(int (*body)(void), size_t nth);

/* Lets it go on to the next call; false: it has ended. */
bool step(pid_t pid);

/* Kills it where it is. */
void kill_stopped(pid_t pid);

/* Lets it go on to its end. */
void go_on(pid_t pid);
