/* SPDX-License-Identifier: MIT */
/* The id of a card that can't have its session's id, or is of a service. */
#pragma once

#include "status.h"

/* Room for a UUID and a terminator. */
#define MT_UUID_SIZE 37

/*
 * Writes the SHA-256 of cluster, job id and session id, each with its terminator, as a UUID
 * (RFC 9562, version 8). Thread-safe.
 *
 * MT_OK
 * MT_CRYPTO
 */
MT_CHECKED enum mt_status mt_card_id_make(const char *cluster, uint32_t job_id, const char *session,
                                          char out[MT_UUID_SIZE]);

/* The same of any texts. Statuses as there. */
MT_CHECKED enum mt_status mt_card_id_of(const char *const *texts, size_t count,
                                        char out[MT_UUID_SIZE]);

/*
 * Whether a UUID has the form of those. What they are made of is known to all members of a
 * group, so a publisher can name such an id; OOD's own session ids are of version 4.
 */
MT_CHECKED bool mt_card_id_is_made(const char *uuid);
