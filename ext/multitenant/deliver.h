/* SPDX-License-Identifier: MIT */
/*
 * Card files: makes what is below the data root follow a round. A card is
 *
 *   batch_connect/[CLUSTER/]TOKEN/output/ID/.multitenant     the mark: it is ours
 *   batch_connect/db/ID                                      OOD lists it
 *   batch_connect/[CLUSTER/]TOKEN/output/ID/connection.yml   OOD shows it
 *
 * written in this order and removed in the reverse one, so that nothing is ever orphaned without a
 * mark. A card without a mark is the user's own and is not touched, but for the ones that the
 * initializer before this project wrote: an output directory of an allowed token that holds nothing
 * but connection.yml is taken over where the round names its job, and removed once OOD has marked
 * the session completed or deleted its db file (which it does only after that).
 */
#pragma once

#include "settings.h"
#include "specs.h"
#include "status.h"

enum mt_action { MT_WRITTEN, MT_KEPT, MT_REMOVED, MT_LEFT, MT_FAILED };

/* What happened to one card, or, on MT_FAILED, to the path `id` below the data root. */
struct mt_event {
    enum mt_action action;
    const char *id;
    enum mt_status status; /* of a failure */
    int error;             /* errno of a failure */
};

/* Called for each card, in no set order; what `event` points to ends with the call. */
typedef void mt_event_fn(const struct mt_event *event, void *arg);

/*
 * Writes, keeps and removes cards. A card is removed only when its job was refused for a final
 * reason, or has ended: mt_coverage_tells of the mark's cluster and keys, and the specs do not
 * hold the job. Where a card's id is taken by a session of the user's own, the share's card_id is
 * changed to one made from it.
 *
 * `dry_run` tells the same and changes nothing. Failures of single cards are told and the others
 * go on. Where something is to be written or removed, one process of the user at a time does it.
 *
 * MT_OK
 * MT_NOMEM, MT_CRYPTO
 * MT_BUSY: another process had the lock for too long; it is told, too
 * MT_IO, MT_UNSAFE: the data root, db/ or the list of dismissed cards can't be used; told, too
 */
MT_NODISCARD MT_NONNULL(1, 2, 4) enum mt_status
    mt_deliver(struct mt_specs *specs, const struct mt_settings *settings, bool dry_run,
               mt_event_fn *tell, void *arg);

/*
 * The same, but what has to go is told as MT_LEFT, and stays. It may run while OOD reads the files:
 * no name of a card's goes away.
 */
MT_NODISCARD MT_NONNULL(1, 2, 3) enum mt_status
    mt_deliver_writes(struct mt_specs *specs, const struct mt_settings *settings, mt_event_fn *tell,
                      void *arg);

/*
 * Sends the card of that id away: notes that its job or service gets none until it ends, removes
 * its files and changes the share in `specs` (NULL: there is no round yet). A card of the old
 * initializer's is removed without a note. *found: there was one; a session of the user's own is
 * none. Statuses as above; a card whose files can't be removed is told and found.
 */
MT_NODISCARD MT_NONNULL(2, 3, 4, 5) enum mt_status
    mt_deliver_dismiss(struct mt_specs *specs, const struct mt_settings *settings, const char *id,
                       bool *found, mt_event_fn *tell, void *arg);

/* Takes such a note back, by the id of the card or job, or the service's key. *found: there was
 * one. Statuses as above.
 */
MT_NODISCARD MT_NONNULL(1, 2, 3, 4) enum mt_status
    mt_deliver_restore(const struct mt_settings *settings, const char *id, bool *found,
                       mt_event_fn *tell, void *arg);

/*
 * Removes every card of ours, whatever its job does, the empty directories of allowed tokens, and
 * the list of dismissed cards. Statuses as above.
 */
MT_NODISCARD MT_NONNULL(1, 3) enum mt_status
    mt_deliver_nothing(const struct mt_settings *settings, bool dry_run, mt_event_fn *tell,
                       void *arg);
