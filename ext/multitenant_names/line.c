/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

void mt_line_add(json_t **line, const char *key, json_t *value)
{
    if (*line && value && json_object_set_new_nocheck(*line, key, value) == 0)
        return;
    if (!*line)
        json_decref(value);
    json_decref(*line);
    *line = NULL;
}

static json_t *bytewise(const char *bytes)
{
    size_t len = strlen(bytes);
    char *text = malloc(2 * len + 1);
    if (!text)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x80)
            text[n++] = (char)(0xc0 | c >> 6);
        text[n++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
    }
    json_t *value = json_stringn(text, n);
    free(text);
    return value;
}

json_t *mt_line_text(const char *bytes, bool *binary)
{
    json_t *value = json_string(bytes);
    if (binary)
        *binary = value == NULL;
    return value ? value : bytewise(bytes);
}

static json_t *tri(enum mt_tri value)
{
    return value == MT_TRI_UNKNOWN ? json_null() : json_boolean(value == MT_TRI_YES);
}

static json_t *gid_of(const struct mt_member_answer *answer)
{
    if (answer->group_known == MT_TRI_UNKNOWN)
        return json_null();
    return json_integer(answer->group_known == MT_TRI_YES ? (json_int_t)answer->gid : -1);
}

void mt_line_add_answer(json_t **line, const struct mt_member_answer *answer, bool with_allowed)
{
    mt_line_add(line, "group_gid", gid_of(answer));
    mt_line_add(line, "publisher_in_group", tri(answer->in_group));
    if (with_allowed)
        mt_line_add(line, "publisher_allowed", tri(answer->allowed));
    if (!answer->done)
        mt_line_add(line, "out_of_time", json_true());
}

int mt_line_write(FILE *out, json_t *line)
{
    if (!line)
        return EX_OSERR;
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (!text)
        return EX_OSERR;
    int status = fputs(text, out) < 0 || putc('\n', out) == EOF ? EX_IOERR : 0;
    free(text);
    return status;
}
