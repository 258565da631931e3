/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* A uid of ten digits, a name, and their NULs. */
#define INPUT_MAX ((size_t)MT_QUESTIONS_MAX * (10 + 1 + MT_NAME_MAX + 1))

static int fail(struct input *input, int status, const char *why)
{
    input->error = why;
    return status;
}

/* Up to its end, or one byte more than may come. NULL with errno; *len is set. */
static char *read_all(int fd, size_t *len)
{
    size_t size = 4096;
    char *text = malloc(size);
    *len = 0;
    while (text) {
        ssize_t n = read(fd, text + *len, size - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        *len += (size_t)n;
        if (n == 0 || *len > INPUT_MAX)
            return text;
        if (*len < size)
            continue;
        char *more = realloc(text, size * 2);
        if (!more)
            break;
        text = more;
        size *= 2;
    }
    free(text);
    return NULL;
}

/* The text up to the next NUL and its length, or NULL. */
static const char *next(const char **at, const char *end, size_t *len)
{
    const char *text = *at;
    const char *nul = memchr(text, '\0', (size_t)(end - text));
    if (!nul)
        return NULL;
    *len = (size_t)(nul - text);
    *at = nul + 1;
    return text;
}

static bool read_uid(const char *text, size_t len, uid_t *uid)
{
    if (len == 0 || len > 10 || strspn(text, "0123456789") != len)
        return false;
    unsigned long long number = strtoull(text, NULL, 10);
    *uid = (uid_t)number;
    return number <= UINT32_MAX;
}

int input_read(struct input *input, int fd)
{
    size_t len = 0;
    *input = (struct input){0};
    const char *text = read_all(fd, &len);
    if (!text)
        return fail(input, errno == ENOMEM ? EX_OSERR : EX_IOERR, strerror(errno));
    if (len > INPUT_MAX)
        return fail(input, EX_DATAERR, "too long");
    input->questions = calloc(MT_QUESTIONS_MAX, sizeof *input->questions);
    if (!input->questions)
        return fail(input, EX_OSERR, strerror(ENOMEM));
    for (const char *at = text, *end = text + len; at < end; input->count++) {
        size_t uid_len;
        size_t group_len;
        const char *uid = next(&at, end, &uid_len);
        const char *group = uid ? next(&at, end, &group_len) : NULL;
        if (input->count == MT_QUESTIONS_MAX)
            return fail(input, EX_DATAERR, "too many");
        struct question *question = &input->questions[input->count];
        if (!group)
            return fail(input, EX_DATAERR, "the last one is cut");
        if (!read_uid(uid, uid_len, &question->uid))
            return fail(input, EX_DATAERR, "a uid is no number");
        if (group_len > MT_NAME_MAX)
            return fail(input, EX_DATAERR, "a group's name is too long");
        question->group = group;
    }
    return 0;
}
