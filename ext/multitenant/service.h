/* SPDX-License-Identifier: MIT */
/*
 * A service of several jobs, as one viewer meets it: the listed shares of a round that are its
 * members, the one that this viewer is sent to, and its one card.
 *
 * Members have the publisher's user name and uid, the group's gid, app and the message's service in
 * common, and, where one name may be two people, the cluster. All viewers together spread over the
 * members, and each stays at theirs while it lives: it is the member whose SHA-256 of viewer's uid,
 * cluster and job is the largest.
 */
#pragma once

#include "dismissed.h"
#include "settings.h"
#include "share.h"
#include "specs.h"
#include "status.h"

struct mt_service {
    char *key;                 /* USER/SERVICE@GROUP; owned */
    struct mt_share **members; /* borrowed, the oldest first */
    struct mt_share **ranked;  /* the same, the one that the viewer is sent to first */
    size_t count;
    struct mt_share
        *shown; /* the first ranked one with an OOD cluster, whose card it is, or NULL */
    bool dismissed;
    enum mt_reason card; /* ok, or why the service has none */
    char card_id[MT_UUID_SIZE];
};

/*
 * Joins the members of a round, whose OOD clusters are set: sets `service` of the shares that are
 * one, and `services` of the round, the oldest first. Of two services with one key the one with the
 * oldest member has it, and what would be members of the other stand alone; without a card where
 * both are of one person (service_taken).
 *
 * MT_OK
 * MT_NOMEM, MT_CRYPTO
 */
MT_CHECKED enum mt_status mt_services_join(struct mt_specs *specs,
                                           const struct mt_settings *settings,
                                           const struct mt_dismissed *dismissed);

/*
 * Chooses at a time: a member that is leaving, as its time limit ends it within its lead, is chosen
 * only where all are. Sets ranked, shown and card of each service, and card, wants_card and card_id
 * of its members: the codes of mt_policy_card by the youngest one's message, and other_member.
 * Returns the next time at which another one may be chosen although nothing else has changed; 0:
 * there is none.
 */
MT_NONNULL_ALL int64_t mt_services_choose(struct mt_specs *specs,
                                          const struct mt_settings *settings, int64_t now);

/* The service whose card has this id, borrowed, or NULL. */
MT_CHECKED struct mt_service *mt_service_of_card(const struct mt_specs *specs, const char *id);

/* Whether each job of its publisher could be looked at: else one that could not may be a member.
 * `key` is the service's, which begins with their name. */
MT_CHECKED bool mt_service_is_whole(const struct mt_specs *specs, const char *key);

/* Notes that the viewer sent the card away. */
MT_NONNULL_ALL void mt_service_dismiss(struct mt_service *service);

/* The message that says how the share's card looks, and where it is: of its service the youngest
 * member's, else its own. Borrowed. */
MT_CHECKED const struct mt_message *mt_service_look(const struct mt_share *share);

/* Frees the services of a round. */
MT_NONNULL_ALL void mt_services_free(struct mt_specs *specs);
