/* SPDX-License-Identifier: MIT */
/*
 * The users whom the gate knows: what the name service last said of each, and how many requests
 * they may still make. A bounded table that forgets whom it saw longest ago.
 */
#pragma once

#include "answer.h"
#include "attr.h"
#include "mt_limits.h"
#include "rate.h"

#include <sys/types.h>

/* What a look-up tells, as it comes through a pipe. */
struct look_up {
    enum mt_answer user;  /* does the name service know them, */
    enum mt_answer group; /* and the group; */
    bool in_group;        /* are they in it */
    char name[MT_NAME_MAX + 1];
};

/* For whom the service is, beside the group. */
struct recipients {
    bool listed; /* for these alone, in rising order */
    uid_t publisher;
    const uid_t *uids;
    size_t count;
};

struct tenant {
    uid_t uid;
    bool asking;       /* a look-up is under way: it is not forgotten meanwhile */
    bool member;       /* as it was at `known_at`; it may come in */
    bool has_account;  /* it was made since the gate began */
    bool locks;        /* the account has to be locked: nor is it forgotten then */
    bool locking;      /* that is under way */
    int64_t known_at;  /* by the clock of clock.h; 0: never */
    int64_t failed_at; /* when the last look-up failed; 0: it did not */
    int64_t seen_at;   /* 0: this place is free */
    int64_t open_at;   /* when they were last seen to have a connection; 0: they have none */
    char name[MT_NAME_MAX + 1]; /* "": the name service does not know them */
    struct bucket bucket;
};

struct tenants;

/* NULL without memory; the caller frees. */
MT_NODISCARD struct tenants *tenants_new(void);
void tenants_free(struct tenants *tenants);

/* The user's place, a new one if need be. NULL: there is none, all near it are being looked up. */
MT_CHECKED struct tenant *tenants_find(struct tenants *tenants, uid_t uid, int64_t now);

/* The place `i`; NULL: that is free. */
MT_CHECKED struct tenant *tenants_at(struct tenants *tenants, size_t i);

enum knowledge {
    KNOWN,   /* what is known holds, */
    AGING,   /* but should be asked again soon */
    UNKNOWN, /* it has to be asked first */
    FAILED   /* it was asked in vain, and for too long */
};

/* How far what is known of a user holds at `now`. */
MT_CHECKED enum knowledge tenant_knowledge(const struct tenant *tenant, int64_t now);

/* Whether what is known may still be used where the name service answers nobody. */
MT_CHECKED bool tenant_is_kept(const struct tenant *tenant, int64_t now);

/* Takes over what was looked up; NULL: it failed. */
MT_NONNULL(1, 3)
void tenant_learn(struct tenant *tenant, const struct look_up *said,
                  const struct recipients *recipients, int64_t now);

/* Room for a name as the server sees it. */
#define SHOWN_SIZE (MT_NAME_MAX + 1)

/* The user's name as a header can carry it, printable ASCII without blanks; else uid_N. */
MT_NONNULL_ALL void tenant_shown(const struct tenant *tenant, char out[SHOWN_SIZE]);
