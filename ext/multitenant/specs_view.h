/* SPDX-License-Identifier: MIT */
/* How the viewer meets the shares of a round: the OOD cluster, the card and its id, the key. */
#pragma once

#include "dismissed.h"
#include "settings.h"
#include "specs.h"
#include "status.h"

/*
 * The next part of mt_specs_decide: sets ood_cluster, card, wants_card, card_id and key, and joins
 * the members of services.
 *
 * MT_OK
 * MT_NOMEM, MT_CRYPTO, MT_INTERNAL
 */
MT_CHECKED enum mt_status mt_specs_view(struct mt_specs *specs, const struct mt_settings *settings,
                                        const struct mt_dismissed *dismissed);
