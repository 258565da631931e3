/* SPDX-License-Identifier: MIT */
/* nginx: a child of the gate, in a process group of its own, which ends as a whole. */
#pragma once

#include "attr.h"

#include <sys/types.h>

/* Starts it; other than 0, 71 (EX_OSERR), a sentence was said. */
MT_CHECKED int nginx_start(char *const argv[], pid_t *out);

/* Ends the group: asks its processes to, and kills them after a few seconds. The master may have
 * ended before, which was reaped then. */
void nginx_end(pid_t nginx, bool ended);
