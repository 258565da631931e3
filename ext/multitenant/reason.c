/* SPDX-License-Identifier: MIT */
#include "reason.h"

static const struct {
    const char *code;
    const char *sentence;
    unsigned kind;
} table[] = {
#define X(code, kind, sentence) {#code, sentence, kind},
    MT_REASON_TABLE(X)
#undef X
        [MT_REASON_COUNT] = {"untried", "It was not looked at yet.", MT_TEMPORARY},
};

static unsigned known(enum mt_reason reason)
{
    return (unsigned)reason < MT_REASON_COUNT ? reason : MT_REASON_COUNT;
}

const char *mt_reason_code(enum mt_reason reason)
{
    return table[known(reason)].code;
}

const char *mt_reason_sentence(enum mt_reason reason)
{
    return table[known(reason)].sentence;
}

bool mt_reason_is_temporary(enum mt_reason reason)
{
    return table[known(reason)].kind & MT_TEMPORARY;
}

bool mt_reason_is_outer(enum mt_reason reason)
{
    return table[known(reason)].kind & MT_OUTER;
}

enum mt_status mt_refuse(enum mt_reason why, enum mt_reason *reason)
{
    if (why == MT_REASON_ok)
        return MT_OK;
    *reason = why;
    return MT_REFUSED;
}
