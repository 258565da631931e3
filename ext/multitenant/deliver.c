/* SPDX-License-Identifier: MIT */
#include "deliver.h"

#include "card.h"
#include "card_files.h"
#include "inventory.h"
#include "removal_plan.h"
#include "service.h"
#include "store.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One delivery. The directories are -1 while absent. */
struct delivery {
    struct mt_specs *specs;
    const struct mt_settings *settings;
    bool dry_run;
    mt_event_fn *tell;
    void *arg;
    bool writes_only;
    int root;
    int db;
    int base; /* batch_connect, where the lock is */
    int lock;
    struct mt_inventory found;
};

#define DELIVERY_INIT .root = -1, .db = -1, .base = -1, .lock = -1

static void tell(const struct delivery *d, enum mt_action action, const char *id)
{
    struct mt_event event = {.action = action, .id = id};
    d->tell(&event, d->arg);
}

static void tell_failure(const char *path, enum mt_status status, void *arg)
{
    const struct delivery *d = arg;
    struct mt_event event = {
        .action = MT_FAILED,
        .id = path,
        .status = status,
        .error = status == MT_IO ? errno : 0,
    };
    d->tell(&event, d->arg);
}

/* Opens data root and db/; MT_OK with -1 for what is absent and not to be made. */
static enum mt_status open_dirs(struct delivery *d, bool create)
{
    const char *path = d->settings->dataroot;
    enum mt_status status = mt_store_open_root(path, create, &d->root);
    if (status == MT_OK && d->root >= 0) {
        path = MT_CARD_DB;
        status = mt_store_open_dir(d->root, path, create, &d->db);
    }
    if (status != MT_OK)
        tell_failure(path, status, d);
    return status;
}

static void remove_card(struct delivery *d, const struct mt_found *found)
{
    if (d->writes_only) {
        tell(d, MT_LEFT, found->id);
        return;
    }
    enum mt_status status = d->dry_run ? MT_OK : mt_card_files_remove(d->root, d->db, found);
    if (status == MT_OK)
        tell(d, MT_REMOVED, found->id);
    else
        tell_failure(found->dir, status, d);
}

static enum mt_status write_card(struct delivery *d, struct mt_share *share)
{
    bool changed = false;
    char *dir = mt_card_outputs(share, d->settings);
    enum mt_status status =
        dir ? mt_card_files_put(d->root, d->db, dir, share, d->dry_run, &changed) : MT_NOMEM;
    if (status == MT_OK)
        tell(d, changed ? MT_WRITTEN : MT_KEPT, share->card_id);
    else if (status != MT_NOMEM)
        tell_failure(dir, status, d);
    free(dir);
    return status == MT_NOMEM ? status : MT_OK;
}

static void end(struct delivery *d)
{
    mt_inventory_free(&d->found);
    mt_store_unlock(d->base, d->lock);
    mt_store_close(d->base);
    mt_store_close(d->db);
    mt_store_close(d->root);
}

static bool is_any_due(const struct delivery *d)
{
    for (size_t i = 0; d->specs && i < d->specs->count; i++) {
        if (mt_share_is_due(&d->specs->shares[i]))
            return true;
    }
    return false;
}

/* Whether something may have to go; where everything has to, what a crash left, too. */
static bool is_any_ours(const struct delivery *d)
{
    if (!d->specs)
        return true;
    for (size_t i = 0; i < d->found.count; i++) {
        if (d->found.items[i].owner != MT_FOREIGN)
            return true;
    }
    return false;
}

static enum mt_status take_inventory(struct delivery *d, mt_trouble_fn *trouble)
{
    mt_inventory_free(&d->found);
    return mt_inventory_take(d->root, d->db, d->settings, !d->specs, &d->found, trouble, d);
}

/* From here on no other process delivers for this user. */
static enum mt_status lock(struct delivery *d)
{
    enum mt_status status = mt_store_open_dir(d->root, MT_BATCH_CONNECT, false, &d->base);
    if (status == MT_OK && d->base >= 0)
        status = mt_store_lock(d->base, &d->lock);
    if (status != MT_OK)
        tell_failure(MT_BATCH_CONNECT, status, d);
    return status;
}

/* Takes the inventory; if there is something of ours to do, under the lock. */
static enum mt_status begin(struct delivery *d)
{
    bool due = is_any_due(d);
    enum mt_status status = open_dirs(d, due && !d->dry_run);
    if (status != MT_OK || d->root < 0)
        return status;
    if (due && !d->dry_run && (status = lock(d)) != MT_OK)
        return status;
    status = take_inventory(d, tell_failure);
    if (status != MT_OK || due || d->dry_run || d->writes_only || !is_any_ours(d))
        return status;
    if ((status = lock(d)) == MT_OK)
        status = take_inventory(d, NULL);
    return status;
}

