/* SPDX-License-Identifier: MIT */
/* The three files of one card (deliver.h): how they are written and removed. */
#pragma once

#include "inventory.h"
#include "specs.h"
#include "status.h"

/*
 * Writes those that are not there as they should be: mark, db file, connection. `root` and `db` are
 * the data root and its db/, -1 (of a dry run) while absent; `dir` is mt_card_outputs of the share.
 * *changed: something was written; of a dry run, would be.
 *
 * MT_OK
 * MT_NOMEM
 * MT_IO, MT_UNSAFE: the next delivery goes on from where this one stopped
 */
MT_NODISCARD MT_NONNULL(3, 4, 6) enum mt_status
    mt_card_files_put(int root, int db, const char *dir, const struct mt_share *share, bool dry_run,
                      bool *changed);

/*
 * Removes them in the reverse order, the db file only if it is the card's, then the output
 * directory if nothing of another's is in it, and the app's where it was the last. Statuses as
 * above.
 */
MT_NODISCARD MT_NONNULL(3) enum mt_status
    mt_card_files_remove(int root, int db, const struct mt_found *found);

/* Removes files of ours from a directory that a crash left half written. MT_OK, MT_NOMEM, MT_IO. */
MT_CHECKED enum mt_status mt_card_files_sweep(int dir);

/* Removes these, and what is empty, of the directories of outputs at `outputs`, and the app's above
 * it. */
void mt_card_files_tidy(int root, const char *outputs);
