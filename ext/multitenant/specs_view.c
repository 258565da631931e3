/* SPDX-License-Identifier: MIT */
#include "specs_view.h"

#include "policy.h"
#include "service.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* Rank of a cluster in the site's order; clusters that it does not list come last. */
static size_t rank(const struct mt_settings *settings, const char *slurm)
{
    size_t i = 0;
    while (i < settings->n_clusters && strcmp(settings->clusters[i].slurm, slurm) != 0)
        i++;
    return i;
}

static const char *ood_cluster(const struct mt_settings *settings, const char *slurm)
{
    size_t i = rank(settings, slurm);
    return i < settings->n_clusters ? settings->clusters[i].ood : NULL;
}

/*
 * Who has the card of a session id: its publisher's oldest share, or, where several publishers
 * named it, none of them. A session id in the form of a made one could be someone's made one.
 */
static enum mt_status settle_id(struct mt_specs *specs, struct mt_share *share)
{
    bool shared = mt_card_id_is_made(share->message.session);
    for (size_t i = 0; i < specs->count; i++) {
        const struct mt_share *other = &specs->shares[i];
        if (other == share || !other->wants_card || other->service ||
            strcmp(other->message.session, share->message.session) != 0)
            continue;
        if (other->record.uid != share->record.uid)
            shared = true;
        else if (other < share && share->wants_card && share->card == MT_REASON_ok)
            share->card = MT_REASON_duplicate_session;
    }
    if (share->card == MT_REASON_duplicate_session)
        share->wants_card = false;
    if (shared && share->wants_card)
        return mt_card_id_make(share->record.cluster, share->record.job_id, share->message.session,
                               share->card_id);
    (void)snprintf(share->card_id, sizeof share->card_id, "%s", share->message.session);
    return MT_OK;
}

static enum mt_status decide_cards(struct mt_specs *specs, const struct mt_settings *settings,
                                   const struct mt_dismissed *dismissed)
{
    for (size_t i = 0; i < specs->count; i++) {
        struct mt_share *share = &specs->shares[i];
        if (!share->current)
            continue;
        const char *ood = ood_cluster(settings, share->record.cluster);
        if (ood && !(share->ood_cluster = strdup(ood)))
            return MT_NOMEM;
        share->card = share->specs;
        if (!share->listed)
            continue;
        bool gone = mt_dismissed_has(dismissed, share->record.cluster, share->record.job_id);
        enum mt_reason card = mt_policy_card(&share->record, &share->message, settings, gone, ood);
        share->wants_card = card == MT_REASON_ok;
        if (share->specs == MT_REASON_ok)
            share->card = card;
    }
    enum mt_status status = mt_services_join(specs, settings, dismissed);
    for (size_t i = 0; i < specs->count && status == MT_OK; i++) {
        if (specs->shares[i].listed && specs->shares[i].current && !specs->shares[i].service)
            status = settle_id(specs, &specs->shares[i]);
    }
    return status;
}

/* JOBID goes to the listed share of the first cluster, or to the first cluster's. */
static void set_keys(struct mt_specs *specs, const struct mt_settings *settings)
{
    for (size_t first = 0, next; first < specs->count; first = next) {
        uint32_t job_id = specs->by_job[first]->record.job_id;
        const struct mt_share *winner = specs->by_job[first];
        for (next = first; next < specs->count && specs->by_job[next]->record.job_id == job_id;
             next++) {
            const struct mt_share *share = specs->by_job[next];
            size_t mine = rank(settings, share->record.cluster);
            size_t best = rank(settings, winner->record.cluster);
            if (share->listed != winner->listed ? share->listed : mine < best)
                winner = share;
        }
        for (size_t i = first; i < next; i++) {
            struct mt_share *share = specs->by_job[i];
            size_t len = mt_text_of_job(job_id, share->key);
            if (share != winner)
                (void)snprintf(share->key + len, sizeof share->key - len, "@%s",
                               share->record.cluster);
        }
    }
}

enum mt_status mt_specs_view(struct mt_specs *specs, const struct mt_settings *settings,
                             const struct mt_dismissed *dismissed)
{
    enum mt_status status = decide_cards(specs, settings, dismissed);
    if (status == MT_OK)
        set_keys(specs, settings);
    return status;
}
