/* SPDX-License-Identifier: MIT */
#include "ask.h"
#include "base64.h"
#include "clock.h"
#include "gate.h"
#include "reply.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SECONDS 5
#define WAIT_SECONDS 10
#define UNREAD_MAX 64   /* blocks of 4 KiB */
#define ACCEPTED_MAX 64 /* in a turn: the others want theirs */
#define NAMES_SECONDS 10
#define COOKIE "multitenant_token="
#define COOKIES_MAX 8
#define CHECK_PATH "/multitenant/check"
#define LOGIN_PATH "/multitenant/login"

/* A netstring's length before the headers, and its comma. */
#define INPUT_MAX (8 + MT_GATE_HEADERS_MAX + MT_GATE_BODY_MAX + 1)

void request_end(struct connection *connection)
{
    /* A child may still have it open: nginx is to see its end all the same. */
    (void)shutdown(connection->fd, SHUT_RDWR);
    (void)close(connection->fd);
    json_decref(connection->parsed);
    mt_buf_wipe(&connection->input);
    OPENSSL_cleanse(connection->token, sizeof connection->token);
    OPENSSL_cleanse(connection->password, sizeof connection->password);
    connection->parsed = NULL;
    connection->stage = FREE;
}

void request_note(struct gate *gate, const struct connection *connection, const char *what)
{
    const char *addr = connection->request.addr ? connection->request.addr : "";
    bool fine = *addr && strlen(addr) < 64 && addr[strspn(addr, "0123456789abcdef:.")] == '\0';
    if (connection->uid != (uid_t)-1)
        keeper_note(&gate->keeper, "%s uid=%u addr=%s", what, connection->uid, fine ? addr : "-");
    else
        keeper_note(&gate->keeper, "%s uid=- addr=%s", what, fine ? addr : "-");
}

static void refuse(struct gate *gate, struct connection *connection, enum code code, unsigned retry)
{
    enum reply_form form = !connection->is_login       ? REPLY_CHECK
                           : connection->login.is_form ? REPLY_PAGE
                                                       : REPLY_JSON;
    struct bucket *room = gate->refusals + (connection->uid != (uid_t)-1);
    reply_refuse(connection->fd, form, code, retry);
    if (rate_take(room, MT_GATE_REFUSALS_MAX, mt_now()) == 0)
        request_note(gate, connection, code_name(code));
    else
        gate->keeper.dropped++;
    request_end(connection);
}

void request_refuse(struct gate *gate, struct connection *connection, enum code code)
{
    refuse(gate, connection, code, 0);
}

/* Tries `len` bytes as a token. */
static enum code try(const struct gate *gate, const char *text, size_t len, uid_t *uid,
                     int64_t *expires, char token[TOKEN_SIZE])
{
    if (len >= TOKEN_SIZE)
        return CODE_token_malformed;
    memcpy(token, text, len);
    token[len] = '\0';
    return token_check(gate->keys.token, token, time(NULL), uid, expires);
}

/* What follows the scheme, which is `scheme` in any case; NULL: it is another. */
static const char *after_scheme(const char *text, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncasecmp(text, scheme, len) == 0 && text[len] == ' '
               ? text + len + strspn(text + len, " ")
               : NULL;
}

/* The portal's own Authorization may come through: only what begins as a token does counts. */
static enum code try_authorization(const struct gate *gate, const char *text, uid_t *uid,
                                   int64_t *expires, char token[TOKEN_SIZE])
{
    const char *bearer = after_scheme(text, "Bearer");
    const char *basic = after_scheme(text, "Basic");
    struct mt_buf bytes = MT_BUF_INIT(MT_JOBNAME_MAX);
    enum code code = *text ? CODE_token_malformed : CODE_token_missing;
    if (bearer) {
        code = try(gate, bearer, strlen(bearer), uid, expires, token);
    } else if (basic && mt_base64_decode(basic, strlen(basic), &bytes) == MT_OK) {
        const char *colon = memchr(bytes.data, ':', bytes.len);
        if (colon)
            code = try(gate, colon + 1, bytes.len - (size_t)(colon + 1 - bytes.data), uid, expires,
                       token);
    }
    mt_buf_wipe(&bytes);
    return code;
}

/* Tries `len` bytes as one more cookie beside those of which `code` came. */
static enum code try_cookie(const struct gate *gate, const char *text, size_t len, enum code code,
                            uid_t *uid, int64_t *expires, char token[TOKEN_SIZE])
{
    char other[TOKEN_SIZE];
    uid_t whose;
    int64_t until;
    if (code != CODE_ok)
        return try(gate, text, len, uid, expires, token);
    bool two = try(gate, text, len, &whose, &until, other) == CODE_ok && whose != *uid;
    OPENSSL_cleanse(other, sizeof other);
    return two ? CODE_token_bad : CODE_ok;
}

/* A browser sends all that fit, those of the longest path first. Another host of the same domain
 * can put somebody else's before the user's own: of two users, or of more than are tried, none
 * counts. */
