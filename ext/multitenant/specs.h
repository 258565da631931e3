/* SPDX-License-Identifier: MIT */
/*
 * What one viewer was shown at one time: every job that was looked at, with what was decided.
 * A new round is made from the last one and new streams; what was opened once is not opened again.
 */
#pragma once

#include "coverage.h"
#include "dismissed.h"
#include "mt_limits.h"
#include "opened.h"
#include "settings.h"
#include "share.h"
#include "status.h"
#include "streams.h"

struct mt_specs {
    struct mt_share *shares; /* oldest start first, then by job id, then by cluster */
    size_t count;
    struct mt_share **by_job;  /* the same by job id, then cluster */
    struct mt_share **by_turn; /* the same as they count: each publisher's oldest, then the next */
    struct mt_share **members; /* of services, which have their part of this list */
    struct mt_service *services; /* of several jobs (service.h), the oldest first */
    size_t n_services;
    struct mt_coverage coverage; /* what the complete streams of this round have seen */
};

/*
 * Begins the next round: from the last one, which may be NULL, and new streams. Complete streams
 * replace what the last round had of their clusters; of other clusters, what was listed stays as it
 * was, and so do the shares of others where PrivateData hides them this time. An incomplete stream
 * changes nothing. It is decided who passes the group gate, which payloads can't be opened for
 * their form, and of the rest and of what stays that at most MT_SHARES_PER_PUBLISHER of one
 * publisher count, the oldest (too_many).
 *
 * MT_OK: the caller owns *out
 * MT_NOMEM, MT_INTERNAL: *out is NULL
 *
 * `last` stays as it is.
 */
MT_NODISCARD MT_NONNULL(2, 3, 4) enum mt_status
    mt_specs_begin(const struct mt_specs *last, const struct mt_streams *streams,
                   const struct mt_settings *settings, struct mt_specs **out);

/* A MUNGE payload that munged is to be asked about for this viewer; borrows from the round. */
struct mt_payload {
    const char *text;
    size_t len;
};

/*
 * The payloads of a round that began, each once, in the order in which their shares count: of those
 * which passed so far and were not opened for the last round, while the viewer has room for them.
 * Returns how many there are.
 */
MT_NODISCARD MT_NONNULL(1, 3) size_t
    mt_specs_payloads(const struct mt_specs *specs, const struct mt_specs *last,
                      struct mt_payload out[MT_CREDENTIALS_MAX]);

/*
 * Decides a round that began: envelopes are opened, unless that was done for the last round, and
 * `opened` is what munged said meanwhile. At most MT_SHARES_PER_VIEWER shares count in all, and
 * publishers take turns; beyond them no envelope is opened (too_many). Of shares that name one
 * session id, the oldest of each publisher may have a card (duplicate_session for the others); if
 * several publishers named it, each card gets an id of its own, made from cluster, job and session
 * id. Members of a service have one card, by the choice of `now` (service.h).
 *
 * MT_OK
 * MT_NOMEM, MT_CRYPTO, MT_INTERNAL: the round is of no use
 */
MT_NODISCARD MT_NONNULL(1, 3, 4, 5) enum mt_status
    mt_specs_decide(struct mt_specs *specs, const struct mt_specs *last,
                    const struct mt_settings *settings, const struct mt_opened *opened,
                    const struct mt_dismissed *dismissed, int64_t now);

/* The share of a job, borrowed, or NULL. */
MT_CHECKED struct mt_share *mt_specs_find(const struct mt_specs *specs, const char *cluster,
                                          uint32_t job_id);

/* Frees *specs and NULLs it; NULL is fine. */
MT_NONNULL_ALL void mt_specs_free(struct mt_specs **specs);
