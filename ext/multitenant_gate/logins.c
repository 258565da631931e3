/* SPDX-License-Identifier: MIT */
#include "ask.h"
#include "clock.h"
#include "gate.h"

#include <string.h>
#include <strings.h>
#include <sys/param.h> /* MIN */
#include <time.h>

#define MUNGE_SECONDS 5
#define PUT_OFF_SECONDS 900

/* A browser that asks for a login's answer once more has the token of the first one. */
static bool has_token(const struct gate *gate, struct connection *connection, uid_t uid)
{
    uid_t whose;
    return connection->login.is_form &&
           request_token(gate, &connection->request, &whose, &connection->expires,
                         connection->token) == CODE_ok &&
           whose == uid;
}

enum code keep_out(struct gate *gate, uid_t uid, int64_t now)
{
    if (lists_bans(&gate->lists, uid))
        return CODE_banned;
    const struct tenant *tenant = tenants_find(gate->tenants, uid, now);
    return tenant && tenant_knowledge(tenant, now) == KNOWN && !tenant->member ? CODE_not_recipient
                                                                               : CODE_ok;
}

static enum code judge(struct gate *gate, struct connection *connection,
                       const struct credential *said, int64_t now)
{
    const struct login_terms terms = {
        .publisher = gate->config.recipients.publisher,
        .cluster = gate->config.cluster,
        .job_id = gate->config.job_id,
        .restarts = gate->config.restarts,
        .door = gate->keys.door,
    };
    enum code code = login_judge(said, &terms);
    /* Who can't come in takes no place of a credential that is remembered, or some of them could
     * keep all others out. */
    if (code == CODE_ok)
        code = keep_out(gate, said->uid, now);
    enum nonce nonce = code == CODE_ok
                           ? nonces_use(gate->nonces, connection->login.credential, said->uid, now)
                           : NONCE_NEW;
    if (nonce == NONCE_FULL)
        return CODE_too_busy;
    if (nonce == NONCE_USED)
        code = CODE_login_replayed;
    if (code != CODE_login_replayed || !has_token(gate, connection, said->uid))
        return code;
    connection->again = true;
    return CODE_ok;
}

static void munge_told(void *context, void *owner, const void *answer, size_t len)
{
    struct gate *gate = context;
    struct connection *connection = owner;
    const int64_t now = mt_now();
    struct credential said;
    enum code code = CODE_munge_unavailable;
    if (len == sizeof said) {
        memcpy(&said, answer, sizeof said);
        code = judge(gate, connection, &said, now);
        if (code != CODE_login_invalid && code != CODE_munge_unavailable &&
            code != CODE_login_restriction)
            connection->uid = said.uid;
        explicit_bzero(&said, sizeof said);
    }
    if (code == CODE_ok)
        request_enter(gate, connection, now);
    else
        request_refuse(gate, connection, code);
}

/* Where a browser is sent, and the cookie belongs. */
static bool is_base(const struct gate *gate, const char *text)
{
    for (const char *const *base = gate->config.bases; *base; base++) {
        if (strcmp(*base, text) == 0)
            return true;
    }
    return false;
}

static bool read_body(const struct gate *gate, struct connection *connection)
{
    struct mt_buf *input = &connection->input;
    const struct scgi_request *request = &connection->request;
    struct login *login = &connection->login;
    /* The body ends with the input: more would be of another request. */
    return input->len == request->body + request->body_len &&
           login_read(request->content_type, input->data + request->body, request->body_len, login,
                      &connection->parsed) &&
           (!login->is_form || login->shows_key || gate->config.accounts ||
            is_base(gate, login->base));
}

static void ask(struct gate *gate, struct connection *connection, int64_t now)
{
    const struct child_terms terms = {.work = ask_munge,
                                      .done = munge_told,
                                      .owner = connection,
                                      .seconds = MUNGE_SECONDS,
                                      .use = FOR_LOGIN};
    const struct munge_question question = {.credential = connection->login.credential,
                                            .socket = gate->config.munge_socket};
    if (children_start(&gate->children, &terms, &question))
        connection->stage = ASKS_MUNGE;
    else
        request_wait(gate, connection, now, ask);
}

void login_begin(struct gate *gate, struct connection *connection, int64_t now)
{
    if (!read_body(gate, connection))
        request_refuse(gate, connection, CODE_bad_request);
    else if (strcasecmp(connection->request.site, "cross-site") == 0)
        request_refuse(gate, connection, CODE_cross_site);
    else
        ask(gate, connection, now);
}

struct cookie login_cookie(const struct gate *gate, const struct connection *connection,
                           const char *token)
{
    const bool kept = !connection->again && is_base(gate, connection->login.base);
    return (struct cookie){.token = kept ? token : NULL,
                           .base = connection->login.base,
                           .seconds = connection->expires - time(NULL),
                           .is_https = strcasecmp(connection->request.proto, "https") == 0};
}

static void answer(const struct gate *gate, const struct connection *connection, const char *user)
{
    const struct login *login = &connection->login;
    const struct cookie cookie = login_cookie(gate, connection, connection->token);
    if (!login->is_form)
        reply_token(connection->fd, connection->token, connection->expires, user);
    else if (login->shows_key)
        reply_show_token(connection->fd, connection->token, connection->expires,
                         connection->request.host, &cookie);
    else
        reply_open(connection->fd, &cookie);
}

/* Where the service has an end, and goes on all the same, that was put off: a while at a time. */
static int64_t end_of_token(const struct gate *gate)
{
    const int64_t now = time(NULL);
    const int64_t end = gate->config.expires;
    if (end > 0 && end <= now)
        return now + PUT_OFF_SECONDS;
    return end > 0 ? MIN(end, now + MT_GATE_TOKEN_SECONDS) : now + MT_GATE_TOKEN_SECONDS;
}

void login_finish(struct gate *gate, struct connection *connection, struct tenant *tenant,
                  int64_t now)
{
    char shown[SHOWN_SIZE];
    if (!connection->again)
        connection->expires = end_of_token(gate);
    if (gate->config.accounts) {
        account_open(gate, connection, tenant, now);
        return;
    }
    if (!connection->again && token_make(gate->keys.token, tenant->uid, connection->expires,
                                         connection->token) != MT_OK) {
        request_refuse(gate, connection, CODE_too_busy);
        return;
    }
    tenant_shown(tenant, shown);
    answer(gate, connection, shown);
    request_note(gate, connection, "login");
    request_end(connection);
}
