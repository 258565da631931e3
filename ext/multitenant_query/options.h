/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of multitenant-query. */
#ifndef MT_OPTIONS_H
#define MT_OPTIONS_H

#include "attr.h"
#include "mt_limits.h"

#include <stddef.h>

/* Bytes of a WCKey that is asked for, and of a cluster's name. */
#define MT_OPTION_KEY_MAX 64

/* Seconds that --timeout may name, and its default. */
#define MT_TIMEOUT_MIN 0.1
#define MT_TIMEOUT_MAX 3600.0
#define MT_TIMEOUT_DEFAULT "3"

struct mt_options {
    char keys[MT_WCKEYS_MAX][MT_OPTION_KEY_MAX + 1]; /* lower case, none twice */
    size_t key_count;                                /* at least 1 */
    char cluster[MT_OPTION_KEY_MAX + 1];             /* lower case; "": the own one */
    const char *publishers;                          /* group, borrows from argv; NULL: none */
    const char *timeout_text;                        /* as it was typed */
    double timeout;                                  /* seconds */
};

/* Where the command line leads. */
enum mt_options_result { MT_OPTIONS_RUN, MT_OPTIONS_HELP, MT_OPTIONS_VERSION, MT_OPTIONS_BAD };

/* The text of --help. */
extern const char mt_options_help[];

/* Reads the command line into *options. MT_OPTIONS_BAD: a sentence was said. */
MT_NODISCARD MT_NONNULL_ALL enum mt_options_result mt_options_read(struct mt_options *options,
                                                                   int argc, char **argv);

#endif
