/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <stdlib.h>

#define STRICT (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

/* More than jansson ever holds at a time for one value. */
#define PROBE_BYTES(len) (8 * (len) + 65536)

/*
 * jansson's lexer calls a string for which there was no memory an invalid token (load.c,
 * lex_scan_string), and bad text may cost its publisher his card. So what was refused is tried
 * again, with memory that is there.
 */
enum mt_status mt_json_load(const char *text, size_t len, json_t **out)
{
    *out = json_loadb(text, len, STRICT, NULL);
    if (*out)
        return MT_OK;
    /* volatile: else a compiler may leave the allocation out. */
    void *volatile probe = malloc(PROBE_BYTES(len));
    if (!probe)
        return MT_NOMEM;
    free(probe);
    *out = json_loadb(text, len, STRICT, NULL);
    return *out ? MT_OK : MT_MALFORMED;
}