static enum mt_status carry_out(struct delivery *d)
{
    enum mt_status status = MT_OK;
    for (size_t i = 0; i < d->found.count; i++) {
        const struct mt_found *found = &d->found.items[i];
        if (found->plan == MT_GOES)
            remove_card(d, found);
        else if (found->plan == MT_STAYS && found->owner == MT_OURS)
            tell(d, MT_KEPT, found->id);
    }
    for (size_t i = 0; d->specs && i < d->specs->count && status == MT_OK; i++) {
        struct mt_share *share = &d->specs->shares[i];
        if (mt_share_is_due(share))
            status = write_card(d, share);
    }
    return status;
}

/* Writes the list of dismissed cards if it was changed; tells of a failure, also to read it. */
static enum mt_status end_edit(struct delivery *d, struct mt_dismissed *list, bool changed,
                               enum mt_status status)
{
    if (status == MT_OK && changed && !d->dry_run)
        status = mt_dismissed_save(d->root, list);
    if (status != MT_OK)
        tell_failure(MT_DISMISSED_PATH, status, d);
    mt_dismissed_free(list);
    return status;
}

/* What a round says of the dismissals that were written at `since`. */
struct end {
    const struct mt_specs *specs;
    const struct mt_settings *settings;
    int64_t since;
};

/* Whether the cluster's answer, not an older one, has no job with these keys that is not placed. */
static bool is_seen(const struct end *end, const char *cluster, const char *wckeys)
{
    return mt_coverage_tells_all(&end->specs->coverage, cluster, wckeys) &&
           !mt_coverage_is_older(&end->specs->coverage, cluster, end->since);
}

/* A member may be on any cluster, and one that could not be looked at now may be one. */
static bool has_service_ended(const struct mt_dismissal *dismissal, const struct end *end)
{
    const struct mt_settings *settings = end->settings;
    if (mt_service_of_card(end->specs, dismissal->card_id) ||
        !mt_service_is_whole(end->specs, dismissal->service) ||
        !is_seen(end, dismissal->cluster, dismissal->wckeys))
        return false;
    for (size_t i = 0; i < settings->n_clusters && settings->one_directory; i++) {
        const struct mt_cluster *cluster = &settings->clusters[i];
        bool is_named = *cluster->slurm || !cluster->ood;
        if (is_named && !is_seen(end, cluster->slurm, dismissal->wckeys))
            return false;
    }
    return true;
}

/* Another host of the user's may know a job that is younger than this round's answer. */
static bool has_ended(const struct mt_dismissal *dismissal, const void *arg)
{
    const struct end *end = arg;
    const struct mt_coverage *coverage = &end->specs->coverage;
    if (dismissal->service && !has_service_ended(dismissal, end))
        return false;
    return !mt_specs_find(end->specs, dismissal->cluster, dismissal->job_id) &&
           mt_coverage_tells(coverage, dismissal->cluster, dismissal->wckeys, dismissal->job_id) &&
           !mt_coverage_is_older(coverage, dismissal->cluster, end->since);
}

/* A dismissal ends with its job. What was read without the lock is read again with it. */
static enum mt_status forget_dismissed(struct delivery *d)
{
    struct mt_dismissed list;
    enum mt_status status = mt_dismissed_load(d->root, &list);
    const struct end end = {d->specs, d->settings, list.time};
    bool dropped = status == MT_OK && mt_dismissed_drop(&list, has_ended, &end);
    if (!dropped || d->dry_run || d->lock >= 0)
        return end_edit(d, &list, dropped, status);
    mt_dismissed_free(&list);
    status = lock(d);
    return status == MT_OK && d->lock >= 0 ? forget_dismissed(d) : status;
}

static enum mt_status deliver(struct delivery *d)
{
    enum mt_status status = begin(d);
    if (status == MT_OK)
        status = mt_removal_plan(&d->found, d->db, d->specs, d->settings, tell_failure, d);
    if (status == MT_OK)
        status = carry_out(d);
    if (status == MT_OK && d->root >= 0)
        status = forget_dismissed(d);
    end(d);
    return status;
}

enum mt_status mt_deliver(struct mt_specs *specs, const struct mt_settings *settings, bool dry_run,
                          mt_event_fn *event, void *arg)
{
    struct delivery d = {specs, settings, dry_run, event, arg, DELIVERY_INIT};
    return deliver(&d);
}

enum mt_status mt_deliver_writes(struct mt_specs *specs, const struct mt_settings *settings,
                                 mt_event_fn *event, void *arg)
{
    struct delivery d = {specs, settings, false, event, arg, DELIVERY_INIT, .writes_only = true};
    return deliver(&d);
}

