/* SPDX-License-Identifier: MIT */
/* A line of output: one JSON object, and how a line says what the name service says. */
#ifndef MT_LINE_H
#define MT_LINE_H

#include "attr.h"
#include "members.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Adds to a line and takes `value`. A line that lost a value to lack of memory becomes NULL, and
 * stays so.
 */
MT_NONNULL(1, 2) void mt_line_add(json_t **line, const char *key, json_t *value);

/*
 * A text; one that is not UTF-8 byte by byte as U+0000 to U+00FF, and *binary tells so (NULL:
 * nobody asks). Returns NULL without memory; the caller owns it, as below.
 */
MT_NODISCARD MT_NONNULL(1) json_t *mt_line_text(const char *bytes, bool *binary);

/*
 * group_gid (-1: no such group), publisher_in_group, `with_allowed` publisher_allowed, each null
 * where it could not be learned; and out_of_time where the answer was cut off.
 */
MT_NONNULL_ALL void mt_line_add_answer(json_t **line, const struct mt_member_answer *answer,
                                       bool with_allowed);

/* Takes the line and writes it. 0; 71 (EX_OSERR): no memory; 74 (EX_IOERR), with errno. */
MT_NODISCARD MT_NONNULL(1) int mt_line_write(FILE *out, json_t *line);

#endif
