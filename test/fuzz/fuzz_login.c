/* SPDX-License-Identifier: MIT */
/* What strangers send the gate: the first byte says as what it is read. */
#include "block.h"
#include "lists.h"
#include "login.h"
#include "token.h"

static void read_login(const char *type, char *body, size_t size)
{
    struct login login;
    json_t *parsed;
    if (login_read(type, body, size, &login, &parsed) &&
        strlen(login.credential) > MT_GATE_CREDENTIAL_MAX)
        abort();
    json_decref(parsed);
}

static void judge(const char *payload, size_t size)
{
    static const struct login_terms terms = {.cluster = "hpc", .job_id = 1, .door = "abc"};
    struct credential said = {.ttl = 60, .cipher = 4, .len = size};
    memcpy(said.payload, payload, size < sizeof said.payload ? size : 0);
    if (login_judge(&said, &terms) == CODE_ok && size < 70)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[TOKEN_KEY_BYTES];
    static struct lists lists;
    uid_t uid;
    int64_t expires;
    if (size == 0)
        return 0;
    char *text = text_of(data + 1, size - 1);
    switch (data[0]) {
    case 'f':
        read_login("application/x-www-form-urlencoded", text, size - 1);
        break;
    case 'j':
        read_login("application/json", text, size - 1);
        break;
    case 'p':
        judge(text, size - 1);
        break;
    case 'b':
        (void)!lists_read_banned(&lists, text, size - 1);
        break;
    case 'l':
        (void)!lists_read_limits(&lists, text, size - 1);
        break;
    default:
        if (token_check(key, text, 0, &uid, &expires) == CODE_ok && expires == 0)
            abort();
    }
    free(text);
    return 0;
}
