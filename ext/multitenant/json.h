/* SPDX-License-Identifier: MIT */
/* Strict JSON from text, and text from JSON, over jansson. */
#pragma once

#include "answer.h"
#include "status.h"

#include <jansson.h>

/*
 * Parses `len` bytes as one JSON array or object: UTF-8, no duplicate keys, nothing after it but
 * white space. Values may hold U+0000.
 *
 * MT_OK: the caller releases *out
 * MT_MALFORMED, MT_NOMEM, MT_INTERNAL: *out is NULL
 *
 * Thread-safe. From the first call on jansson allocates by way of us, which changes nothing for its
 * other users.
 */
MT_CHECKED enum mt_status mt_json_load(const char *text, size_t len, json_t **out);

/*
 * The value as text, with flags of jansson's json_dumps. NULL: no memory, or no array or object.
 * The caller frees it. Thread-safe.
 */
MT_NODISCARD char *mt_json_dump(const json_t *value, size_t flags);

/*
 * The value of a key: a text without NUL, or a whole number from `min` to `max`. *out borrows from
 * the object. false: it is absent or something else.
 */
MT_NODISCARD MT_NONNULL(2, 3) bool mt_json_text(const json_t *object, const char *key,
                                                const char **out);
MT_NODISCARD MT_NONNULL(2, 5) bool mt_json_integer(const json_t *object, const char *key,
                                                   int64_t min, int64_t max, int64_t *out);
MT_NODISCARD MT_NONNULL(2, 3) bool mt_json_u32(const json_t *object, const char *key,
                                               uint32_t *out);

/*
 * The same of a text of at most MT_NAME_MAX bytes, which may be empty, or may not; and of true,
 * false or null: `absent` says whether a missing key is as good as null.
 */
MT_NODISCARD MT_NONNULL(2, 3) bool mt_json_short_text(const json_t *object, const char *key,
                                                      const char **out);
MT_NODISCARD MT_NONNULL(2, 3) bool mt_json_name(const json_t *object, const char *key,
                                                const char **out);
MT_NODISCARD MT_NONNULL(2, 4) bool mt_json_answer(const json_t *object, const char *key,
                                                  bool absent, enum mt_answer *out);

/* Whether it is a string without NUL. */
MT_NODISCARD bool mt_json_is_text(const json_t *value);
