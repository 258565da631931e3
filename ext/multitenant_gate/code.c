/* SPDX-License-Identifier: MIT */
#include "code.h"

static const struct {
    const char *name;
    int status;
    const char *sentence;
} codes[] = {
#define X(name, status, sentence) {#name, status, sentence},
    CODE_TABLE(X)
#undef X
};

const char *code_name(enum code code)
{
    return codes[code].name;
}

const char *code_sentence(enum code code)
{
    return codes[code].sentence;
}

int code_status(enum code code)
{
    return codes[code].status;
}
