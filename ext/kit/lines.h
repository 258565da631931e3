/* SPDX-License-Identifier: MIT */
/*
 * What a program writes: one JSON object a line, and {"end":COUNT} as the last, without which some
 * lines are missing. Where a function returns something else than 0, it has said why: 71
 * (EX_OSERR): no memory; 74 (EX_IOERR): standard output can't be written.
 */
#pragma once

#include "answer.h"
#include "attr.h"

#include <jansson.h>

/*
 * Adds to a line and takes `value`. A line that lost a value to lack of memory becomes NULL, and
 * stays so.
 */
MT_NONNULL(1, 2) void mt_line_add(json_t **line, const char *key, json_t *value);

/*
 * Values for it. A text that is not UTF-8 goes byte by byte as U+0000 to U+00FF, and *binary tells
 * so (NULL: nobody asks); an answer that is missing as null. NULL without memory.
 */
MT_NODISCARD MT_NONNULL(1) json_t *mt_line_text(const char *bytes, bool *binary);
MT_NODISCARD json_t *mt_line_answer(enum mt_answer answer);

/* Takes the line and writes it. 0, 71, 74. */
MT_NODISCARD int mt_line_write(json_t *line);

/* Writes the last line, and all that is still buffered. 0, 71, 74. */
MT_NODISCARD int mt_lines_end(size_t count);

/* Writes what is still buffered. 0, 74. */
MT_NODISCARD int mt_lines_flush(void);
