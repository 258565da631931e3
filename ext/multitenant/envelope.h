/* SPDX-License-Identifier: MIT */
/* Envelopes: how a payload is sealed. The table here is the only list of them. */
#ifndef MT_ENVELOPE_H
#define MT_ENVELOPE_H

#include "attr.h"
#include "jobname.h"
#include "message.h"
#include "reason.h"
#include "record.h"
#include "settings.h"
#include "status.h"

#include <stddef.h>

/* In order of preference. */
enum mt_envelope { MT_ENVELOPE_MUNGE, MT_ENVELOPE_KEY, MT_ENVELOPE_V1, MT_ENVELOPE_COUNT };

/* Set of envelopes: bit 1 << envelope. */
#define MT_ENVELOPES_ALL ((1u << MT_ENVELOPE_COUNT) - 1)

/* The envelope's name as in MULTITENANT_ENVELOPES; a static string. */
MT_NODISCARD const char *mt_envelope_name(enum mt_envelope envelope);

/* Which envelope a payload is in; v1, which has no mark of its own, where it is no other. */
MT_NODISCARD MT_NONNULL_ALL enum mt_envelope mt_envelope_of(const char *payload, size_t len);

/*
 * Opens the payload of `name`, which belongs to `record`'s job, if `settings` accept its envelope.
 * The parts of `name` are still those of one text.
 *
 * MT_OK: *reason is MT_REASON_ok and the caller owns *out, or *reason tells what is wrong with the
 * payload (envelope_not_accepted, envelope_unavailable, bad_base64, bad_cipher, bad_gzip,
 * too_large, bad_message, wrong_job, wrong_publisher, stale) and *out is zeroed. MT_NOMEM,
 * MT_CRYPTO, MT_INTERNAL: our own fault. Thread-safe; leaves nothing in OpenSSL's error queue.
 */
MT_NODISCARD MT_NONNULL_ALL enum mt_status mt_envelope_open(const struct mt_record *record,
                                                            const struct mt_jobname *name,
                                                            const struct mt_settings *settings,
                                                            struct mt_message *out,
                                                            enum mt_reason *reason);

/*
 * One envelope each: envelope_v1.c; envelope_key.c, which reads the group's keys; envelope_munge.c,
 * which goes by what munged said (record.h). The payload begins with the envelope's mark. Statuses,
 * reasons and ownership as mt_envelope_open.
 */
typedef enum mt_status mt_envelope_open_fn(const struct mt_record *record,
                                           const struct mt_jobname *name,
                                           const struct mt_settings *settings,
                                           struct mt_message *out, enum mt_reason *reason);
MT_NODISCARD MT_NONNULL_ALL mt_envelope_open_fn mt_envelope_v1_open;
MT_NODISCARD MT_NONNULL_ALL mt_envelope_open_fn mt_envelope_key_open;
MT_NODISCARD MT_NONNULL_ALL mt_envelope_open_fn mt_envelope_munge_open;

/*
 * For an envelope's steps: a status that tells of the input becomes a reason, `malformed` or
 * too_large, and MT_OK; MT_OK becomes MT_REASON_ok. Others are returned as they are.
 */
MT_NODISCARD MT_NONNULL_ALL enum mt_status
mt_envelope_blame(enum mt_status status, enum mt_reason malformed, enum mt_reason *reason);

#endif
