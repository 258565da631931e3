/* SPDX-License-Identifier: MIT */
/* Which characters a text from a publisher may hold. All texts here are valid UTF-8. */
#pragma once

#include "attr.h"

/* Characters from `first` to `last`. */
struct mt_text_range {
    uint32_t first;
    uint32_t last;
};

/*
 * Whether YAML can carry the text unchanged: only characters of YAML 1.1's c-printable, and of
 * those no tab, line feed, carriage return, U+0085 or U+FEFF. Psych refuses a whole document for
 * one of the others. Any byte may follow `len`.
 */
MT_CHECKED bool mt_text_is_yaml(const char *text, size_t len);

/*
 * Whether the text can stand in a title: 1 to `max` characters that mt_text_is_yaml accepts, none
 * of < > & " ' ` \, none of mt_text_unseen, at most MT_MARKS_MAX of mt_text_marks in a row, no
 * blank at the ends.
 */
MT_CHECKED bool mt_text_is_title(const char *text, size_t max);

/* Whether the text can be the name of a service: [a-z0-9][a-z0-9-]{0,62}. */
MT_CHECKED bool mt_text_is_service(const char *text);

/* Whether the text can be a door: the one base64url text of 32 bytes, without padding. */
MT_CHECKED bool mt_text_is_door(const char *text);

/* The characters that are invisible, unusual blanks among them, or turn the direction of writing,
 * and the marks that pile up on a letter: static tables. */
MT_CHECKED const struct mt_text_range *mt_text_unseen(size_t *count);
MT_CHECKED const struct mt_text_range *mt_text_marks(size_t *count);

/* Room for a job id as text, and its terminator. */
#define MT_JOB_TEXT_SIZE 11

/* Writes a job id in decimal. Returns its length. */
MT_NONNULL_ALL size_t mt_text_of_job(uint32_t job_id, char out[MT_JOB_TEXT_SIZE]);

/* Whether the comma-separated list holds the item of `len` bytes. */
MT_CHECKED bool mt_text_list_has(const char *list, const char *item, size_t len);

/* Whether the text is a UUID in lower case (8-4-4-4-12 hexadecimal digits). */
MT_CHECKED bool mt_text_is_uuid(const char *text);
