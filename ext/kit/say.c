/* SPDX-License-Identifier: MIT */
#include "say.h"

#include "buf.h"
#include "mt_limits.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* A signal handler reads them. */
static atomic_int target = STDERR_FILENO;
static atomic_bool said;

void mt_say_joined(const char *const *texts, size_t count)
{
    char line[MT_SENTENCE_MAX] = MT_PROGRAM ": ";
    size_t len = strlen(line);
    if (atomic_exchange(&said, true))
        return;
    for (size_t i = 0; i < count; i++) {
        for (const char *c = texts[i]; *c && len < sizeof line - 1; c++)
            line[len++] = *c >= 0x20 && *c < 0x7f ? *c : '?';
    }
    line[len++] = '\n';
    if (mt_write_all(atomic_load(&target), line, len) != MT_OK)
        return; /* nobody is left to tell */
}

int mt_say(int status, const char *format, ...)
{
    char sentence[MT_SENTENCE_MAX];
    va_list values;
    va_start(values, format);
    int n = vsnprintf(sentence, sizeof sentence, format, values);
    va_end(values);
    const char *const texts[] = {n < 0 ? "internal error" : sentence};
    mt_say_joined(texts, 1);
    return status;
}

int mt_say_no_memory(void)
{
    return mt_say(EX_OSERR, "out of memory");
}

void mt_say_to(int descriptor)
{
    atomic_store(&target, descriptor);
}
