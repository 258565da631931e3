/* SPDX-License-Identifier: MIT */
#include "specs.h"

#include "envelope.h"
#include "policy.h"
#include "service.h"
#include "specs_view.h"

#include <stdlib.h>
#include <string.h>

void mt_specs_free(struct mt_specs **specs)
{
    struct mt_specs *gone = *specs;
    *specs = NULL;
    if (!gone)
        return;
    for (size_t i = 0; i < gone->count; i++)
        mt_share_free(&gone->shares[i]);
    mt_services_free(gone);
    mt_coverage_free(&gone->coverage);
    free(gone->shares);
    free(gone->by_job);
    free(gone->by_turn);
    free(gone);
}

struct mt_share *mt_specs_find(const struct mt_specs *specs, const char *cluster, uint32_t job_id)
{
    size_t low = 0;
    size_t high = specs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = mt_share_order(job_id, cluster, specs->by_job[middle]);
        if (order == 0)
            return specs->by_job[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static enum mt_status add_stream(struct mt_specs *specs, const struct mt_stream *stream,
                                 const struct mt_settings *settings)
{
    const char *wckeys;
    enum mt_status status = mt_coverage_add(&specs->coverage, stream, &wckeys);
    for (size_t i = 0; i < stream->count && status == MT_OK; i++) {
        const struct mt_record *record = &stream->records[i];
        struct mt_share *share = &specs->shares[specs->count++];
        share->record = mt_record_copy(record);
        share->opened = MT_REASON_UNTRIED;
        share->current = true;
        share->answered = stream->generated;
        share->specs = mt_policy_gate(record, stream->publishers, settings);
        status = mt_share_set_texts(share, record->wckey ? record->wckey : wckeys, NULL);
    }
    return status;
}

static bool is_among(const struct mt_share *shares, size_t count, const struct mt_record *record)
{
    for (size_t i = 0; i < count; i++) {
        if (shares[i].record.job_id == record->job_id &&
            strcmp(shares[i].record.cluster, record->cluster) == 0)
            return true;
    }
    return false;
}

/*
 * Keeps what was listed of clusters that did not answer this time and, where an answer shows only
 * the viewer's own jobs, what was listed of others.
 */
static enum mt_status keep_others(struct mt_specs *specs, const struct mt_specs *last,
                                  const struct mt_settings *settings)
{
    const size_t answered = specs->count;
    for (size_t i = 0; i < last->count; i++) {
        const struct mt_share *old = &last->shares[i];
        bool seen = old->listed && mt_coverage_has(&specs->coverage, old->record.cluster) &&
                    (old->record.uid == settings->uid ||
                     mt_coverage_tells(&specs->coverage, old->record.cluster, old->wckeys,
                                       old->record.job_id) ||
                     is_among(specs->shares, answered, &old->record));
        if (!old->listed || seen)
            continue;
        struct mt_share *share = &specs->shares[specs->count++];
        *share = *old;
        share->current = false;
        share->service = NULL;
        share->wckeys = share->ood_cluster = NULL;
        share->record = mt_record_copy(&old->record);
        share->message = mt_message_copy(&old->message);
        if (mt_share_set_texts(share, old->wckeys, old->ood_cluster) != MT_OK)
            return MT_NOMEM;
    }
    return MT_OK;
}

static int by_age(const void *a, const void *b)
{
    const struct mt_share *x = a;
    const struct mt_share *y = b;
    int order = MT_ORDER(x->record.start, y->record.start);
    return order ? order : mt_share_order(x->record.job_id, x->record.cluster, y);
}

static int by_job(const void *a, const void *b)
{
    const struct mt_share *x = *(struct mt_share *const *)a;
    return mt_share_order(x->record.job_id, x->record.cluster, *(struct mt_share *const *)b);
}

/* All jobs of this round, sorted, with the gate's reasons. */
static enum mt_status collect(struct mt_specs *specs, const struct mt_specs *last,
                              const struct mt_streams *streams, const struct mt_settings *settings)
{
    enum mt_status status = MT_OK;
    size_t most = last ? last->count : 0;
    for (size_t i = 0; i < streams->count; i++)
        most += streams->items[i].count;
    specs->shares = calloc(most + 1, sizeof *specs->shares);
    specs->by_job = calloc(most + 1, sizeof(struct mt_share *));
    if (!specs->shares || !specs->by_job)
        return MT_NOMEM;
    for (size_t i = 0; i < streams->count && status == MT_OK; i++) {
        if (streams->items[i].complete)
            status = add_stream(specs, &streams->items[i], settings);
    }
    if (status == MT_OK && last)
        status = keep_others(specs, last, settings);
    if (status != MT_OK)
        return status;
    qsort(specs->shares, specs->count, sizeof *specs->shares, by_age);
    for (size_t i = 0; i < specs->count; i++)
        specs->by_job[i] = &specs->shares[i];
    qsort(specs->by_job, specs->count, sizeof(struct mt_share *), by_job);
    return MT_OK;
}

/* The share of the last round that is of the same run of the job and the same name, or NULL. */
static const struct mt_share *same_share(const struct mt_specs *last, const struct mt_share *share)
{
    const struct mt_record *record = &share->record;
    const struct mt_share *old = last ? mt_specs_find(last, record->cluster, record->job_id) : NULL;
    return old && mt_share_is_same(record, &old->record) ? old : NULL;
}

/* Whether what was opened for the last round counts: `old` is its share of the same name, or NULL.
 */
static bool was_opened(const struct mt_share *old)
{
    return old && !mt_reason_is_temporary(old->opened);
}

/* Whether all of the message is kept: also that of a share whose app may yet be installed. */
static bool is_kept(const struct mt_share *share)
{
    return share->message.connection != NULL;
}

/*
 * What can't be opened takes no other share's place: for its form, or as was seen in the last
 * round. MT_OK, MT_NOMEM.
 */
static enum mt_status refuse_malformed(struct mt_specs *specs, const struct mt_specs *last,
                                       const struct mt_settings *settings)
{
    for (size_t i = 0; i < specs->count; i++) {
        struct mt_share *share = &specs->shares[i];
        if (!share->current || share->specs != MT_REASON_ok)
            continue;
        const struct mt_share *old = same_share(last, share);
        enum mt_status status =
            was_opened(old) ? mt_refuse(old->opened, &share->opened)
                            : mt_envelope_check(&share->record.parts, settings, &share->opened);
        if (status == MT_REFUSED)
            share->specs = share->opened;
        else if (status != MT_OK)
            return status;
    }
    return MT_OK;
}

/* The shares are in an array by age. */
static int by_publisher(const void *a, const void *b)
{
    const struct mt_share *x = *(struct mt_share *const *)a;
    const struct mt_share *y = *(struct mt_share *const *)b;
    int order = MT_ORDER(x->record.uid, y->record.uid);
    return order ? order : MT_ORDER(x, y);
}

static int by_turn(const void *a, const void *b)
{
    const struct mt_share *x = *(struct mt_share *const *)a;
    const struct mt_share *y = *(struct mt_share *const *)b;
    int order = MT_ORDER(x->turn, y->turn);
    return order ? order : MT_ORDER(x, y);
}

/* Whether a share of this round can't be looked at, and was listed: `old` is its share of the last
 * one, or NULL. */
static bool is_as_before(const struct mt_share *share, const struct mt_share *old)
{
    return mt_reason_is_temporary(share->specs) && old && old->listed;
}

/* Whether it stays listed without a look at it. */
static bool stays(const struct mt_share *share, const struct mt_specs *last)
{
    if (!share->current)
        return share->listed;
    return mt_reason_is_temporary(share->specs) && is_as_before(share, same_share(last, share));
}

/* Also what stays: else a publisher whose groups can't be looked up would have any number. */
static bool counts(const struct mt_share *share, const struct mt_specs *last)
{
    return (share->current && share->specs == MT_REASON_ok) || stays(share, last);
}

static void refuse_too_many(struct mt_share *share)
{
    share->specs = MT_REASON_too_many;
    share->card = MT_REASON_too_many;
    share->listed = false;
    share->wants_card = false;
}

/*
 * Of each publisher the oldest shares that passed so far count, and publishers take turns: else a
 * few with old ones would fill the viewer's limits, and another's only one would not count.
 */
static enum mt_status count_shares(struct mt_specs *specs, const struct mt_specs *last)
{
    size_t turn = 0;
    specs->by_turn = calloc(specs->count + 1, sizeof(struct mt_share *));
    if (!specs->by_turn)
        return MT_NOMEM;
    for (size_t i = 0; i < specs->count; i++)
        specs->by_turn[i] = &specs->shares[i];
    qsort(specs->by_turn, specs->count, sizeof(struct mt_share *), by_publisher);
    for (size_t i = 0; i < specs->count; i++) {
        struct mt_share *share = specs->by_turn[i];
        if (i == 0 || share->record.uid != specs->by_turn[i - 1]->record.uid)
            turn = 0;
        if (!counts(share, last))
            continue;
        share->turn = turn++;
        if (share->turn >= MT_SHARES_PER_PUBLISHER)
            refuse_too_many(share);
    }
    qsort(specs->by_turn, specs->count, sizeof(struct mt_share *), by_turn);
    return MT_OK;
}

enum mt_status mt_specs_begin(const struct mt_specs *last, const struct mt_streams *streams,
                              const struct mt_settings *settings, struct mt_specs **out)
{
    *out = NULL;
    struct mt_specs *specs = calloc(1, sizeof *specs);
    if (!specs)
        return MT_NOMEM;
    enum mt_status status = collect(specs, last, streams, settings);
    if (status == MT_OK)
        status = refuse_malformed(specs, last, settings);
    if (status == MT_OK)
        status = count_shares(specs, last);
    if (status == MT_OK)
        *out = specs;
    else
        mt_specs_free(&specs);
    return status;
}

static bool has_payload(const struct mt_payload *list, size_t count, const struct mt_jobname *name)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].len == name->payload_len &&
            memcmp(list[i].text, name->payload, name->payload_len) == 0)
            return true;
    }
    return false;
}

