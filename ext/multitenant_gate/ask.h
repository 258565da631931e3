/* SPDX-License-Identifier: MIT */
/* What children do, see children.h: each may block for as long as the other side likes. */
#pragma once

#include "children.h"
#include "login.h"
#include "tenants.h"

struct munge_question {
    const char *credential;
    const char *socket; /* NULL: libmunge's default */
};

/* Has munged open a credential. Question: struct munge_question; answer: struct credential. */
child_work ask_munge;

struct name_question {
    uid_t uid;
    const char *group;
};

/* Looks up a user and the group. Question: struct name_question; answer: struct look_up. */
child_work ask_names;

struct account_question {
    char *const *argv;
    const char *line; /* what it reads */
};

/* Runs the program that makes accounts. Question: struct account_question; answer: a byte. */
child_work ask_account;
