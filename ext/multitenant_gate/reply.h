/* SPDX-License-Identifier: MIT */
/* What nginx is answered: Status first, all in one write; nothing where that can't be. */
#pragma once

#include "code.h"

#include <sys/types.h>

enum reply_form { REPLY_CHECK, REPLY_JSON, REPLY_PAGE };

/* What a browser keeps: a token for a path. */
struct cookie {
    const char *token; /* NULL: there is none */
    const char *base;
    int64_t seconds;
    bool is_https;
};

/* The request may go on, as this user. */
MT_NONNULL_ALL void reply_let_in(int fd, const char *user, uid_t uid);

/* Why it may not; of rate_limited after how many seconds it may. */
void reply_refuse(int fd, enum reply_form form, enum code code, unsigned retry);

/* A token and whose it is, for a program; an account of a database, and until when. */
MT_NONNULL_ALL void reply_token(int fd, const char *token, int64_t expires, const char *user);
MT_NONNULL_ALL void reply_account(int fd, const char *account, const char *password,
                                  int64_t expires);

/* Sends a browser to the service. */
MT_NONNULL_ALL void reply_open(int fd, const struct cookie *cookie);

/* Shows a person a token, and where it is used; an account. */
MT_NONNULL_ALL void reply_show_token(int fd, const char *token, int64_t expires, const char *host,
                                     const struct cookie *cookie);
MT_NONNULL_ALL void reply_show_account(int fd, const char *account, const char *password,
                                       const struct cookie *cookie);