size_t mt_specs_payloads(const struct mt_specs *specs, const struct mt_specs *last,
                         struct mt_payload out[MT_CREDENTIALS_MAX])
{
    size_t count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < specs->count && count < MT_CREDENTIALS_MAX; i++) {
        const struct mt_share *share = specs->by_turn[i];
        const struct mt_jobname *name = &share->record.parts;
        kept += stays(share, last);
        if (!share->current || share->specs != MT_REASON_ok)
            continue;
        const struct mt_share *old = same_share(last, share);
        if (was_opened(old))
            kept += is_kept(old);
        else if (kept < MT_SHARES_PER_VIEWER &&
                 mt_envelope_of(name->payload, name->payload_len) == MT_ENVELOPE_MUNGE &&
                 !has_payload(out, count, name))
            out[count++] = (struct mt_payload){name->payload, name->payload_len};
    }
    return count;
}

/* Opens the envelope, unless it was opened for the last round. */
static enum mt_status open_share(struct mt_share *share, const struct mt_share *old,
                                 const struct mt_settings *settings, const struct mt_opened *opened)
{
    if (was_opened(old)) {
        share->opened = old->opened;
        share->refused = old->refused;
        share->message = mt_message_copy(&old->message);
        return MT_OK;
    }
    enum mt_status status =
        mt_envelope_open(&share->record, settings, opened, &share->message, &share->opened);
    if (status == MT_OK)
        share->opened = MT_REASON_ok;
    return status == MT_REFUSED ? MT_OK : status;
}

