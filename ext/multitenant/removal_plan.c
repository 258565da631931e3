/* SPDX-License-Identifier: MIT */
#include "removal_plan.h"

#include "card.h"
#include "service.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* What a decision looks at. */
struct context {
    struct mt_inventory *found;
    struct mt_specs *specs;
    const struct mt_settings *settings;
    int db;
    mt_trouble_fn *trouble;
    void *arg;
};

/* The share that an unmarked directory of the old initializer belongs to, or NULL. */
static struct mt_share *legacy_share(const struct context *context, const struct mt_found *found)
{
    for (size_t i = 0; i < context->specs->count; i++) {
        struct mt_share *share = &context->specs->shares[i];
        char job_id[MT_JOB_TEXT_SIZE];
        if (!mt_share_is_due(share))
            continue;
        (void)mt_text_of_job(share->record.job_id, job_id);
        if (strcmp(job_id, found->db_job_id) == 0 &&
            strcmp(share->message.session, found->id) == 0 &&
            strcmp(share->message.delivery, found->token) == 0)
            return share;
    }
    return NULL;
}

/*
 * Whether it is certain that no OOD cluster stands for this one of Slurm's. It is not where that
 * can't be learned now, nor on a host that knows no OOD cluster at all.
 */
static bool is_unknown(const struct mt_settings *settings, const char *slurm)
{
    size_t i = 0;
    while (i < settings->n_clusters &&
           (settings->clusters[i].ood || strcmp(settings->clusters[i].slurm, slurm) != 0))
        i++;
    return settings->n_clusters > 0 && i == settings->n_clusters;
}

/* Whether the share's card has to go: also of one that was kept, where that is one too many. */
static bool is_refused(const struct context *context, const struct mt_share *share)
{
    bool decided = share->current || share->card == MT_REASON_too_many;
    if (!decided || mt_reason_is_temporary(share->card))
        return false;
    return share->card != MT_REASON_unknown_cluster ||
           is_unknown(context->settings, share->record.cluster);
}

/*
 * Whether another host of the user's made the card by a newer answer: this round may not know the
 * job yet. What the user has dismissed goes all the same.
 */
static bool is_ahead(const struct context *context, const struct mt_mark *mark, enum mt_reason card)
{
    return mt_coverage_is_older(&context->specs->coverage, mark->cluster, mark->time) &&
           card != MT_REASON_dismissed;
}

/* The card of a service goes with the service, whatever its members do. */
static void plan_service(const struct context *context, const struct mt_service *service,
                         struct mt_found *found)
{
    bool goes = service->card != MT_REASON_ok;
    if (service->shown && mt_share_is_due(service->shown)) {
        found->plan = MT_WANTED;
        found->share = service->shown;
    }
    for (size_t i = 0; i < service->count && service->card == MT_REASON_unknown_cluster; i++)
        goes = goes && is_unknown(context->settings, service->members[i]->record.cluster);
    if (goes)
        found->plan = MT_GOES;
}

static void plan_ours(const struct context *context, struct mt_found *found)
{
    const struct mt_mark *mark = &found->mark;
    const struct mt_service *service = mt_service_of_card(context->specs, found->id);
    struct mt_share *share = mt_specs_find(context->specs, mark->cluster, mark->job_id);
    enum mt_reason card = share ? share->card : MT_REASON_ok;
    if (service) {
        plan_service(context, service, found);
        card = service->card;
    } else if (share && share->record.uid != mark->uid) {
        /* The job id went round: the marked job has ended. */
        found->plan = MT_GOES;
    } else if (!share) {
        bool ended = mt_coverage_tells(&context->specs->coverage, mark->cluster, mark->wckeys,
                                       mark->job_id) &&
                     (!mark->service || mt_service_is_whole(context->specs, mark->service));
        found->plan = ended ? MT_GOES : MT_STAYS;
    } else if (mt_share_is_due(share)) {
        found->plan = MT_WANTED;
        found->share = share;
    } else if (is_refused(context, share)) {
        found->plan = MT_GOES;
    }
    if (found->plan == MT_GOES && is_ahead(context, mark, card))
        found->plan = MT_STAYS;
}

