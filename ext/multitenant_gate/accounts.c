/* SPDX-License-Identifier: MIT */
/* What is open and has to be closed: connections, and accounts of databases. */
#include "ask.h"
#include "clock.h"
#include "gate.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNT_SECONDS 5
#define TICK MT_SECOND
#define RENEWAL (60 * MT_SECOND)
#define LOOK_AFTER (10 * MT_SECOND)
#define LINE_SIZE 512

static void lock_later(struct gate *gate, uid_t uid)
{
    struct tenant *tenant = tenants_find(gate->tenants, uid, mt_now());
    if (tenant)
        tenant->locks = true;
}

static void account_told(void *context, void *owner, const void *answer, size_t len)
{
    struct gate *gate = context;
    struct connection *connection = owner;
    (void)answer;
    const enum code code = keep_out(gate, connection->uid, mt_now());
    if (code != CODE_ok) {
        /* Since it was begun; whoever locked the account may have been there first. */
        lock_later(gate, connection->uid);
        request_refuse(gate, connection, code);
        return;
    }
    if (len != 1) {
        request_refuse(gate, connection, CODE_account_failed);
        return;
    }
    char token[TOKEN_SIZE] = "";
    if (!connection->again &&
        token_make(gate->keys.token, connection->uid, connection->expires, token) != MT_OK) {
        request_refuse(gate, connection, CODE_too_busy);
        return;
    }
    const struct cookie cookie = login_cookie(gate, connection, token);
    if (connection->login.is_form)
        reply_show_account(connection->fd, connection->token, connection->password, &cookie);
    else
        reply_account(connection->fd, connection->token, connection->password, connection->expires);
    OPENSSL_cleanse(token, sizeof token);
    request_note(gate, connection, "login");
    request_end(connection);
}

void account_open(struct gate *gate, struct connection *connection, struct tenant *tenant,
                  int64_t now)
{
    const struct child_terms terms = {.work = ask_account,
                                      .done = account_told,
                                      .owner = connection,
                                      .seconds = ACCOUNT_SECONDS,
                                      .use = FOR_LOGIN};
    char shown[SHOWN_SIZE];
    char line[LINE_SIZE];
    const struct account_question question = {.argv = gate->config.accounts, .line = line};
    tenant_shown(tenant, shown);
    const char *name = *tenant->name ? tenant->name : shown;
    bool ok = account_name(tenant->uid, name, connection->token) == MT_OK &&
              account_password(gate->keys.token, connection->token, connection->password) == MT_OK;
    (void)snprintf(line, sizeof line, "login %s %s %s\n", connection->token, connection->password,
                   shown);
    if (ok && children_start(&gate->children, &terms, &question)) {
        tenant->has_account = true;
        connection->stage = ASKS_ACCOUNT;
    } else {
        request_wait(gate, connection, now, request_enter);
    }
    OPENSSL_cleanse(line, sizeof line);
}

static bool is_banned(void *lists, const uid_t *uid)
{
    return !uid || lists_bans(lists, *uid);
}

static bool is_user(void *uid, const uid_t *other)
{
    return !other || *(const uid_t *)uid == *other;
}

/* Without pidfd_getfd they end with nginx's worker, which has its worker_shutdown_timeout. */
static void note_cut(struct gate *gate, int count)
{
    if (count < 0) {
        gate->renew_due = true;
        keeper_note(&gate->keeper, "streams_not_cut");
    } else {
        keeper_note(&gate->keeper, "streams_cut count=%d", count);
    }
}

/* Each leaves an old worker, so not for each of many who leave. */
static void renew_workers(struct gate *gate, int64_t now, int64_t *until)
{
    if (!gate->renew_due)
        return;
    if (now >= gate->renew_at) {
        (void)kill(gate->nginx, SIGHUP);
        gate->renew_due = false;
        gate->renew_at = now + RENEWAL;
    } else if (gate->renew_at < *until) {
        *until = gate->renew_at;
    }
}

void bans_act(struct gate *gate, const struct lists *lists)
{
    bool more = false;
    for (size_t i = 0; i < lists->banned_count; i++) {
        if (lists_bans(&gate->lists, lists->banned[i]))
            continue;
        more = true;
        if (gate->config.accounts)
            lock_later(gate, lists->banned[i]);
    }
    gate->lists = *lists;
    if (more && !gate->config.accounts)
        note_cut(gate, streams_cut(gate->streams, gate->nginx, is_banned, &gate->lists));
    gate->seen_due = true;
}

void tenant_leaves(struct gate *gate, struct tenant *tenant)
{
    if (gate->config.accounts)
        tenant->locks = tenant->has_account;
    else
        note_cut(gate, streams_cut(gate->streams, gate->nginx, is_user, &tenant->uid));
    tenant->open_at = 0;
}

struct look {
    struct gate *gate;
    int64_t now;
    bool is_anybodys; /* there is a connection that may be */
};

