/* SPDX-License-Identifier: MIT */
/* The message inside an envelope: who it is for, how it is shown, and the connection. */
#pragma once

#include "status.h"

#include <jansson.h>

/* `recipients` of a message for all members of its group. */
#define MT_WHOLE_GROUP "*"

/* The keys of a v1 connection that are no part of it. */
#define MT_TITLE_KEY "mt_title"
#define MT_SERVICE_KEY "mt_service"
#define MT_UNTIL_KEY "mt_until"
#define MT_LEAD_KEY "mt_lead"

/*
 * A parsed message. Its form is right; whether its contents are acceptable, the policy says.
 * Both objects are flat and hold strings only, in the publisher's order; a connection value may
 * hold any character, NUL too. The texts borrow from `accounting`, are NUL-terminated and UTF-8, as
 * title, service and door are. `until`, `lead` and `gate` are below 0 where what is told is no
 * number above 0.
 * jansson counts references atomically, so copies may end on other threads.
 */
struct mt_message {
    json_t *accounting; /* exactly mtu, mti, mta, mtm, mtd */
    json_t *connection;
    json_t *title;          /* a text that its publisher calls it by; NULL: none */
    json_t *service;        /* a text: the service that its job is a member of; NULL: none */
    int64_t until;          /* epoch: when its publisher means it to end; 0: not told */
    int64_t lead;           /* minutes before a job's end in which it hands over; 0: not told */
    json_t *door;           /* a text: what its gateway asks a tenant for; NULL: it has none */
    int64_t gate;           /* the port of its gateway; 0: it has none */
    const char *recipients; /* mtu: decimal uids and commas, or MT_WHOLE_GROUP */
    const char *session;    /* mti */
    const char *app;        /* mta */
    const char *method;     /* mtm */
    const char *delivery;   /* mtd */
};

/*
 * Parses the v1 text `ACCOUNTING|CONNECTION`: two JSON objects whose strings may be in single or
 * double quotes, split at the only `|` outside strings. In ACCOUNTING every value is a string and
 * the five keys are there (others are dropped); in CONNECTION an integer or boolean is taken as its
 * text, and MT_TITLE_KEY and the keys beside it do not stay in it. Refused: other types, duplicate
 * keys, trailing bytes, text that is not UTF-8.
 *
 * MT_OK: the caller owns *out and frees it
 * MT_MALFORMED
 * MT_TOO_LARGE: over MT_MESSAGE_MAX
 * MT_NOMEM
 *
 * *out is zeroed on failure. Thread-safe.
 */
MT_CHECKED enum mt_status mt_message_parse_v1(const char *text, size_t len, struct mt_message *out);

/* Sets what borrows from `accounting`, which holds its five texts. */
MT_NONNULL_ALL void mt_message_set_texts(struct mt_message *message);

/* What the service is called: its title, or what its app is in words, or the app's name. */
MT_CHECKED const char *mt_message_title(const struct mt_message *message);

/*
 * Of a message that is refused, what tables call it stays: app and title, where they are such
 * texts. Of the rest its publisher chose how large it is.
 *
 * MT_OK
 * MT_NOMEM: it is as it was
 */
MT_CHECKED MT_NONNULL_ALL enum mt_status mt_message_keep_name(struct mt_message *message);

/* Another owner of the same message; both are freed. */
MT_CHECKED struct mt_message mt_message_copy(const struct mt_message *message);

/* Whether the list of recipients holds this uid, or the whole group is meant. */
MT_CHECKED bool mt_message_is_for(const struct mt_message *message, uint32_t uid);

/* Frees what the message owns and zeroes it; a zeroed message is fine. */
MT_NONNULL_ALL void mt_message_free(struct mt_message *message);
