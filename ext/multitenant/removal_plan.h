/* SPDX-License-Identifier: MIT */
/* What is to become of each card that is there, and under which id each due card is to be. */
#pragma once

#include "inventory.h"
#include "settings.h"
#include "specs.h"
#include "status.h"

/*
 * Plans what is to become of every found card, and the share of those that are wanted. A share
 * whose card id is taken, by a session of the user's own or by another's card that stays, gets a
 * made one; one whose place can't be looked at is told as trouble and no longer wants a card. `db`
 * is the directory of db files or -1. Writes nothing.
 *
 * MT_OK
 * MT_NOMEM, MT_CRYPTO
 */
MT_NODISCARD MT_NONNULL(1, 3, 4, 5) enum mt_status
    mt_removal_plan(struct mt_inventory *found, int db, struct mt_specs *specs,
                    const struct mt_settings *settings, mt_trouble_fn *trouble, void *arg);