/* Whether the message is accepted. An app may yet be installed; of what nothing lets in, little is
 * kept. */
static enum mt_status decide_message(struct mt_share *share, const struct mt_settings *settings)
{
    share->specs = share->refused;
    if (share->refused != MT_REASON_ok)
        return MT_OK;
    share->specs = mt_policy_message(&share->record, &share->message, settings);
    if (share->specs == MT_REASON_ok ||
        (share->specs == MT_REASON_delivery_not_allowed &&
         mt_policy_allows_delivery(share->message.delivery, settings)))
        return MT_OK;
    share->refused = share->specs;
    return mt_message_keep_name(&share->message);
}

/* From the gate's reason to the specs code. *kept counts the messages that this viewer has: beyond
 * their number none is opened, as publishers together could fill the memory with them. */
static enum mt_status decide(struct mt_share *share, const struct mt_share *old,
                             const struct mt_settings *settings, const struct mt_opened *opened,
                             size_t *kept)
{
    if ((share->specs == MT_REASON_ok || is_as_before(share, old)) && *kept == MT_SHARES_PER_VIEWER)
        share->specs = MT_REASON_too_many;
    if (share->specs == MT_REASON_ok) {
        enum mt_status status = open_share(share, old, settings, opened);
        if (status != MT_OK)
            return status;
        share->specs = share->opened;
    }
    if (share->specs == MT_REASON_ok) {
        enum mt_status status = decide_message(share, settings);
        if (status != MT_OK)
            return status;
    }
    share->listed = share->specs == MT_REASON_ok;
    if (is_as_before(share, old)) {
        share->listed = true;
        share->opened = old->opened;
        mt_message_free(&share->message);
        mt_record_free(&share->record);
        share->message = mt_message_copy(&old->message);
        share->record = mt_record_copy(&old->record);
    }
    *kept += is_kept(share);
    return MT_OK;
}

static enum mt_status decide_all(struct mt_specs *specs, const struct mt_specs *last,
                                 const struct mt_settings *settings, const struct mt_opened *opened)
{
    size_t kept = 0;
    enum mt_status status = MT_OK;
    for (size_t i = 0; i < specs->count && status == MT_OK; i++) {
        struct mt_share *share = specs->by_turn[i];
        if (share->current)
            status = decide(share, same_share(last, share), settings, opened, &kept);
        else if (share->listed && kept == MT_SHARES_PER_VIEWER)
            refuse_too_many(share);
        else
            kept += share->listed;
    }
    return status;
}

enum mt_status mt_specs_decide(struct mt_specs *specs, const struct mt_specs *last,
                               const struct mt_settings *settings, const struct mt_opened *opened,
                               const struct mt_dismissed *dismissed, int64_t now)
{
    enum mt_status status = decide_all(specs, last, settings, opened);
    if (status == MT_OK)
        status = mt_specs_view(specs, settings, dismissed);
    if (status == MT_OK)
        (void)mt_services_choose(specs, settings, now);
    return status;
}
