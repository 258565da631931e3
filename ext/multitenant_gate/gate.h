/* SPDX-License-Identifier: MIT */
/* The gate as a whole: what its files share. */
#pragma once

#include "buf.h"
#include "children.h"
#include "code.h"
#include "config.h"
#include "keeper.h"
#include "keys.h"
#include "lists.h"
#include "login.h"
#include "nonces.h"
#include "rate.h"
#include "reply.h"
#include "scgi.h"
#include "streams.h"
#include "tenants.h"

/* What a request of nginx's waits for. */
enum stage {
    FREE, /* there is none in this place */
    READS,
    ASKS_MUNGE,
    ASKS_NAMES, /* about `uid` */
    ASKS_ACCOUNT,
    WAITS /* for a child to be free, then `retry` */
};

struct gate;

struct connection {
    enum stage stage;
    int fd;
    int64_t until; /* while it reads or waits */
    void (*retry)(struct gate *gate, struct connection *connection, int64_t now);
    bool is_login; /* else it is a check */
    bool again;    /* a login that was used before, by a browser that has a token */
    uid_t uid;     /* from ASKS_NAMES on */
    int64_t expires;
    char token[TOKEN_SIZE];
    char password[PASSWORD_SIZE]; /* of an account, whose name is in `token` */
    struct mt_buf input;
    struct scgi_request request;
    struct login login;
    json_t *parsed;
};

struct gate {
    struct config config;
    struct keys keys;
    struct lists lists;
    struct keeper keeper;
    struct children children;
    struct tenants *tenants;
    struct nonces *nonces;
    struct streams *streams;
    struct bucket refusals[2]; /* that may be in the log: of others, and of users */
    bool seen_due;             /* the lists act, once all accounts are locked */
    bool renew_due;            /* what is open has to end with nginx's workers */
    int64_t renew_at;          /* not before */
    int64_t look_at;           /* when to look next who has a connection */
    bool names_fail;           /* no answer of the name service came to the last question */
    bool look_asks;            /* not all of them were asked about yet */
    size_t look_from;          /* the place in the table where asking goes on */
    pid_t nginx;
    bool nginx_ended;
    int listener;
    int signals;
    struct connection connections[MT_GATE_CONNECTIONS_MAX];
};

/* ---- requests.c ---- */

/* Takes what nginx asks, up to the number of places; answers what can be answered at once. */
MT_NONNULL_ALL void requests_accept(struct gate *gate, int64_t now);

/* Tries those anew that wait. */
MT_NONNULL_ALL void requests_retry(struct gate *gate, int64_t now);

/* There is no child to ask for it: waits for one, and is tried anew then; or is refused. */
MT_NONNULL_ALL void request_wait(struct gate *gate, struct connection *connection, int64_t now,
                                 void retry(struct gate *gate, struct connection *connection,
                                            int64_t now));

/* Reads on, or gives it up where it is late. */
MT_NONNULL_ALL void request_read(struct gate *gate, struct connection *connection, int64_t now);

/* Whose request it is was found out: lets it in, refuses it, or asks the name service first. */
MT_NONNULL_ALL void request_enter(struct gate *gate, struct connection *connection, int64_t now);

/* Refuses and ends it; says so in the log. */
MT_NONNULL_ALL void request_refuse(struct gate *gate, struct connection *connection,
                                   enum code code);

/* Ends it, answered or not. */
MT_NONNULL_ALL void request_end(struct connection *connection);

/* The token that a request brings. CODE_ok; CODE_token_*. */
MT_NONNULL_ALL enum code request_token(const struct gate *gate, const struct scgi_request *request,
                                       uid_t *uid, int64_t *expires, char token[TOKEN_SIZE]);

/* A line of the log about a request. */
MT_NONNULL_ALL void request_note(struct gate *gate, const struct connection *connection,
                                 const char *what);

/* Asks the name service about a user, if that is not under way; false: not now. FOR_LATER: no
 * request waits for it. */
MT_NONNULL_ALL bool tenant_ask(struct gate *gate, struct tenant *tenant, enum child_use use);

/* ---- logins.c ---- */

/* A login was read whole. */
MT_NONNULL_ALL void login_begin(struct gate *gate, struct connection *connection, int64_t now);

/* As far as it is known now: CODE_ok; CODE_banned, CODE_not_recipient. */
MT_NONNULL_ALL enum code keep_out(struct gate *gate, uid_t uid, int64_t now);

/* The user may come in. */
MT_NONNULL_ALL void login_finish(struct gate *gate, struct connection *connection,
                                 struct tenant *tenant, int64_t now);

/* With which the browser may ask for the same once more; `token` is the user's. */
MT_NONNULL_ALL struct cookie login_cookie(const struct gate *gate,
                                          const struct connection *connection, const char *token);

/* ---- accounts.c ---- */

/* Makes or unlocks the user's account, and answers. */
MT_NONNULL_ALL void account_open(struct gate *gate, struct connection *connection,
                                 struct tenant *tenant, int64_t now);

/* New lists act: whoever is banned now loses what is open. */
MT_NONNULL_ALL void bans_act(struct gate *gate, const struct lists *lists);

/* A user may no longer come in. */
MT_NONNULL_ALL void tenant_leaves(struct gate *gate, struct tenant *tenant);

/* What is due about accounts and about what is open; when to look again. */
MT_NONNULL_ALL void accounts_tick(struct gate *gate, int64_t now, int64_t *until);
