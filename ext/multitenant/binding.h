/* SPDX-License-Identifier: MIT */
/*
 * The binding: converts between Ruby and the core, and nothing else. The only file with ruby.h.
 *
 * A method converts its arguments to plain C, runs C without the GVL, converts the result, frees
 * and raises, in that order. C memory hangs on an object of ours or on an rb_ensure.
 */
#pragma once

#include "answer.h"
#include "keyring.h"
#include "status.h"

#include <jansson.h>
#include <ruby.h>
#include <ruby/encoding.h>
#include <ruby/thread.h>
#include <stdio.h>
#include <string.h>

/* MultiTenant::Error */
extern VALUE error_class;

/* What each file defines below the module, or of the class. */
void init_records(VALUE module);
void init_core(VALUE core);
void init_round(VALUE core);
void init_specs(VALUE core);
void init_address(VALUE module, VALUE core);
void init_delivery(VALUE core);
void init_native(VALUE native);
void init_run(VALUE native);

/* The only function that raises for a status. */
void check(enum mt_status status);

/* ---- from C to Ruby ---- */

static inline VALUE text(const char *s, size_t len)
{
    return rb_obj_freeze(rb_utf8_str_new(s, (long)len));
}

static inline VALUE ctext(const char *s)
{
    return text(s, strlen(s));
}

static inline VALUE bytes(const char *s, size_t len)
{
    return rb_obj_freeze(rb_str_new(s, (long)len));
}

/* Room for the id of a key in hexadecimal. */
#define KEY_ID_SIZE (2 * MT_KEY_ID_BYTES + 1)

static inline void write_key_id(const unsigned char id[MT_KEY_ID_BYTES], char out[KEY_ID_SIZE])
{
    (void)snprintf(out, KEY_ID_SIZE, "%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
}

static inline VALUE key(const char *s)
{
    return rb_enc_interned_str_cstr(s, rb_utf8_encoding());
}

static inline VALUE symbol(const char *s)
{
    return ID2SYM(rb_intern(s));
}

static inline VALUE from_json(const json_t *string)
{
    return text(json_string_value(string), json_string_length(string));
}

static inline VALUE boolean(bool value)
{
    return value ? Qtrue : Qfalse;
}

static inline VALUE answer(enum mt_answer value)
{
    return value == MT_UNKNOWN ? Qnil : boolean(value == MT_YES);
}

static inline VALUE text_or_nil(const char *s)
{
    return s ? ctext(s) : Qnil;
}

/* A frozen hash of `n` values: key, value, key, value. */
static inline VALUE hash_of(size_t n, const VALUE *pairs)
{
    VALUE out = rb_hash_new();
    rb_hash_bulk_insert((long)n, pairs, out);
    return rb_obj_freeze(out);
}

#define HASH_OF(pairs) hash_of(sizeof(pairs) / sizeof *(pairs), pairs)

/* `json` is a json_t * as a VALUE, as rb_ensure hands it on. */
VALUE hash_from_json(VALUE json);

/* ---- from Ruby to C: these raise ---- */

/* A copy that is freed by the caller. */
char *copy_text(VALUE value);

/* Zeroed, with room for `n` and one more, which ends the list. */
void *new_list(size_t n, size_t size);

/* Copies to *out, a list that ends with NULL and is its owner's even where this raises. */
size_t take_texts(const char *const **out, VALUE texts);

/* Frees such a list; NULL is fine. */
void free_texts(const char *const *texts);
