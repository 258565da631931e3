/* SPDX-License-Identifier: MIT */
#include "scgi.h"

#include "mt_limits.h"

#include <string.h>

static const struct {
    const char *name;
    size_t field;
} known[] = {
    {"REQUEST_METHOD", offsetof(struct scgi_request, method)},
    {"DOCUMENT_URI", offsetof(struct scgi_request, path)},
    {"CONTENT_TYPE", offsetof(struct scgi_request, content_type)},
    {"REMOTE_ADDR", offsetof(struct scgi_request, addr)},
    {"REMOTE_PORT", offsetof(struct scgi_request, port)},
    {"HTTP_HOST", offsetof(struct scgi_request, host)},
    {"HTTP_X_MULTITENANT_TOKEN", offsetof(struct scgi_request, token)},
    {"HTTP_AUTHORIZATION", offsetof(struct scgi_request, authorization)},
    {"HTTP_COOKIE", offsetof(struct scgi_request, cookie)},
    {"HTTP_X_FORWARDED_USER", offsetof(struct scgi_request, user)},
    {"HTTP_X_FORWARDED_PROTO", offsetof(struct scgi_request, proto)},
    {"HTTP_SEC_FETCH_SITE", offsetof(struct scgi_request, site)},
    {"HTTP_SEC_FETCH_MODE", offsetof(struct scgi_request, mode)},
    {"HTTP_SEC_FETCH_DEST", offsetof(struct scgi_request, dest)},
};

#define KNOWN (sizeof known / sizeof *known)

static const char **field_of(struct scgi_request *request, size_t i)
{
    return (const char **)((char *)request + known[i].field);
}

/* DIGITS and what ends them, of at most `max`. */
static enum scgi_state take_length(const char *bytes, size_t len, char end, size_t max, size_t *at,
                                   size_t *out)
{
    size_t digits = 0;
    *out = 0;
    for (; *at < len && bytes[*at] >= '0' && bytes[*at] <= '9'; (*at)++, digits++) {
        *out = *out * 10 + (size_t)(bytes[*at] - '0');
        if (*out > max)
            return SCGI_BAD;
    }
    if (*at == len)
        return SCGI_MORE;
    return digits > 0 && bytes[(*at)++] == end ? SCGI_WHOLE : SCGI_BAD;
}

/* The next text up to its NUL, before `end`; NULL: there is none. */
static const char *take_text(const char *bytes, size_t end, size_t *at)
{
    const char *text = bytes + *at;
    const char *nul = *at < end ? memchr(text, '\0', end - *at) : NULL;
    if (nul)
        *at = (size_t)(nul - bytes) + 1;
    return nul ? text : NULL;
}

static bool set(struct scgi_request *request, const char *name, const char *value)
{
    for (size_t i = 0; i < KNOWN; i++) {
        const char **field = field_of(request, i);
        if (strcmp(known[i].name, name) != 0)
            continue;
        if (**field)
            return false;
        *field = value;
    }
    return true;
}

/* Names and values from *at to `end`, of which CONTENT_LENGTH is the first. */
static enum scgi_state read_headers(const char *bytes, size_t at, size_t end,
                                    struct scgi_request *out)
{
    const char *name = take_text(bytes, end, &at);
    const char *value = name ? take_text(bytes, end, &at) : NULL;
    size_t digits = 0;
    if (!value || strcmp(name, "CONTENT_LENGTH") != 0 ||
        take_length(value, strlen(value) + 1, '\0', MT_GATE_BODY_MAX, &digits, &out->body_len) !=
            SCGI_WHOLE)
        return SCGI_BAD;
    while (at < end) {
        name = take_text(bytes, end, &at);
        value = name ? take_text(bytes, end, &at) : NULL;
        if (!value || !set(out, name, value))
            return SCGI_BAD;
    }
    return SCGI_WHOLE;
}

enum scgi_state scgi_read(const char *bytes, size_t len, struct scgi_request *out)
{
    size_t at = 0;
    size_t headers;
    *out = (struct scgi_request){.body = 0};
    for (size_t i = 0; i < KNOWN; i++)
        *field_of(out, i) = "";
    enum scgi_state state = take_length(bytes, len, ':', MT_GATE_HEADERS_MAX, &at, &headers);
    if (state != SCGI_WHOLE)
        return state;
    if (len - at < headers + 1)
        return SCGI_MORE;
    if (bytes[at + headers] != ',')
        return SCGI_BAD;
    state = read_headers(bytes, at, at + headers, out);
    if (state != SCGI_WHOLE)
        return state;
    out->body = at + headers + 1;
    return len - out->body >= out->body_len ? SCGI_WHOLE : SCGI_MORE;
}
