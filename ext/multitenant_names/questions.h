/* SPDX-License-Identifier: MIT */
/* The questions of multitenant-names, as they come on its standard input. */
#ifndef MT_QUESTIONS_H
#define MT_QUESTIONS_H

#include "attr.h"
#include "buf.h"

#include <stddef.h>
#include <sys/types.h>

/* `group` borrows from the input; "": none is named. */
struct question {
    uid_t uid;
    const char *group;
};

struct questions {
    struct question *items;
    size_t count;
    struct mt_buf input;
};

/*
 * Reads standard input to its end: `UID NUL GROUP NUL` each, a decimal uid and a group's name of at
 * most MT_NAME_MAX bytes; at most MT_QUESTIONS_MAX of them. They stay until the process ends. Other
 * than 0, a sentence was said.
 *
 * 0
 * 65 (EX_DATAERR): something else
 * 71 (EX_OSERR): no memory
 * 74 (EX_IOERR): it can't be read
 */
MT_NODISCARD MT_NONNULL_ALL int questions_read(struct questions *questions);

#endif
