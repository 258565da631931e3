/* SPDX-License-Identifier: MIT */
/*
 * How a program begins: its command line, and standard input. Every program has --help, --version
 * and --timeout, takes no arguments but options, and answers wrong usage with one sentence that
 * names what is wrong and refers to --help.
 */
#pragma once

#include "buf.h"

#include <getopt.h>

struct mt_program {
    const char *help;             /* the text of --help */
    const char *built_with;       /* follows the version, " (Slurm 22.05.8)"; NULL: nothing */
    const struct option *options; /* its own, in lower-case letters, and MT_OPTIONS_OF_ALL */
    double timeout;               /* seconds, where --timeout is not given; 0: it has no deadline */

    /* Takes one of its own options. 0; 64 (EX_USAGE) by mt_usage. */
    int (*take)(void *options, int option, const char *value);
};

/* The end of a program's table of options, and of that of one that runs until it is told to end. */
/* clang-format off */
#define MT_OPTIONS_OF_ALL {"timeout", required_argument, NULL, 'T'}, MT_OPTIONS_OF_DAEMONS
#define MT_OPTIONS_OF_DAEMONS \
    {"help", no_argument, NULL, 'H'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}
/* clang-format on */

/* Says what is wrong with the command line, and where to look. Returns 64 (EX_USAGE). */
MT_NONNULL_ALL MT_PRINTF(1, 2) int mt_usage(const char *format, ...);

/* Reads a decimal number of 32 bits, without a sign; false: the text is not one. */
MT_CHECKED bool mt_program_number(const char *text, uint32_t *out);

/*
 * Reads the command line and starts the deadline; `options` is handed to `take`. Sees to it that
 * descriptors 0 to 2 are open, or else what a library opens could become one of them. Returns true
 * where the program is to go on; else *status is what it ends with:
 *
 * 0: --help or --version was printed
 * 64 (EX_USAGE): said
 * 71 (EX_OSERR): no timer can be set, which was said
 * 74 (EX_IOERR): standard output can't be written, which was said
 */
MT_CHECKED bool mt_program_begin(const struct mt_program *program, int argc, char **argv,
                                 void *options, int *status);

/*
 * Appends standard input, up to its end, to `text`. Other than 0, a sentence was said. The caller
 * wipes `text` in any case.
 *
 * 0
 * 65 (EX_DATAERR): it is longer than `text` may be
 * 71 (EX_OSERR): no memory
 * 74 (EX_IOERR): it can't be read
 */
MT_CHECKED int mt_input_read(struct mt_buf *text);
