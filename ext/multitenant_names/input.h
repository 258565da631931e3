/* SPDX-License-Identifier: MIT */
/* The questions of multitenant-names, as they come on its standard input. */
#ifndef MT_INPUT_H
#define MT_INPUT_H

#include "attr.h"
#include "mt_limits.h"

#include <stddef.h>
#include <sys/types.h>

/* `group` borrows from the input; "": none is named. */
struct question {
    uid_t uid;
    const char *group;
};

struct input {
    struct question *questions;
    size_t count;
    const char *error; /* of a status other than 0: what is wrong */
};

/*
 * Reads questions up to the end of `fd`: `UID NUL GROUP NUL` each, a decimal uid and a group's name
 * of at most MT_NAME_MAX bytes; at most MT_QUESTIONS_MAX of them. They stay until the process ends.
 *
 * Returns 0; 65 (EX_DATAERR): something else; 71 (EX_OSERR): no memory; 74 (EX_IOERR).
 */
MT_NODISCARD MT_NONNULL_ALL int input_read(struct input *input, int fd);

#endif