static enum code try_cookies(const struct gate *gate, const char *text, uid_t *uid,
                             int64_t *expires, char token[TOKEN_SIZE])
{
    enum code code = CODE_token_missing;
    for (int tries = 0; *text;) {
        size_t len = strcspn(text, ";");
        if (len >= strlen(COOKIE) && strncmp(text, COOKIE, strlen(COOKIE)) == 0) {
            const bool tried = code == CODE_ok;
            if (tries++ == COOKIES_MAX)
                return CODE_token_bad;
            code = try_cookie(gate, text + strlen(COOKIE), len - strlen(COOKIE), code, uid, expires,
                              token);
            if (tried && code != CODE_ok)
                return code;
        }
        text += len;
        text += strspn(text, "; ");
    }
    return code;
}

enum code request_token(const struct gate *gate, const struct scgi_request *request, uid_t *uid,
                        int64_t *expires, char token[TOKEN_SIZE])
{
    if (*request->token)
        return try(gate, request->token, strlen(request->token), uid, expires, token);
    enum code code = try_authorization(gate, request->authorization, uid, expires, token);
    if (code != CODE_token_missing && code != CODE_token_malformed)
        return code;
    enum code cookie = try_cookies(gate, request->cookie, uid, expires, token);
    return cookie == CODE_token_missing ? code : cookie;
}

/* All who wait for what was asked about this user. */
static void go_on(struct gate *gate, uid_t uid, int64_t now)
{
    for (size_t i = 0; i < MT_GATE_CONNECTIONS_MAX; i++) {
        struct connection *connection = gate->connections + i;
        if (connection->stage == ASKS_NAMES && connection->uid == uid)
            request_enter(gate, connection, now);
    }
}

static void names_told(void *context, void *owner, const void *answer, size_t len)
{
    struct gate *gate = context;
    struct tenant *tenant = owner;
    const int64_t now = mt_now();
    const bool was_member = tenant->member;
    struct look_up said;
    if (len == sizeof said)
        memcpy(&said, answer, sizeof said);
    tenant_learn(tenant, len == sizeof said ? &said : NULL, &gate->config.recipients, now);
    gate->names_fail = tenant->failed_at != 0;
    /* Of whom nothing was ever known nothing is lost by an answer that did not come. */
    if (tenant->known_at && (was_member || tenant->open_at) && !tenant->member)
        tenant_leaves(gate, tenant);
    go_on(gate, tenant->uid, now);
}

bool tenant_ask(struct gate *gate, struct tenant *tenant, enum child_use use)
{
    const struct name_question question = {.uid = tenant->uid, .group = gate->config.group};
    const struct child_terms terms = {.work = ask_names,
                                      .done = names_told,
                                      .owner = tenant,
                                      .seconds = NAMES_SECONDS,
                                      .use = use};
    if (!tenant->asking)
        tenant->asking = children_start(&gate->children, &terms, &question);
    return tenant->asking;
}

/* Whether there is room for one more who waits. */
static bool may_wait(const struct gate *gate, const struct connection *connection)
{
    size_t waiting = 0;
    size_t logins = 0;
    for (size_t i = 0; i < MT_GATE_CONNECTIONS_MAX; i++) {
        const struct connection *other = gate->connections + i;
        if (other == connection || other->stage == FREE || other->stage == READS)
            continue;
        waiting++;
        logins += other->is_login;
    }
    return waiting < MT_GATE_WAITING_MAX &&
           (!connection->is_login || logins < MT_GATE_LOGINS_WAITING_MAX);
}

void request_wait(struct gate *gate, struct connection *connection, int64_t now,
                  void retry(struct gate *gate, struct connection *connection, int64_t now))
{
    if (connection->stage != WAITS || connection->retry != retry)
        connection->until = now + WAIT_SECONDS * MT_SECOND;
    if (now >= connection->until || !may_wait(gate, connection)) {
        request_refuse(gate, connection, CODE_too_busy);
        return;
    }
    connection->retry = retry;
    connection->stage = WAITS;
}

void requests_retry(struct gate *gate, int64_t now)
{
    for (size_t i = 0; i < MT_GATE_CONNECTIONS_MAX; i++) {
        struct connection *connection = gate->connections + i;
        if (connection->stage == WAITS)
            connection->retry(gate, connection, now);
    }
}

static void let_in(struct gate *gate, struct connection *connection, struct tenant *tenant,
                   int64_t now)
{
    const struct scgi_request *request = &connection->request;
    char shown[SHOWN_SIZE];
    uint32_t rate = lists_rate(&gate->lists, tenant->uid, gate->config.rate);
    unsigned retry = rate_take(&tenant->bucket, rate, now);
    if (retry > 0) {
        refuse(gate, connection, CODE_rate_limited, retry);
        return;
    }
    tenant_shown(tenant, shown);
    streams_note(gate->streams, request->addr, request->port, tenant->uid, now);
    tenant->open_at = now;
    reply_let_in(connection->fd, shown, tenant->uid);
    request_end(connection);
}