/* OOD deletes the db file of a session only after it has ended, and leaves connection.yml behind.
 */
static void plan_legacy(const struct context *context, struct mt_found *found)
{
    found->share = found->has_db ? legacy_share(context, found) : NULL;
    if (found->share)
        found->plan = MT_WANTED;
    else if (found->db_completed || found->db_gone)
        found->plan = MT_GOES;
}

static void plan_all(const struct context *context)
{
    for (size_t i = 0; i < context->found->count; i++) {
        struct mt_found *found = &context->found->items[i];
        found->plan = MT_STAYS;
        if (found->owner == MT_OURS)
            plan_ours(context, found);
        else if (found->owner == MT_LEGACY)
            plan_legacy(context, found);
    }
}

/* Whether db/ID is there and is neither this share's nor of a card that goes. */
static enum mt_status db_is_foreign(const struct context *context, const struct mt_share *share,
                                    const char *id, bool *foreign)
{
    struct mt_db db;
    bool there;
    char job_id[MT_JOB_TEXT_SIZE];
    *foreign = false;
    for (size_t i = 0; i < context->found->count; i++) {
        const struct mt_found *found = &context->found->items[i];
        if (strcmp(found->id, id) == 0 && found->has_db &&
            (found->share == share || found->plan == MT_GOES))
            return MT_OK;
    }
    enum mt_status status = mt_inventory_read_db(context->db, id, &db, &there);
    (void)mt_text_of_job(share->record.job_id, job_id);
    *foreign =
        there && (status != MT_OK || strcmp(db.token, mt_service_look(share)->delivery) != 0 ||
                  strcmp(db.job_id, job_id) != 0);
    json_decref(db.json);
    return status == MT_MALFORMED ? MT_OK : status;
}

/* Whether another card that stays, or a session of the user's own, has the id. */
static enum mt_status is_taken(const struct context *context, const struct mt_share *share,
                               const char *id, bool *taken)
{
    *taken = false;
    for (size_t i = 0; i < context->found->count && !*taken; i++) {
        const struct mt_found *found = &context->found->items[i];
        *taken = strcmp(found->id, id) == 0 && found->share != share && found->plan != MT_GOES;
    }
    return *taken ? MT_OK : db_is_foreign(context, share, id, taken);
}

/* Settles the card's id. */
static enum mt_status choose_id(const struct context *context, struct mt_share *share)
{
    bool taken;
    enum mt_status status = is_taken(context, share, share->card_id, &taken);
    if (status == MT_OK && taken)
        status = mt_card_id_make(share->record.cluster, share->record.job_id,
                                 share->message.session, share->card_id);
    return status;
}

/* A wanted card that is at another place or under another id than the share's goes after all. */
static enum mt_status settle(const struct context *context)
{
    for (size_t i = 0; i < context->specs->count; i++) {
        struct mt_share *share = &context->specs->shares[i];
        if (!mt_share_is_due(share))
            continue;
        enum mt_status status = choose_id(context, share);
        if (status != MT_OK) {
            if (status == MT_NOMEM || status == MT_CRYPTO)
                return status;
            /* A link or another's file stands where the card would: there is no card. */
            context->trouble(share->card_id, status, context->arg);
            share->wants_card = false;
        }
    }
    for (size_t i = 0; i < context->found->count; i++) {
        struct mt_found *found = &context->found->items[i];
        if (found->plan != MT_WANTED)
            continue;
        char *dir = mt_card_outputs(found->share, context->settings);
        if (!dir)
            return MT_NOMEM;
        if (strcmp(dir, found->dir) != 0 || strcmp(found->share->card_id, found->id) != 0)
            found->plan = MT_GOES;
        free(dir);
    }
    return MT_OK;
}

enum mt_status mt_removal_plan(struct mt_inventory *found, int db, struct mt_specs *specs,
                               const struct mt_settings *settings, mt_trouble_fn *trouble,
                               void *arg)
{
    struct context context = {found, specs, settings, db, trouble, arg};
    plan_all(&context);
    return settle(&context);
}
