/* SPDX-License-Identifier: MIT */
/*
 * The cards that a viewer sent away: jobs and services that get no card until they end. The list is
 * kept in
 * batch_connect/multitenant.dismissed (0600) below the data root.
 */
#pragma once

#include "settings.h"
#include "status.h"

#include <jansson.h>

/* Where the list is, below the data root. */
#define MT_DISMISSED_PATH MT_BATCH_CONNECT "/multitenant.dismissed"

/* One of them. Texts are borrowed. */
struct mt_dismissal {
    const char *cluster;
    const char *wckeys; /* that the job has or may have, comma-separated */
    uint32_t job_id;
    const char *card_id;
    const char *service; /* the key of the service that it was the card of; NULL: of a job alone */
};

/* `list` is an array of {"cluster":…,"wckey":…,"job":…,"id":…}, of services with "service", owned;
 * NULL: it is empty. */
struct mt_dismissed {
    json_t *list;
    int64_t time; /* when the file was written; 0: there is none */
};

/*
 * Reads the list of the data root that is open as `root`; -1: there is none. A file that is not of
 * the expected form is an empty list: it may cost the viewer their dismissals but not their cards.
 *
 * MT_OK: the caller frees *out
 * MT_NOMEM
 * MT_IO, MT_UNSAFE: the file can't be read
 */
MT_CHECKED enum mt_status mt_dismissed_load(int root, struct mt_dismissed *out);

/* Writes the list; an empty one removes the file. MT_OK, MT_NOMEM, MT_IO, MT_UNSAFE. */
MT_CHECKED enum mt_status mt_dismissed_save(int root, const struct mt_dismissed *dismissed);

/* Whether a job's card was sent away. */
MT_CHECKED bool mt_dismissed_has(const struct mt_dismissed *dismissed, const char *cluster,
                                 uint32_t job_id);

/* Whether the card of a service was sent away. */
MT_CHECKED bool mt_dismissed_has_card(const struct mt_dismissed *dismissed, const char *card_id);

/* Adds one, unless its job or service is there. MT_OK, MT_NOMEM. */
MT_CHECKED enum mt_status mt_dismissed_add(struct mt_dismissed *dismissed,
                                           const struct mt_dismissal *dismissal);

/* Takes out those for which `drop` says so; true if there was one. */
typedef bool mt_dismissal_fn(const struct mt_dismissal *dismissal, const void *arg);
MT_NODISCARD MT_NONNULL(1, 2) bool mt_dismissed_drop(struct mt_dismissed *dismissed,
                                                     mt_dismissal_fn *drop, const void *arg);

/* Frees what it owns; a zeroed one is fine. */
MT_NONNULL_ALL void mt_dismissed_free(struct mt_dismissed *dismissed);
