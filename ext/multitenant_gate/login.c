/* SPDX-License-Identifier: MIT */
#include "login.h"

#include "base64.h"
#include "hex.h"
#include "json.h"

#include <munge.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#define PURPOSE "multitenant-login"
#define CREDENTIAL "MUNGE:"

/* In both cases. */
static int hex_digit(char c)
{
    return mt_hex_digit(c >= 'A' && c <= 'F' ? (char)(c | 0x20) : c);
}

/* Decodes in place; false: malformed, or with a NUL. */
static bool decode(char *text)
{
    char *out = text;
    for (; *text; text++) {
        char c = *text == '+' ? ' ' : *text;
        if (c == '%') {
            int high = hex_digit(text[1]);
            int low = high < 0 ? -1 : hex_digit(text[2]);
            if (low < 0 || (high | low) == 0)
                return false;
            c = (char)(high << 4 | low);
            text += 2;
        }
        *out++ = c;
    }
    *out = '\0';
    return true;
}

/* False: that name was there before. */
static bool take(const char **field, const char *value)
{
    bool is_new = !*field;
    *field = value;
    return is_new;
}

static bool read_form(char *body, struct login *out)
{
    const char *base = NULL;
    const char *show = NULL;
    char *rest = body;
    for (char *pair; (pair = strsep(&rest, "&"));) {
        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        if (!value || !decode(pair) || !decode(value))
            return false;
        const char **field = strcmp(pair, "credential") == 0 ? &out->credential
                             : strcmp(pair, "base") == 0     ? &base
                             : strcmp(pair, "show") == 0     ? &show
                                                             : NULL;
        if (field && !take(field, value))
            return false;
    }
    out->base = base ? base : "";
    out->shows_key = show && strcmp(show, "key") == 0;
    return out->credential != NULL;
}

/* The bytes of a credential have one text: another one would not be known as used before. */
static bool is_credential(const char *text)
{
    size_t len = strlen(text);
    size_t prefix = strlen(CREDENTIAL);
    struct mt_buf bytes = MT_BUF_INIT(MT_GATE_CREDENTIAL_MAX);
    bool ok = len > prefix + 1 && len <= MT_GATE_CREDENTIAL_MAX &&
              strncmp(text, CREDENTIAL, prefix) == 0 && text[len - 1] == ':' &&
              mt_base64_decode(text + prefix, len - prefix - 1, &bytes) == MT_OK;
    mt_buf_wipe(&bytes);
    return ok;
}

/* Whether it is this type, whatever parameters follow. */
static bool is_type(const char *text, const char *type)
{
    size_t len = strlen(type);
    return strncasecmp(text, type, len) == 0 && strchr("; ", text[len]);
}

bool login_read(const char *content_type, char *body, size_t len, struct login *out,
                json_t **parsed)
{
    *out = (struct login){.base = ""};
    *parsed = NULL;
    bool ok = false;
    if (is_type(content_type, "application/json")) {
        ok = mt_json_load(body, len, parsed) == MT_OK &&
             mt_json_text(*parsed, "credential", &out->credential);
    } else if (is_type(content_type, "application/x-www-form-urlencoded")) {
        out->is_form = true;
        body[len] = '\0';
        ok = strlen(body) == len && read_form(body, out);
    }
    return ok && is_credential(out->credential);
}

static enum code judge_payload(const struct credential *said, const struct login_terms *terms)
{
    json_t *payload = NULL;
    const char *purpose;
    const char *cluster;
    const char *door;
    uint32_t job_id;
    uint32_t restarts;
    enum code code = CODE_ok;
    if (said->len > sizeof said->payload ||
        mt_json_load(said->payload, said->len, &payload) != MT_OK ||
        !mt_json_text(payload, "purpose", &purpose) || strcmp(purpose, PURPOSE) != 0 ||
        json_object_size(payload) != 5)
        code = CODE_login_purpose;
    else if (!mt_json_text(payload, "cluster", &cluster) || strcmp(cluster, terms->cluster) != 0 ||
             !mt_json_u32(payload, "job", &job_id) || job_id != terms->job_id ||
             !mt_json_u32(payload, "restarts", &restarts) || restarts != terms->restarts)
        code = CODE_login_job;
    else if (!mt_json_text(payload, "door", &door) || strlen(door) != strlen(terms->door) ||
             CRYPTO_memcmp(door, terms->door, strlen(door)) != 0)
        code = CODE_login_door;
    json_decref(payload);
    return code;
}

enum code login_judge(const struct credential *said, const struct login_terms *terms)
{
    switch ((munge_err_t)said->status) {
    case EMUNGE_SUCCESS:
    case EMUNGE_CRED_REPLAYED:
        break;
    case EMUNGE_CRED_EXPIRED:
        return CODE_login_expired;
    case EMUNGE_CRED_REWOUND:
        return CODE_login_rewound;
    case EMUNGE_CRED_UNAUTHORIZED:
        return CODE_login_restriction;
    case EMUNGE_SOCKET:
    case EMUNGE_TIMEOUT:
    case EMUNGE_SNAFU:
    case EMUNGE_NO_MEMORY:
        return CODE_munge_unavailable;
    default:
        return CODE_login_invalid;
    }
    /* What is not encrypted could be written in another way, and so be used twice. */
    if (said->uid_only != terms->publisher || said->cipher == MUNGE_CIPHER_NONE)
        return CODE_login_restriction;
    if (said->ttl < 1 || said->ttl > MT_LOGIN_TTL_MAX)
        return CODE_login_ttl;
    enum code code = judge_payload(said, terms);
    return code == CODE_ok && said->status == EMUNGE_CRED_REPLAYED ? CODE_login_replayed : code;
}