/* Cuts none. */
static bool is_seen(void *context, const uid_t *uid)
{
    struct look *look = context;
    struct tenant *tenant = uid ? tenants_find(look->gate->tenants, *uid, look->now) : NULL;
    if (tenant)
        tenant->open_at = look->now;
    else
        look->is_anybodys = true;
    return false;
}

/* Whether what is known has to be asked again; not at once where nobody answered. */
static bool is_old(const struct tenant *tenant, int64_t now)
{
    const enum knowledge knowledge = tenant_knowledge(tenant, now);
    return knowledge == AGING || knowledge == UNKNOWN;
}

static bool is_due(const struct tenant *tenant, int64_t now)
{
    return tenant->open_at && is_old(tenant, now);
}

/* Who has connections, if that is not known of one who should be asked about; where it can't be
 * seen, whoever could have. */
static void see_open(struct gate *gate, int64_t now)
{
    struct look look = {.gate = gate, .now = now};
    bool due = false;
    for (size_t i = 0; i < MT_GATE_TENANTS_MAX && !due; i++) {
        const struct tenant *tenant = tenants_at(gate->tenants, i);
        due = tenant && is_due(tenant, now);
    }
    if (!due)
        return;
    if (streams_cut(gate->streams, gate->nginx, is_seen, &look) < 0)
        look.is_anybodys = true;
    const int64_t since = look.is_anybodys ? now - MT_GATE_TOKEN_SECONDS * MT_SECOND : now;
    for (size_t i = 0; i < MT_GATE_TENANTS_MAX; i++) {
        struct tenant *tenant = tenants_at(gate->tenants, i);
        if (tenant && tenant->open_at < since)
            tenant->open_at = 0;
    }
}

/* Of those who have connections, and were not asked about for a while; false: not of all now, and
 * it goes on there once an answer has come. */
static bool ask_of_open(struct gate *gate, int64_t now)
{
    for (size_t n = 0; n < MT_GATE_TENANTS_MAX; n++) {
        const size_t i = (gate->look_from + n) % MT_GATE_TENANTS_MAX;
        struct tenant *tenant = tenants_at(gate->tenants, i);
        if (tenant && is_due(tenant, now) && !tenant_ask(gate, tenant, FOR_LATER)) {
            gate->look_from = i;
            return false;
        }
    }
    return true;
}

/* Whoever left the group may have a connection that stays open, and ask for nothing by which that
 * would be seen. */
static void look_at_open(struct gate *gate, int64_t now, int64_t *until)
{
    if (gate->config.accounts)
        return;
    if (now >= gate->look_at) {
        see_open(gate, now);
        gate->look_at = now + LOOK_AFTER;
        gate->look_asks = true;
    }
    gate->look_asks = gate->look_asks && !ask_of_open(gate, now);
    if (gate->look_at < *until)
        *until = gate->look_at;
}

static void locked(void *context, void *owner, const void *answer, size_t len)
{
    struct gate *gate = context;
    struct tenant *tenant = owner;
    (void)answer;
    tenant->locking = false;
    if (len == 1) {
        tenant->locks = false;
        tenant->has_account = false;
    }
    keeper_note(&gate->keeper, "%s uid=%u", len == 1 ? "account_locked" : "account_not_locked",
                tenant->uid);
}

static void lock(struct gate *gate, struct tenant *tenant)
{
    const struct child_terms terms = {
        .work = ask_account, .done = locked, .owner = tenant, .seconds = 2 * ACCOUNT_SECONDS};
    char line[LINE_SIZE];
    const struct account_question question = {.argv = gate->config.accounts, .line = line};
    (void)snprintf(line, sizeof line, "ban %u\n", tenant->uid);
    if (!tenant->locking)
        tenant->locking = children_start(&gate->children, &terms, &question);
}

void accounts_tick(struct gate *gate, int64_t now, int64_t *until)
{
    const size_t from = gate->look_from;
    bool due = false;
    bool asks = true;
    for (size_t n = 0; n < MT_GATE_TENANTS_MAX && gate->config.accounts; n++) {
        const size_t i = (from + n) % MT_GATE_TENANTS_MAX;
        struct tenant *tenant = tenants_at(gate->tenants, i);
        if (!tenant)
            continue;
        due = due || tenant->locks;
        if (tenant->locks) {
            lock(gate, tenant);
        } else if (asks && tenant->has_account && is_old(tenant, now) &&
                   !tenant_ask(gate, tenant, FOR_LATER)) {
            gate->look_from = i;
            asks = false;
        }
    }
    if (gate->seen_due && !due) {
        keeper_seen(&gate->keeper);
        gate->seen_due = false;
    }
    if (gate->config.accounts && now + TICK < *until)
        *until = now + TICK;
    look_at_open(gate, now, until);
    renew_workers(gate, now, until);
}
