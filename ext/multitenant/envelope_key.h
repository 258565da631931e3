/* SPDX-License-Identifier: MIT */
/* Sealing in the key envelope; what multitenant-seal does. Opening is envelope.h's. */
#pragma once

#include "buf.h"
#include "keyring.h"
#include "record.h"
#include "status.h"

#define MT_KEY_NONCE_BYTES 12

/*
 * Appends to `out` the payload (`MTK1:…`) in which `key` seals the `len` bytes of a message for
 * `record`'s job (cluster, job_id and uid count). `prefix` is what stands before the payload in the
 * job's name: LABEL|GROUP| of `prefix_len` bytes. No two messages of a job may have one nonce.
 *
 * MT_OK
 * MT_TOO_LARGE: more than the buffer's limit, or MT_MESSAGE_MAX
 * MT_NOMEM, MT_CRYPTO, MT_INTERNAL
 *
 * Thread-safe; leaves nothing in OpenSSL's error queue.
 */
MT_CHECKED enum mt_status mt_envelope_key_seal(const struct mt_record *record, const char *prefix,
                                               size_t prefix_len, const struct mt_key *key,
                                               const unsigned char nonce[MT_KEY_NONCE_BYTES],
                                               const char *text, size_t len, struct mt_buf *out);