/* The note is kept before the files go: a card that comes back would be the worse half. */
static enum mt_status note_dismissal(struct delivery *d, const struct mt_found *found)
{
    const struct mt_mark *mark = &found->mark;
    const struct mt_dismissal it = {mark->cluster, mark->wckeys, mark->job_id, found->id,
                                    mark->service};
    struct mt_dismissed list;
    enum mt_status status = mt_dismissed_load(d->root, &list);
    if (status == MT_OK)
        status = mt_dismissed_add(&list, &it);
    return end_edit(d, &list, true, status);
}

static void dismiss_share(struct mt_specs *specs, const struct mt_found *found)
{
    const struct mt_mark *mark = &found->mark;
    struct mt_service *service = specs ? mt_service_of_card(specs, found->id) : NULL;
    if (service) {
        mt_service_dismiss(service);
        return;
    }
    struct mt_share *share = specs ? mt_specs_find(specs, mark->cluster, mark->job_id) : NULL;
    if (!share || share->record.uid != mark->uid)
        return;
    share->wants_card = false;
    if (share->card == MT_REASON_ok)
        share->card = MT_REASON_dismissed;
}

static enum mt_status dismiss(struct delivery *d, const struct mt_found *found, bool *done)
{
    enum mt_status status = MT_OK;
    bool legacy = found->owner == MT_LEGACY && found->has_db;
    if (found->owner != MT_OURS && !legacy)
        return MT_OK;
    if (found->owner == MT_OURS) {
        if ((status = note_dismissal(d, found)) != MT_OK)
            return status;
        dismiss_share(d->specs, found);
    }
    *done = true;
    remove_card(d, found);
    return MT_OK;
}

enum mt_status mt_deliver_dismiss(struct mt_specs *specs, const struct mt_settings *settings,
                                  const char *id, bool *found, mt_event_fn *event, void *arg)
{
    struct delivery d = {specs, settings, false, event, arg, DELIVERY_INIT};
    *found = false;
    enum mt_status status = open_dirs(&d, false);
    if (status == MT_OK && d.root >= 0 && (status = lock(&d)) == MT_OK)
        status = mt_inventory_take(d.root, d.db, settings, true, &d.found, NULL, &d);
    for (size_t i = 0; i < d.found.count && status == MT_OK; i++) {
        if (strcmp(d.found.items[i].id, id) == 0)
            status = dismiss(&d, &d.found.items[i], found);
    }
    end(&d);
    return status;
}

static bool is_of_card(const struct mt_dismissal *dismissal, const void *id)
{
    char job_id[MT_JOB_TEXT_SIZE];
    (void)mt_text_of_job(dismissal->job_id, job_id);
    return strcmp(dismissal->card_id, id) == 0 || strcmp(job_id, id) == 0 ||
           (dismissal->service && strcmp(dismissal->service, id) == 0);
}

enum mt_status mt_deliver_restore(const struct mt_settings *settings, const char *id, bool *found,
                                  mt_event_fn *event, void *arg)
{
    struct delivery d = {NULL, settings, false, event, arg, DELIVERY_INIT};
    struct mt_dismissed list;
    *found = false;
    enum mt_status status = open_dirs(&d, false);
    if (status == MT_OK && d.root >= 0)
        status = lock(&d);
    if (status == MT_OK && d.base >= 0) {
        status = mt_dismissed_load(d.root, &list);
        *found = status == MT_OK && mt_dismissed_drop(&list, is_of_card, id);
        status = end_edit(&d, &list, *found, status);
    }
    end(&d);
    return status;
}

enum mt_status mt_deliver_nothing(const struct mt_settings *settings, bool dry_run,
                                  mt_event_fn *event, void *arg)
{
    struct delivery d = {NULL, settings, dry_run, event, arg, DELIVERY_INIT};
    struct mt_dismissed none = {0};
    enum mt_status status = begin(&d);
    for (size_t i = 0; i < d.found.count; i++) {
        struct mt_found *found = &d.found.items[i];
        bool ours = found->owner == MT_OURS ||
                    (found->owner == MT_LEGACY && (found->has_db || found->db_gone));
        found->plan = ours ? MT_GOES : MT_STAYS;
    }
    if (status == MT_OK)
        status = carry_out(&d);
    for (size_t i = 0; status == MT_OK && !dry_run && i < d.found.outputs.count; i++)
        mt_card_files_tidy(d.root, d.found.outputs.items[i]);
    if (status == MT_OK && d.lock >= 0)
        status = mt_card_files_sweep(d.base);
    if (status == MT_OK && d.root >= 0)
        status = end_edit(&d, &none, true, MT_OK);
    end(&d);
    return status;
}
