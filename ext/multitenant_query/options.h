/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of multitenant-query. */
#ifndef MT_OPTIONS_H
#define MT_OPTIONS_H

#include "attr.h"
#include "mt_limits.h"

#include <stdbool.h>
#include <stddef.h>

struct query_options {
    char keys[MT_WCKEYS_MAX][MT_QUERY_NAME_MAX + 1]; /* lower case, none twice */
    size_t key_count;                                /* at least 1 */
    char cluster[MT_QUERY_NAME_MAX + 1];             /* lower case; "": the own one */
    const char *publishers;                          /* group, borrows from argv; NULL: none */
};

/*
 * Reads the command line and starts the deadline. Returns true where the program is to go on; else
 * *status is as mt_program_begin's.
 */
MT_NODISCARD MT_NONNULL_ALL bool options_read(struct query_options *options, int argc, char **argv,
                                              int *status);

#endif
