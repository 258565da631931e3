/* SPDX-License-Identifier: MIT */
#include "status.h"

static const struct {
    const char *name;
    const char *sentence;
} table[] = {
#define X(code, name, sentence) {name, sentence},
    MT_STATUS_TABLE(X)
#undef X
};

static enum mt_status known(enum mt_status status)
{
    return (unsigned)status < MT_STATUS_COUNT ? status : MT_INTERNAL;
}

const char *mt_status_name(enum mt_status status)
{
    return table[known(status)].name;
}

const char *mt_status_sentence(enum mt_status status)
{
    return table[known(status)].sentence;
}
