/* SPDX-License-Identifier: MIT */
#include "reason.h"

static const struct {
    const char *code;
    const char *sentence;
    bool temporary;
} table[] = {
#define X(code, temporary, sentence) {#code, sentence, temporary},
    MT_REASON_TABLE(X)
#undef X
};

const char *mt_reason_code(enum mt_reason reason)
{
    return table[reason].code;
}

const char *mt_reason_sentence(enum mt_reason reason)
{
    return table[reason].sentence;
}

bool mt_reason_is_temporary(enum mt_reason reason)
{
    return table[reason].temporary;
}
