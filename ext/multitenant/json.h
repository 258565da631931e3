/* SPDX-License-Identifier: MIT */
/* Strict JSON from text, over jansson. */
#ifndef MT_JSON_H
#define MT_JSON_H

#include "attr.h"
#include "status.h"

#include <jansson.h>
#include <stddef.h>

/*
 * Parses `len` bytes as one JSON array or object: UTF-8, no duplicate keys, nothing after it but
 * white space. Values may hold U+0000.
 *
 * MT_OK: the caller releases *out; MT_MALFORMED, MT_NOMEM: *out is NULL. Thread-safe.
 */
MT_NODISCARD MT_NONNULL_ALL enum mt_status mt_json_load(const char *text, size_t len, json_t **out);

#endif