static void decide(struct gate *gate, struct connection *connection, struct tenant *tenant,
                   int64_t now)
{
    const char *portal = connection->request.user;
    if (!tenant->member)
        request_refuse(gate, connection, CODE_not_recipient);
    else if (*portal && strcmp(portal, tenant->name) != 0)
        request_refuse(gate, connection, CODE_other_user);
    else if (connection->is_login)
        login_finish(gate, connection, tenant, now);
    else
        let_in(gate, connection, tenant, now);
}

void request_enter(struct gate *gate, struct connection *connection, int64_t now)
{
    if (lists_bans(&gate->lists, connection->uid)) {
        request_refuse(gate, connection, CODE_banned);
        return;
    }
    struct tenant *tenant = tenants_find(gate->tenants, connection->uid, now);
    enum knowledge knowledge = tenant ? tenant_knowledge(tenant, now) : UNKNOWN;
    /* Nobody waits for what did not come about others either. */
    if (knowledge == UNKNOWN && tenant && gate->names_fail && tenant_is_kept(tenant, now))
        knowledge = AGING;
    bool asked = tenant && (knowledge == UNKNOWN || knowledge == AGING) &&
                 tenant_ask(gate, tenant, knowledge == UNKNOWN ? FOR_ANYTHING : FOR_LATER);
    if (knowledge == FAILED)
        request_refuse(gate, connection, CODE_lookup_failed);
    else if (knowledge == UNKNOWN && (!asked || !may_wait(gate, connection)))
        request_wait(gate, connection, now, request_enter);
    else if (knowledge == UNKNOWN)
        connection->stage = ASKS_NAMES;
    else
        decide(gate, connection, tenant, now);
}

/* Whether a page of the service asks, or a person who goes there, which they see: not in a frame of
 * another page. Pages of other hosts of the same domain are sent with the cookie, too, and could do
 * what they like with it, and read a websocket.
 */
static bool is_by_itself(const struct scgi_request *request)
{
    return !*request->site || strcasecmp(request->site, "same-origin") == 0 ||
           strcasecmp(request->site, "none") == 0 ||
           (strcasecmp(request->mode, "navigate") == 0 && strcmp(request->method, "GET") == 0 &&
            (!*request->dest || strcasecmp(request->dest, "document") == 0));
}

static void check(struct gate *gate, struct connection *connection, int64_t now)
{
    uid_t uid;
    if (!is_by_itself(&connection->request))
        connection->request.cookie = "";
    enum code code =
        request_token(gate, &connection->request, &uid, &connection->expires, connection->token);
    if (code == CODE_ok || code == CODE_token_expired)
        connection->uid = uid;
    if (code == CODE_ok)
        request_enter(gate, connection, now);
    else
        request_refuse(gate, connection, code);
}

static void dispatch(struct gate *gate, struct connection *connection, int64_t now)
{
    const struct scgi_request *request = &connection->request;
    connection->is_login = strcmp(request->path, LOGIN_PATH) == 0;
    if (strcmp(request->path, CHECK_PATH) == 0)
        check(gate, connection, now);
    else if (connection->is_login && strcmp(request->method, "POST") == 0)
        login_begin(gate, connection, now);
    else
        request_refuse(gate, connection, CODE_bad_request);
}

/* Where something is left unread nginx would not hear the answer. */
static void refuse_unread(struct gate *gate, struct connection *connection)
{
    char block[4096];
    for (int n = 0; n < UNREAD_MAX; n++) {
        if (recv(connection->fd, block, sizeof block, MSG_DONTWAIT) <= 0)
            break;
    }
    request_refuse(gate, connection, CODE_bad_request);
}

void request_read(struct gate *gate, struct connection *connection, int64_t now)
{
    for (;;) {
        char block[4096];
        ssize_t n = recv(connection->fd, block, sizeof block, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN && now < connection->until)
            return;
        /* With room for a terminator: from here on it stays where it is. */
        if (n <= 0 || mt_buf_append(&connection->input, block, (size_t)n) != MT_OK ||
            mt_buf_reserve(&connection->input, 1) != MT_OK) {
            request_refuse(gate, connection, CODE_bad_request);
            return;
        }
        enum scgi_state state =
            scgi_read(connection->input.data, connection->input.len, &connection->request);
        explicit_bzero(block, (size_t)n);
        if (state == SCGI_MORE)
            continue;
        if (state == SCGI_BAD)
            refuse_unread(gate, connection);
        else
            dispatch(gate, connection, now);
        return;
    }
}

static struct connection *free_place(struct gate *gate)
{
    for (size_t i = 0; i < MT_GATE_CONNECTIONS_MAX; i++) {
        if (gate->connections[i].stage == FREE)
            return gate->connections + i;
    }
    return NULL;
}

void requests_accept(struct gate *gate, int64_t now)
{
    struct connection *place;
    for (int n = 0; n < ACCEPTED_MAX && (place = free_place(gate)); n++) {
        int fd = accept4(gate->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        *place = (struct connection){
            .stage = READS,
            .fd = fd,
            .until = now + READ_SECONDS * MT_SECOND,
            .uid = (uid_t)-1,
            .input = MT_BUF_INIT(INPUT_MAX),
        };
        request_read(gate, place, now);
    }
}
