/* SPDX-License-Identifier: MIT */
#include "fate.h"

#include "card.h"
#include "mt_limits.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a decision looks at. */
struct scene {
    struct mt_inventory *found;
    struct mt_specs *specs;
    const struct mt_settings *settings;
    int db;
    mt_trouble_fn *trouble;
    void *arg;
};

/* The share that an unmarked directory of the old initializer belongs to, or NULL. */
static struct mt_share *heir_of(const struct scene *s, const struct mt_found *found)
{
    for (size_t i = 0; i < s->specs->count; i++) {
        struct mt_share *share = &s->specs->shares[i];
        char job_id[16];
        if (!mt_share_is_due(share))
            continue;
        (void)snprintf(job_id, sizeof job_id, "%lu", (unsigned long)share->record.job_id);
        if (strcmp(job_id, found->db_job_id) == 0 &&
            strcmp(share->message.session, found->id) == 0 &&
            strcmp(share->message.delivery, found->token) == 0)
            return share;
    }
    return NULL;
}

/* Whether the share's card has to go. */
static bool is_refused(const struct scene *s, const struct mt_share *share)
{
    if (!share->current || mt_reason_is_temporary(share->card))
        return false;
    /* On a host that knows no OOD cluster at all, every cluster is unknown. */
    return share->card != MT_REASON_unknown_cluster || s->settings->n_clusters > 0;
}

static void judge_ours(const struct scene *s, struct mt_found *found)
{
    const struct mt_mark *mark = &found->mark;
    struct mt_share *share = mt_specs_find(s->specs, mark->cluster, mark->job_id);
    if (share && share->record.uid != mark->uid) {
        /* The job id went round: the marked job has ended. */
        found->fate = MT_GOES;
    } else if (!share) {
        bool ended = mt_coverage_is_all(&s->specs->coverage, mark->cluster, mark->wckeys);
        found->fate = ended ? MT_GOES : MT_STAYS;
    } else if (mt_share_is_due(share)) {
        found->fate = MT_WANTED;
        found->share = share;
    } else if (is_refused(s, share)) {
        found->fate = MT_GOES;
    }
}

/* OOD deletes the db file of a session only after it has ended, and leaves connection.yml behind.
 */
static void judge_legacy(const struct scene *s, struct mt_found *found)
{
    found->share = found->has_db ? heir_of(s, found) : NULL;
    if (found->share)
        found->fate = MT_WANTED;
    else if (found->db_completed || found->db_gone)
        found->fate = MT_GOES;
}

static void judge(const struct scene *s)
{
    for (size_t i = 0; i < s->found->count; i++) {
        struct mt_found *found = &s->found->items[i];
        found->fate = MT_STAYS;
        if (found->owner == MT_OURS)
            judge_ours(s, found);
        else if (found->owner == MT_LEGACY)
            judge_legacy(s, found);
    }
}

/* Whether db/ID is there and is neither this share's nor of a card that goes. */
static enum mt_status db_is_foreign(const struct scene *s, const struct mt_share *share,
                                    const char *id, bool *foreign)
{
    struct mt_file file = MT_FILE_INIT;
    struct mt_db db = {0};
    char job_id[16];
    *foreign = false;
    for (size_t i = 0; i < s->found->count; i++) {
        const struct mt_found *found = &s->found->items[i];
        if (strcmp(found->id, id) == 0 && found->has_db &&
            (found->share == share || found->fate == MT_GOES))
            return MT_OK;
    }
    enum mt_status status = s->db < 0 ? MT_OK : mt_store_read(s->db, id, &file);
    if (status == MT_OK && file.found) {
        status = mt_db_parse(file.bytes.data ? file.bytes.data : "", file.bytes.len, &db);
        (void)snprintf(job_id, sizeof job_id, "%lu", (unsigned long)share->record.job_id);
        *foreign = status != MT_OK || strcmp(db.token, share->message.delivery) != 0 ||
                   strcmp(db.job_id, job_id) != 0;
        if (status == MT_MALFORMED)
            status = MT_OK;
    }
    json_decref(db.json);
    mt_buf_wipe(&file.bytes);
    return status;
}

/* Whether another card that stays, or a session of the user's own, has the id. */
static enum mt_status is_taken(const struct scene *s, const struct mt_share *share, const char *id,
                               bool *taken)
{
    *taken = false;
    for (size_t i = 0; i < s->found->count && !*taken; i++) {
        const struct mt_found *found = &s->found->items[i];
        *taken = strcmp(found->id, id) == 0 && found->share != share && found->fate != MT_GOES;
    }
    return *taken ? MT_OK : db_is_foreign(s, share, id, taken);
}

/* Settles the card's id. */
static enum mt_status choose_id(const struct scene *s, struct mt_share *share)
{
    bool taken;
    enum mt_status status = is_taken(s, share, share->card_id, &taken);
    if (status == MT_OK && taken)
        status = mt_card_id_make(share->record.cluster, share->record.job_id,
                                 share->message.session, share->card_id);
    return status;
}

/* A wanted card that is at another place or under another id than the share's goes after all. */
static enum mt_status settle(const struct scene *s)
{
    for (size_t i = 0; i < s->specs->count; i++) {
        struct mt_share *share = &s->specs->shares[i];
        if (!mt_share_is_due(share))
            continue;
        enum mt_status status = choose_id(s, share);
        if (status != MT_OK) {
            if (status == MT_NOMEM || status == MT_CRYPTO)
                return status;
            /* A link or another's file stands where the card would: there is no card. */
            s->trouble(share->card_id, status, s->arg);
            share->wants_card = false;
        }
    }
    for (size_t i = 0; i < s->found->count; i++) {
        struct mt_found *found = &s->found->items[i];
        if (found->fate != MT_WANTED)
            continue;
        char *dir = mt_card_outputs(found->share, s->settings);
        if (!dir)
            return MT_NOMEM;
        if (strcmp(dir, found->dir) != 0 || strcmp(found->share->card_id, found->id) != 0)
            found->fate = MT_GOES;
        free(dir);
    }
    return MT_OK;
}

enum mt_status mt_fate_decide(struct mt_inventory *found, int db, struct mt_specs *specs,
                              const struct mt_settings *settings, mt_trouble_fn *trouble, void *arg)
{
    struct scene scene = {found, specs, settings, db, trouble, arg};
    judge(&scene);
    return settle(&scene);
}
