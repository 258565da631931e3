/* SPDX-License-Identifier: MIT */
/*
 * What a viewer may see: record, message, viewer and settings in, a reason out. No I/O, no state.
 * The questions are in the order in which they have to be asked.
 */
#pragma once

#include "address.h"
#include "attr.h"
#include "message.h"
#include "reason.h"
#include "record.h"
#include "settings.h"

/*
 * Before the envelope is opened: is the name a share's, is the viewer in the group, may the
 * publisher publish there. `publishers` are the groups that the record's publisher_allowed speaks
 * of (mt_stream).
 *
 * name_too_long, malformed_name, not_member, publisher_not_member, publisher_not_allowed,
 * lookup_failed, out_of_time.
 */
MT_NODISCARD MT_NONNULL(1, 3) enum mt_reason
    mt_policy_gate(const struct mt_record *record, const char *publishers,
                   const struct mt_settings *settings);

/*
 * Whether the proxy may have the share, whoever looks: what it is called there, and may the
 * publisher publish in the group.
 *
 * name_too_long, malformed_name, what mt_address_read gives, publisher_not_member,
 * publisher_not_allowed, lookup_failed, out_of_time. *out is as mt_address_read leaves it, and
 * zeroed where that was not called.
 */
MT_NODISCARD MT_NONNULL(1, 3, 4) enum mt_reason
    mt_policy_address(const struct mt_record *record, const char *publishers,
                      const struct mt_settings *settings, struct mt_address *out);

/*
 * After it was opened: are the message's contents acceptable, is the viewer a recipient.
 *
 * not_recipient, bad_session_id, bad_app_name, bad_title, bad_service, bad_method,
 * delivery_not_allowed, bad_connection_key, bad_connection_value.
 */
MT_CHECKED enum mt_reason mt_policy_message(const struct mt_record *record,
                                            const struct mt_message *message,
                                            const struct mt_settings *settings);

/*
 * Whether a share that is fine also gets a card: form_only, own_session, dismissed,
 * unknown_cluster. `dismissed`: the viewer sent this job's card away; `ood_cluster` is the OOD
 * cluster id or NULL. (duplicate_session needs all shares at once: specs.h.)
 */
MT_NODISCARD MT_NONNULL(1, 2, 3) enum mt_reason
    mt_policy_card(const struct mt_record *record, const struct mt_message *message,
                   const struct mt_settings *settings, bool dismissed, const char *ood_cluster);

/*
 * Whether the message's `host` is one of the job's own: a node's name, host or address, or one of
 * the first two, a dot and one of the node domains. MT_UNKNOWN: the record tells of no nodes.
 */
MT_CHECKED enum mt_answer mt_policy_own_host(const struct mt_record *record,
                                             const struct mt_message *message,
                                             const struct mt_settings *settings);

/* Whether a token (`sys/NAME`) is in the allow-list: cards may be below it, installed or not. */
MT_CHECKED bool mt_policy_allows_delivery(const char *token, const struct mt_settings *settings);

/* Whether a connection key is well-formed and not reserved. */
MT_CHECKED bool mt_policy_allows_key(const char *key);

/* The reserved connection keys, static, and how many there are. */
MT_CHECKED const char *const *mt_policy_reserved_keys(size_t *count);
