/* SPDX-License-Identifier: MIT */
#include "tenants.h"

#include "clock.h"
#include "directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Asked again after this, not used after this, and used for so long where nobody answers, which
 * no request waits for then. */
#define AGING_AFTER (30 * MT_SECOND)
#define OLD_AFTER (60 * MT_SECOND)
#define KEPT_FOR (600 * MT_SECOND)

/* Nobody is asked about again so soon after a failure. */
#define RETRY_AFTER (10 * MT_SECOND)

/* A user has one of so many places, all others of which are other users'. */
#define PLACES 8
#define SETS (MT_GATE_TENANTS_MAX / PLACES)

struct tenants {
    struct tenant places[MT_GATE_TENANTS_MAX];
};

struct tenants *tenants_new(void)
{
    return calloc(1, sizeof(struct tenants));
}

void tenants_free(struct tenants *tenants)
{
    free(tenants);
}

struct tenant *tenants_find(struct tenants *tenants, uid_t uid, int64_t now)
{
    struct tenant *set = tenants->places + (uid * UINT32_C(2654435761) >> 16) % SETS * PLACES;
    struct tenant *oldest = NULL;
    for (struct tenant *at = set; at < set + PLACES; at++) {
        if (at->seen_at && at->uid == uid) {
            at->seen_at = now;
            return at;
        }
        if (!at->asking && !at->locks && (!oldest || at->seen_at < oldest->seen_at))
            oldest = at;
    }
    if (oldest)
        *oldest = (struct tenant){.uid = uid, .seen_at = now};
    return oldest;
}

struct tenant *tenants_at(struct tenants *tenants, size_t i)
{
    return tenants->places[i].seen_at ? tenants->places + i : NULL;
}

bool tenant_is_kept(const struct tenant *tenant, int64_t now)
{
    return tenant->known_at && now - tenant->known_at < KEPT_FOR;
}

enum knowledge tenant_knowledge(const struct tenant *tenant, int64_t now)
{
    const int64_t age = now - tenant->known_at;
    const bool tried = tenant->failed_at && now - tenant->failed_at < RETRY_AFTER;
    if (tenant->known_at && age < AGING_AFTER)
        return KNOWN;
    if (tenant->known_at && tried && age < KEPT_FOR)
        return KNOWN;
    if (tried)
        return FAILED;
    return tenant->known_at && age < (tenant->failed_at ? KEPT_FOR : OLD_AFTER) ? AGING : UNKNOWN;
}

static int by_uid(const void *a, const void *b)
{
    return MT_ORDER(*(const uid_t *)a, *(const uid_t *)b);
}

static bool is_listed(const struct recipients *recipients, uid_t uid)
{
    return recipients->count > 0 &&
           bsearch(&uid, recipients->uids, recipients->count, sizeof uid, by_uid) != NULL;
}

void tenant_learn(struct tenant *tenant, const struct look_up *said,
                  const struct recipients *recipients, int64_t now)
{
    const bool own = tenant->uid == recipients->publisher;
    const bool listed = !recipients->listed || is_listed(recipients, tenant->uid);
    tenant->asking = false;
    if (!said || said->user == MT_UNKNOWN || (said->group == MT_UNKNOWN && !own) ||
        (mt_directory_is_lost(said->user, said->group) && !own && !recipients->listed)) {
        tenant->failed_at = now;
        return;
    }
    /* A node may know of no users and groups: there the list decides alone. */
    const bool both = said->user == MT_YES && said->group == MT_YES;
    tenant->member = own || (listed && (both ? said->in_group : recipients->listed));
    tenant->known_at = now;
    tenant->failed_at = 0;
    (void)snprintf(tenant->name, sizeof tenant->name, "%s", said->user == MT_YES ? said->name : "");
}

void tenant_shown(const struct tenant *tenant, char out[SHOWN_SIZE])
{
    const char *name = tenant->name;
    size_t len = 0;
    while (name[len] > ' ' && name[len] <= '~')
        len++;
    if (len > 0 && name[len] == '\0')
        (void)snprintf(out, SHOWN_SIZE, "%s", name);
    else
        (void)snprintf(out, SHOWN_SIZE, "uid_%u", tenant->uid);
}
