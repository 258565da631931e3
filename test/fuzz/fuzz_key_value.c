/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of slurm.conf: what is matched by hand is what the C library matches. */
#include "block.h"
#include "key_value.h"

#include <dlfcn.h>

#define LINE_MAX_BYTES 2000

typedef int compile_fn(regex_t *, const char *, int);
typedef int match_fn(const regex_t *, const char *, size_t, regmatch_t *, int);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static match_fn *match;
    static regex_t expression;
    regmatch_t expected[MT_KEY_VALUE_MATCHES];
    regmatch_t matches[MT_KEY_VALUE_MATCHES];
    if (!match) {
        match = (match_fn *)dlsym(RTLD_NEXT, "regexec");
        ((compile_fn *)dlsym(RTLD_NEXT, "regcomp"))(&expression, MT_KEY_VALUE, REG_EXTENDED);
    }
    if (size > LINE_MAX_BYTES || memchr(data, '\0', size))
        return 0;
    char *line = text_of(data, size);
    int status = mt_key_value_match(line, matches);
    if (status != match(&expression, line, MT_KEY_VALUE_MATCHES, expected, 0) ||
        (status == 0 && memcmp(matches, expected, sizeof matches) != 0))
        abort();
    free(line);
    return 0;
}
