/* SPDX-License-Identifier: MIT */
#include "questions.h"

#include "input.h"
#include "mt_limits.h"
#include "say.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define TEXT(number) #number
#define NUMBER(name) TEXT(name)

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

/* What is wrong, or NULL. */
static const char *split(struct questions *questions)
{
    const char *at = questions->input.data;
    for (const char *end = at + questions->input.len; at < end; questions->count++) {
        size_t uid_len;
        size_t group_len;
        const char *uid = next(&at, end, &uid_len);
        const char *group = uid ? next(&at, end, &group_len) : NULL;
        if (questions->count == MT_QUESTIONS_MAX)
            return "more than " NUMBER(MT_QUESTIONS_MAX);
        struct question *question = &questions->items[questions->count];
        if (!group)
            return "the last one is cut";
        if (!read_uid(uid, uid_len, &question->uid))
            return "a uid is no number";
        if (group_len > MT_NAME_MAX)
            return "a group's name is too long";
        question->group = group;
    }
    return NULL;
}

int questions_read(struct questions *questions)
{
    *questions = (struct questions){.input = MT_BUF_INIT(MT_NAMES_INPUT_MAX)};
    int status = mt_input_read(&questions->input);
    if (status || questions->input.len == 0)
        return status;
    questions->items = calloc(MT_QUESTIONS_MAX, sizeof *questions->items);
    if (!questions->items)
        return mt_say_no_memory();
    const char *wrong = split(questions);
    return wrong ? mt_say(EX_DATAERR, "standard input is not questions of UID NUL GROUP NUL: %s",
                          wrong)
                 : 0;
}
