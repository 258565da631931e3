/* SPDX-License-Identifier: MIT */
/* What the gate answers: a code for the log and for programs, a status of HTTP, a sentence. */
#pragma once

#include "attr.h"

#define CODE_TABLE(X)                                                                            \
    X(ok, 200, "Let in.")                                                                        \
    X(token_missing, 401, "This service asks for a token: log in first.")                        \
    X(token_malformed, 401, "This is not a token of a service.")                                 \
    X(token_bad, 401, "This is not a token of this service: log in again.")                      \
    X(token_expired, 401, "The token's time is over: log in again.")                             \
    X(banned, 403, "The publisher of this service has banned you.")                              \
    X(not_recipient, 403, "This service is not shared with you.")                                \
    X(other_user, 403, "The login is another user's than the one whom Open OnDemand names.")     \
    X(rate_limited, 403, "These are more requests a minute than the publisher allows.")          \
    X(cross_site, 403, "A page of another site may not log in here.")                            \
    X(login_invalid, 403,                                                                        \
      "munged on this node does not know the credential: it is damaged, or "                     \
      "another cluster's.")                                                                      \
    X(login_replayed, 403, "This login was used before: reload the page and try again.")         \
    X(login_expired, 403, "This login is too old: reload the page and try again.")               \
    X(login_rewound, 403, "This login is from the future: the clocks of two hosts differ.")      \
    X(login_ttl, 403, "A login's credential may live for 180 seconds at most.")                  \
    X(login_purpose, 403, "The credential was made for something else than a login.")            \
    X(login_restriction, 403, "The credential is not sealed for the publisher of this service.") \
    X(login_job, 403, "The credential is for another cluster, job or run.")                      \
    X(login_door, 403, "The credential's door is not this service's: reload the page.")          \
    X(bad_request, 400, "The request is not of the expected form.")                              \
    X(munge_unavailable, 503, "munged on the service's node does not answer: try again.")        \
    X(lookup_failed, 503, "The name service on the service's node does not answer: try again.")  \
    X(account_failed, 503, "The database did not make the account: try again.")                  \
    X(too_busy, 503, "Too many logins at once: try again.")

enum code {
#define X(name, status, sentence) CODE_##name,
    CODE_TABLE(X)
#undef X
        CODE_COUNT
};

/* Static texts and the number of a code. */
MT_NODISCARD const char *code_name(enum code code);
MT_NODISCARD const char *code_sentence(enum code code);
MT_NODISCARD int code_status(enum code code);
