/* SPDX-License-Identifier: MIT */
/* Envelopes: how a payload is sealed. The table here is the only list of them. */
#pragma once

#include "buf.h"
#include "keyring.h"
#include "message.h"
#include "opened.h"
#include "reason.h"
#include "record.h"
#include "settings.h"
#include "status.h"

/* In order of preference. */
enum mt_envelope { MT_ENVELOPE_MUNGE, MT_ENVELOPE_KEY, MT_ENVELOPE_V1, MT_ENVELOPE_COUNT };

/* What a payload begins with; v1 has no mark. */
#define MT_MUNGE_MARK "MUNGE:"
#define MT_KEY_MARK "MTK1:"

/* Set of envelopes: bit 1 << envelope. */
#define MT_ENVELOPES_ALL ((1u << MT_ENVELOPE_COUNT) - 1)

/* The envelope's name as in MULTITENANT_ENVELOPES; a static string. */
MT_NODISCARD const char *mt_envelope_name(enum mt_envelope envelope);

/* Which envelope a payload is in: v1, which has no mark, unless it begins with another's. */
MT_CHECKED enum mt_envelope mt_envelope_of(const char *payload, size_t len);

/*
 * Whether the payload of a share's name may be opened, by its form alone and without what it is
 * sealed with.
 *
 * MT_OK
 * MT_REFUSED: *reason is envelope_not_accepted, bad_base64, bad_cipher or too_large, as
 *   mt_envelope_open has it
 * MT_NOMEM
 */
MT_CHECKED enum mt_status mt_envelope_check(const struct mt_jobname *name,
                                            const struct mt_settings *settings,
                                            enum mt_reason *reason);

/*
 * Opens the payload in the job name of `record`, if `settings` accept its envelope. `opened` is
 * what munged said for this viewer. The record is a share's.
 *
 * MT_OK: the caller owns *out
 * MT_REFUSED: *reason says what is wrong with the payload:
 *   envelope_not_accepted: by `settings`
 *   envelope_unavailable: it can't be opened here, or not now
 *   out_of_time: munged did not answer
 *   bad_base64, bad_cipher, bad_gzip, too_large, bad_message: a step of opening it
 *   wrong_job, wrong_publisher, stale: it was sealed for another job, by another user, or before a
 *     requeue
 * MT_NOMEM, MT_CRYPTO, MT_INTERNAL: our own fault
 *
 * But for MT_OK *out is zeroed. Thread-safe; leaves nothing in OpenSSL's error queue.
 */
MT_CHECKED enum mt_status mt_envelope_open(const struct mt_record *record,
                                           const struct mt_settings *settings,
                                           const struct mt_opened *opened, struct mt_message *out,
                                           enum mt_reason *reason);

/*
 * The two steps of each envelope: envelope_v1.c; envelope_key.c, which reads the group's keys;
 * envelope_munge.c, which goes by what munged said.
 *
 * First what its text stands for, appended to `sealed`. The payload begins with its mark.
 *
 * MT_OK
 * MT_REFUSED: *reason is bad_base64, bad_cipher or too_large
 * MT_NOMEM
 */
typedef enum mt_status mt_envelope_decode_fn(const char *payload, size_t len, struct mt_buf *sealed,
                                             enum mt_reason *reason);

MT_CHECKED mt_envelope_decode_fn mt_envelope_v1_decode;
MT_CHECKED mt_envelope_decode_fn mt_envelope_key_decode;
MT_CHECKED mt_envelope_decode_fn mt_envelope_munge_decode;

/* Then the message in it, appended to `text`. Statuses and reasons of mt_envelope_open. */
typedef enum mt_status mt_envelope_unseal_fn(const struct mt_record *record,
                                             const struct mt_settings *settings,
                                             const struct mt_opened *opened,
                                             const struct mt_buf *sealed, struct mt_buf *text,
                                             enum mt_reason *reason);

MT_CHECKED mt_envelope_unseal_fn mt_envelope_v1_unseal;
MT_CHECKED mt_envelope_unseal_fn mt_envelope_key_unseal;
MT_CHECKED mt_envelope_unseal_fn mt_envelope_munge_unseal;

/* The id of the key that a key envelope's payload names; false: it is none that could be opened. */
MT_CHECKED bool mt_envelope_key_id(const char *payload, size_t len,
                                   unsigned char id[MT_KEY_ID_BYTES]);

/*
 * For an envelope's steps: the status of a step whose input is the payload.
 *
 * MT_REFUSED: for MT_MALFORMED, *reason is `malformed`; for MT_TOO_LARGE, too_large
 * others as they are
 */
MT_CHECKED enum mt_status mt_envelope_to_reason(enum mt_status status, enum mt_reason malformed,
                                                enum mt_reason *reason);
