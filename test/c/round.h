/* SPDX-License-Identifier: MIT */
/* Rounds: from the records that a test describes to the specs of its viewer. */
#pragma once

#include "helpers.h"
#include "specs.h"

#include <check.h>

/*
 * The next round of a script's streams; the caller frees it. `last` may be NULL. A test's set-up
 * fails where the script can't be read or the round be made.
 */
struct mt_specs *round_of(const struct mt_specs *last, const struct script *script,
                          const struct mt_settings *settings, const struct mt_dismissed *dismissed);

/* When rounds are decided; 0 unless a test sets it. */
extern int64_t round_time;

/* The same of one complete stream of cluster hpc, which sees all, with nothing dismissed. */
struct mt_specs *round_of_samples(const struct mt_specs *last, const struct sample *samples,
                                  size_t count, const struct mt_settings *settings);

/* A job's share, which has to be there. */
struct mt_share *share_of(const struct mt_specs *specs, const char *cluster, uint32_t job_id);

#define assert_reason(expected, actual) \
    ck_assert_str_eq(mt_reason_code(actual), mt_reason_code(MT_REASON_##expected))

/* The specs code and the card code of a share. */
#define assert_codes(share, specs_code, card_code) \
    do {                                           \
        const struct mt_share *share_ = (share);   \
        assert_reason(specs_code, share_->specs);  \
        assert_reason(card_code, share_->card);    \
    } while (0)

/* The dismissed cards of a data root. */
enum mt_status load_dismissed(const char *dataroot, struct mt_dismissed *out);
enum mt_status save_dismissed(const char *dataroot, const struct mt_dismissed *dismissed);
