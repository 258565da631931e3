/* SPDX-License-Identifier: MIT */
#include "json.h"

#include "mt_limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define STRICT (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

/* What jansson takes at most for a text ({}, is the dearest, 73 bytes for one), within reason. */
#define SPARE_BYTES(len) ((len) < MT_JSON_SPARE_MAX / 80 ? 80 * (len) + 16384 : MT_JSON_SPARE_MAX)

/* As malloc aligns. */
#define ALIGNMENT 16

/*
 * jansson forgets some failed allocations. Its lexer calls a string for which there was no memory
 * an invalid token, which may cost a publisher the card; a text that could not grow, read or
 * written, goes on without the bytes that had no room, and may meet an assertion then (load.c,
 * dump.c). So what it allocates is watched, and while it reads it has memory set aside.
 */
static _Thread_local struct {
    bool starved;
    char *begin; /* what was set aside, or NULL */
    size_t size;
    size_t used;
} spare;

static void *allocate(size_t size)
{
    void *block = malloc(size);
    if (block)
        return block;
    spare.starved = true;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > spare.size - spare.used)
        return NULL;
    block = spare.begin + spare.used;
    spare.used += size;
    return block;
}

static void release(void *block)
{
    uintptr_t at = (uintptr_t)block;
    uintptr_t begin = (uintptr_t)spare.begin;
    if (at < begin || at - begin >= spare.size)
        free(block);
}

static void take_over(void)
{
    json_set_alloc_funcs(allocate, release);
}

static bool watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    spare.starved = false;
    return pthread_once(&once, take_over) == 0;
}

enum mt_status mt_json_load(const char *text, size_t len, json_t **out)
{
    *out = NULL;
    if (!watch())
        return MT_INTERNAL;
    spare.begin = malloc(SPARE_BYTES(len));
    if (!spare.begin)
        return MT_NOMEM;
    spare.size = SPARE_BYTES(len);
    *out = json_loadb(text, len, STRICT, NULL);
    bool starved = spare.starved;
    if (starved) {
        json_decref(*out);
        *out = NULL;
    }
    free(spare.begin);
    memset(&spare, 0, sizeof spare);
    if (starved)
        return MT_NOMEM;
    return *out ? MT_OK : MT_MALFORMED;
}

char *mt_json_dump(const json_t *value, size_t flags)
{
    char *out = watch() ? json_dumps(value, flags) : NULL;
    if (!spare.starved)
        return out;
    free(out);
    return NULL;
}

bool mt_json_is_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

bool mt_json_text(const json_t *object, const char *key, const char **out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_string_value(value);
    return mt_json_is_text(value);
}

bool mt_json_integer(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    *out = (int64_t)json_integer_value(value);
    return json_is_integer(value) && *out >= min && *out <= max;
}

bool mt_json_u32(const json_t *object, const char *key, uint32_t *out)
{
    int64_t value;
    bool ok = mt_json_integer(object, key, 0, UINT32_MAX, &value);
    *out = ok ? (uint32_t)value : 0;
    return ok;
}

bool mt_json_short_text(const json_t *object, const char *key, const char **out)
{
    return mt_json_text(object, key, out) && strlen(*out) <= MT_NAME_MAX;
}

bool mt_json_name(const json_t *object, const char *key, const char **out)
{
    return mt_json_short_text(object, key, out) && **out;
}

bool mt_json_answer(const json_t *object, const char *key, bool absent, enum mt_answer *out)
{
    const json_t *value = json_object_get(object, key);
    *out = MT_UNKNOWN;
    if (json_is_boolean(value))
        *out = json_is_true(value) ? MT_YES : MT_NO;
    else if (!json_is_null(value))
        return !value && absent;
    return true;
}
