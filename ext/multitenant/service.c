/* SPDX-License-Identifier: MIT */
#include "service.h"

#include "digest.h"
#include "policy.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_A_MINUTE 60

static const char *name_of(const struct mt_share *share)
{
    return json_string_value(share->message.service);
}

/* A group that is not there, and a name that is no text, are nobody else's. */
static bool can_join(const struct mt_share *share)
{
    return share->listed && share->message.service && share->record.group_known == MT_YES &&
           *share->record.user && !share->record.binary;
}

/* Below, at or above 0; 0: both are members of one service. */
static int order_of(const struct mt_share *a, const struct mt_share *b, bool one_directory)
{
    int order = strcmp(a->record.user, b->record.user);
    if (order == 0)
        order = MT_ORDER(a->record.uid, b->record.uid);
    if (order == 0)
        order = MT_ORDER(a->record.group_gid, b->record.group_gid);
    if (order == 0)
        order = strcmp(a->message.app, b->message.app);
    if (order == 0)
        order = strcmp(name_of(a), name_of(b));
    return order || one_directory ? order : strcmp(a->record.cluster, b->record.cluster);
}

/* The shares are in an array by age. */
static int by_service(const void *a, const void *b, void *one_directory)
{
    const struct mt_share *x = *(struct mt_share *const *)a;
    const struct mt_share *y = *(struct mt_share *const *)b;
    int order = order_of(x, y, *(const bool *)one_directory);
    return order ? order : MT_ORDER(x, y);
}

static int by_key(const void *a, const void *b)
{
    const struct mt_service *x = a;
    const struct mt_service *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : MT_ORDER(x->members[0], y->members[0]);
}

static int by_age(const void *a, const void *b)
{
    const struct mt_service *x = a;
    const struct mt_service *y = b;
    return MT_ORDER(x->members[0], y->members[0]);
}

static enum mt_status set_weight(struct mt_share *share, const struct mt_settings *settings)
{
    char uid[MT_JOB_TEXT_SIZE];
    char job_id[MT_JOB_TEXT_SIZE];
    const char *const texts[] = {uid, share->record.cluster, job_id};
    (void)mt_text_of_job(settings->uid, uid);
    (void)mt_text_of_job(share->record.job_id, job_id);
    return mt_digest(texts, sizeof texts / sizeof *texts, share->weight);
}

/* What tells services apart makes the id: one of another user's is never this one's. */
static enum mt_status set_card_id(struct mt_service *service, const struct mt_settings *settings)
{
    const struct mt_share *share = service->members[0];
    const struct mt_record *record = &share->record;
    char uid[MT_JOB_TEXT_SIZE];
    char gid[MT_JOB_TEXT_SIZE];
    const char *const texts[] = {record->user,
                                 uid,
                                 gid,
                                 share->message.app,
                                 name_of(share),
                                 settings->one_directory ? "" : record->cluster};
    (void)mt_text_of_job(record->uid, uid);
    (void)mt_text_of_job(record->group_gid, gid);
    return mt_card_id_of(texts, sizeof texts / sizeof *texts, service->card_id);
}

static enum mt_status add_service(struct mt_specs *specs, struct mt_share **members, size_t count,
                                  struct mt_share **ranked, const struct mt_settings *settings)
{
    struct mt_service *service = &specs->services[specs->n_services];
    const struct mt_record *record = &members[0]->record;
    *service = (struct mt_service){.members = members, .ranked = ranked, .count = count};
    if (asprintf(&service->key, "%s/%s@%.*s", record->user, name_of(members[0]),
                 (int)record->parts.group_len, record->parts.group) < 0)
        return MT_NOMEM;
    specs->n_services++;
    enum mt_status status = set_card_id(service, settings);
    for (size_t i = 0; i < count && status == MT_OK; i++)
        status = set_weight(members[i], settings);
    return status;
}

/* Whether two services with one key are of one person. */
static bool is_same_person(const struct mt_service *a, const struct mt_service *b,
                           const struct mt_settings *settings)
{
    const struct mt_record *x = &a->members[0]->record;
    const struct mt_record *y = &b->members[0]->record;
    return x->uid == y->uid && (settings->one_directory || strcmp(x->cluster, y->cluster) == 0);
}

static void take_cards(const struct mt_service *service)
{
    for (size_t i = 0; i < service->count; i++) {
        struct mt_share *share = service->members[i];
        share->wants_card = false;
        if (share->card == MT_REASON_ok)
            share->card = MT_REASON_service_taken;
    }
}

/* A key is of its oldest service; nobody's cards go for another's who is called alike. */
static void settle_keys(struct mt_specs *specs, const struct mt_settings *settings)
{
    struct mt_service *services = specs->services;
    size_t kept = 0;
    qsort(services, specs->n_services, sizeof *services, by_key);
    for (size_t i = 0; i < specs->n_services; i++) {
        if (kept == 0 || strcmp(services[kept - 1].key, services[i].key) != 0) {
            services[kept++] = services[i];
            continue;
        }
        if (is_same_person(&services[kept - 1], &services[i], settings))
            take_cards(&services[i]);
        free(services[i].key);
    }
    specs->n_services = kept;
    qsort(services, specs->n_services, sizeof *services, by_age);
}

/* Jobs whose cards were all sent away have none, whatever service they say since that they are. */
static bool is_dismissed(const struct mt_service *service, const struct mt_dismissed *dismissed)
{
    size_t gone = 0;
    for (size_t i = 0; i < service->count; i++) {
        const struct mt_record *record = &service->members[i]->record;
        gone += mt_dismissed_has(dismissed, record->cluster, record->job_id);
    }
    return gone == service->count || mt_dismissed_has_card(dismissed, service->card_id);
}

