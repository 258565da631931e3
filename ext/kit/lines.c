/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include "json.h"
#include "say.h"

#include <errno.h>
#include <stdio.h>
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
    errno = 0; /* jansson does not say whether it is no UTF-8 or there is no memory */
    json_t *value = json_string(bytes);
    bool is_binary = !value && errno != ENOMEM;
    if (binary)
        *binary = is_binary;
    return is_binary ? bytewise(bytes) : value;
}

json_t *mt_line_answer(enum mt_answer answer)
{
    return answer == MT_UNKNOWN ? json_null() : json_boolean(answer == MT_YES);
}

static int not_written(void)
{
    return mt_say(EX_IOERR, "standard output can't be written (%s); see who reads it",
                  strerror(errno));
}

int mt_line_write(json_t *line)
{
    char *text = line ? mt_json_dump(line, JSON_COMPACT) : NULL;
    json_decref(line);
    if (!text)
        return mt_say_no_memory();
    int status = fputs(text, stdout) < 0 || putchar('\n') == EOF ? not_written() : 0;
    free(text);
    return status;
}

int mt_lines_end(size_t count)
{
    json_t *line = json_object();
    mt_line_add(&line, "end", json_integer((json_int_t)count));
    int status = mt_line_write(line);
    return status ? status : mt_lines_flush();
}

int mt_lines_flush(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : not_written();
}
