/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one regular expression by which libslurm reads slurm.conf, matched by hand. */
#pragma once

#include "attr.h"

#include <regex.h>

/* src/common/parse_config.c, the same in 22.05 to 26.05; compiled with REG_EXTENDED. */
#define MT_KEY_VALUE                                                  \
    "^[[:space:]]*([[:alnum:]_.]+)[[:space:]]*([-*+/]?)=[[:space:]]*" \
    "((\"([^\"]*)\")|([^[:space:]]+))([[:space:]]|$)"

enum { MT_KEY_VALUE_MATCHES = 8 };

/*
 * What regexec() says of `line` in the C locale, and the same matches: of the whole, and of each
 * pair of parentheses.
 *
 * 0
 * REG_NOMATCH
 */
MT_NONNULL_ALL int mt_key_value_match(const char *line, regmatch_t matches[MT_KEY_VALUE_MATCHES]);