enum mt_status mt_services_join(struct mt_specs *specs, const struct mt_settings *settings,
                                const struct mt_dismissed *dismissed)
{
    enum mt_status status = MT_OK;
    bool one_directory = settings->one_directory;
    size_t count = 0;
    for (size_t i = 0; i < specs->count; i++)
        count += can_join(&specs->shares[i]);
    if (count == 0)
        return MT_OK;
    specs->members = calloc(2 * count, sizeof(struct mt_share *));
    specs->services = calloc(count, sizeof *specs->services);
    if (!specs->members || !specs->services)
        return MT_NOMEM;
    count = 0;
    for (size_t i = 0; i < specs->count; i++) {
        if (can_join(&specs->shares[i]))
            specs->members[count++] = &specs->shares[i];
    }
    qsort_r(specs->members, count, sizeof(struct mt_share *), by_service, &one_directory);
    for (size_t first = 0, next; first < count && status == MT_OK; first = next) {
        struct mt_share **members = &specs->members[first];
        for (next = first + 1; next < count; next++) {
            if (order_of(*members, specs->members[next], one_directory) != 0)
                break;
        }
        status = add_service(specs, members, next - first, members + count, settings);
    }
    if (status != MT_OK)
        return status;
    settle_keys(specs, settings);
    for (size_t i = 0; i < specs->n_services; i++) {
        struct mt_service *service = &specs->services[i];
        service->dismissed = is_dismissed(service, dismissed);
        for (size_t member = 0; member < service->count; member++)
            service->members[member]->service = service;
    }
    return MT_OK;
}

/* The first second in which the member is leaving. */
static int64_t leaves_at(const struct mt_share *share)
{
    int64_t lead = share->message.lead ? share->message.lead : MT_LEAD_DEFAULT;
    return share->record.end ? share->record.end - lead * SECONDS_A_MINUTE + 1 : INT64_MAX;
}

static int by_choice(const void *a, const void *b)
{
    const struct mt_share *x = *(struct mt_share *const *)a;
    const struct mt_share *y = *(struct mt_share *const *)b;
    int order = MT_ORDER(x->leaving, y->leaving);
    return order ? order : memcmp(y->weight, x->weight, sizeof x->weight);
}

static void rank(struct mt_service *service, int64_t now)
{
    size_t first = 0;
    for (size_t i = 0; i < service->count; i++) {
        service->ranked[i] = service->members[i];
        service->members[i]->leaving = now >= leaves_at(service->members[i]);
    }
    qsort(service->ranked, service->count, sizeof(struct mt_share *), by_choice);
    while (first < service->count && !service->ranked[first]->ood_cluster)
        first++;
    service->shown = first < service->count ? service->ranked[first] : NULL;
}

static void set_codes(const struct mt_service *service)
{
    for (size_t i = 0; i < service->count; i++) {
        struct mt_share *share = service->members[i];
        bool has_it = service->card == MT_REASON_ok && share == service->shown;
        share->wants_card = has_it;
        if (share->specs != MT_REASON_ok)
            share->card = share->specs;
        else if (service->card == MT_REASON_ok)
            share->card = has_it ? MT_REASON_ok : MT_REASON_other_member;
        else
            share->card = service->card;
        (void)snprintf(share->card_id, sizeof share->card_id, "%s", service->card_id);
    }
}

int64_t mt_services_choose(struct mt_specs *specs, const struct mt_settings *settings, int64_t now)
{
    int64_t next = 0;
    for (size_t i = 0; i < specs->n_services; i++) {
        struct mt_service *service = &specs->services[i];
        const struct mt_share *youngest = service->members[service->count - 1];
        rank(service, now);
        service->card =
            mt_policy_card(&youngest->record, &youngest->message, settings, service->dismissed,
                           service->shown ? service->shown->ood_cluster : NULL);
        set_codes(service);
        for (size_t member = 0; member < service->count && service->count > 1; member++) {
            int64_t at = leaves_at(service->members[member]);
            if (at > now && at < INT64_MAX && (next == 0 || at < next))
                next = at;
        }
    }
    return next;
}

struct mt_service *mt_service_of_card(const struct mt_specs *specs, const char *id)
{
    for (size_t i = 0; i < specs->n_services; i++) {
        if (strcmp(specs->services[i].card_id, id) == 0)
            return &specs->services[i];
    }
    return NULL;
}

bool mt_service_is_whole(const struct mt_specs *specs, const char *key)
{
    for (size_t i = 0; i < specs->count; i++) {
        const char *user = specs->shares[i].record.user;
        size_t len = strlen(user);
        bool is_theirs = len == 0 || (strncmp(key, user, len) == 0 && key[len] == '/');
        if (is_theirs && mt_reason_is_temporary(specs->shares[i].specs))
            return false;
    }
    return true;
}

void mt_service_dismiss(struct mt_service *service)
{
    service->dismissed = true;
    if (service->card != MT_REASON_ok)
        return;
    service->card = MT_REASON_dismissed;
    set_codes(service);
}

const struct mt_message *mt_service_look(const struct mt_share *share)
{
    const struct mt_service *service = share->service;
    return service ? &service->members[service->count - 1]->message : &share->message;
}

void mt_services_free(struct mt_specs *specs)
{
    for (size_t i = 0; i < specs->n_services; i++)
        free(specs->services[i].key);
    free(specs->services);
    free(specs->members);
    specs->services = NULL;
    specs->members = NULL;
    specs->n_services = 0;
}
