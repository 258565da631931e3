/* SPDX-License-Identifier: MIT */
/* The cards that a viewer sent away: jobs that get no card until they end. */
#ifndef MT_DISMISSED_H
#define MT_DISMISSED_H

#include "attr.h"
#include "status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* `list` is an array of {"cluster":…,"job":…,"id":…}; owned. */
struct mt_dismissed {
    json_t *list;
};

/* An empty list. MT_OK, MT_NOMEM. The caller frees *out. */
MT_NODISCARD MT_NONNULL_ALL enum mt_status mt_dismissed_new(struct mt_dismissed *out);

/*
 * Reads the text of a list; what is not of the expected form is an empty list, since a broken file
 * may cost the viewer his dismissals but not his cards. Statuses as mt_dismissed_new.
 */
MT_NODISCARD MT_NONNULL_ALL enum mt_status mt_dismissed_parse(const char *text, size_t len,
                                                              struct mt_dismissed *out);

/* The list's text; the caller frees it. NULL: no memory. */
MT_NODISCARD MT_NONNULL_ALL char *mt_dismissed_text(const struct mt_dismissed *dismissed);

/* Whether a job's card was sent away. */
MT_NODISCARD MT_NONNULL_ALL bool mt_dismissed_has(const struct mt_dismissed *dismissed,
                                                  const char *cluster, uint32_t job_id);

/* Adds a job and its card's id, unless it is there. MT_OK, MT_NOMEM. */
MT_NODISCARD MT_NONNULL_ALL enum mt_status mt_dismissed_add(struct mt_dismissed *dismissed,
                                                            const char *cluster, uint32_t job_id,
                                                            const char *card_id);

/* Takes out the entries for which `drop` says so; true if there was one. */
typedef bool mt_dismissed_fn(const char *cluster, uint32_t job_id, const char *card_id,
                             const void *arg);
MT_NODISCARD MT_NONNULL(1, 2) bool mt_dismissed_drop(struct mt_dismissed *dismissed,
                                                     mt_dismissed_fn *drop, const void *arg);

/* Frees what it owns; a zeroed one is fine. */
MT_NONNULL_ALL void mt_dismissed_free(struct mt_dismissed *dismissed);

#endif
