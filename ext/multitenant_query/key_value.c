/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * regcomp(), regexec() and regfree() that know one expression.
 *
 * libslurm compiles it several times at its start and matches each "Key=Value" of slurm.conf with
 * it. glibc goes over the line twice for where the parentheses match: that was half of all
 * instructions of the program with a slurm.conf of 36 lines, and sites have hundreds. A program's
 * symbols come before a library's, so libslurm calls these; whatever else is compiled, by a module
 * of the name service say, is the C library's. Where they are not called, everything is as before,
 * only slower. Thread-safe: no state.
 */
#include "key_value.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* In an expression that was compiled here it stands at the beginning, where no library has it. */
static const char *const mark = MT_KEY_VALUE;

static bool is_ours(const regex_t *expression)
{
    return memcmp(expression, &mark, sizeof mark) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_key(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '.';
}

static const char *skip(const char *at, bool (*is)(char c))
{
    while (*at && is(*at))
        at++;
    return at;
}

static bool is_word(char c)
{
    return !is_space(c);
}

static void set(regmatch_t *match, const char *line, const char *from, const char *to)
{
    match->rm_so = (regoff_t)(from - line);
    match->rm_eo = (regoff_t)(to - line);
}

/* The end of a quoted value that a blank or the line's end follows; NULL: there is none. */
static const char *quoted_end(const char *value)
{
    const char *end = *value == '"' ? strchr(value + 1, '"') : NULL;
    return end && (end[1] == '\0' || is_space(end[1])) ? end + 1 : NULL;
}

int mt_key_value_match(const char *line, regmatch_t matches[MT_KEY_VALUE_MATCHES])
{
    const char *key = skip(line, is_space);
    const char *key_end = skip(key, is_key);
    const char *operator= skip(key_end, is_space);
    const char *equals = *operator&& strchr("-*+/", *operator) ? operator+ 1 : operator;
    if (key == key_end || *equals != '=')
        return REG_NOMATCH;
    const char *value = skip(equals + 1, is_space);
    const char *word_end = skip(value, is_word);
    if (value == word_end)
        return REG_NOMATCH;
    const char *quoted = quoted_end(value); /* a blank follows: no word is longer */
    const char *end = quoted ? quoted : word_end;

    for (size_t i = 0; i < MT_KEY_VALUE_MATCHES; i++)
        matches[i] = (regmatch_t){.rm_so = -1, .rm_eo = -1};
    set(&matches[0], line, line, *end ? end + 1 : end);
    set(&matches[1], line, key, key_end);
    set(&matches[2], line, operator, equals);
    set(&matches[3], line, value, end);
    if (quoted) {
        set(&matches[4], line, value, end);
        set(&matches[5], line, value + 1, end - 1);
    } else {
        set(&matches[6], line, value, end);
    }
    set(&matches[7], line, end, *end ? end + 1 : end);
    return 0;
}

/* ---- instead of the C library's ---- */

int regcomp(regex_t *expression, const char *pattern, int flags)
{
    if (flags != REG_EXTENDED || strcmp(pattern, MT_KEY_VALUE) != 0) {
        int (*other)(regex_t *, const char *, int) = dlsym(RTLD_NEXT, "regcomp");
        return other(expression, pattern, flags);
    }
    memset(expression, 0, sizeof *expression);
    memcpy(expression, &mark, sizeof mark);
    return 0;
}

int regexec(const regex_t *expression, const char *line, size_t count, regmatch_t matches[count],
            int flags)
{
    if (!is_ours(expression)) {
        int (*other)(const regex_t *, const char *, size_t, regmatch_t *, int) =
            dlsym(RTLD_NEXT, "regexec");
        return other(expression, line, count, matches, flags);
    }
    regmatch_t all[MT_KEY_VALUE_MATCHES];
    int status = mt_key_value_match(line, all);
    for (size_t i = 0; status == 0 && i < count; i++)
        matches[i] = i < MT_KEY_VALUE_MATCHES ? all[i] : (regmatch_t){.rm_so = -1, .rm_eo = -1};
    return status;
}

void regfree(regex_t *expression)
{
    if (is_ours(expression))
        return;
    void (*other)(regex_t *) = dlsym(RTLD_NEXT, "regfree");
    other(expression);
}
