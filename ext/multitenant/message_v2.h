/* SPDX-License-Identifier: MIT */
/*
 * The message inside the envelopes that protect: one JSON object that names the job it is for.
 *
 *   {"v":2,"cluster":"hpc","job":4711,"group":"hpcGrp","restarts":0,"id":"<uuid>","app":"DB_Conn",
 *    "title":"Spanish 301","method":"card","delivery":"sys/multitenant-delivery_default",
 *    "service":"spanish","until":1795315062,"lead":10,"door":"<32 bytes>","gate":18080,
 *    "to":"<recipients.h>","conn":{"host":"n1","port":"5432"}}
 *
 * In any order; all from `service` to `to`, and `title`, may be absent. No other keys: what an old
 * reader would overlook could be a condition, so a message that has more has another `v`.
 */
#pragma once

#include "jobname.h"
#include "message.h"
#include "reason.h"
#include "record.h"
#include "status.h"

/*
 * Parses a v2 message of `record`'s job, whose name is `name`. `id`, `app`, `method` and `delivery`
 * become mti, mta, mtm and mtd; `to` becomes mtu, or MT_WHOLE_GROUP where it is absent. In conn
 * every value is a string.
 *
 * MT_OK: the caller owns *out
 * MT_REFUSED: *reason says why:
 *   too_large: over MT_MESSAGE_MAX
 *   bad_message
 *   wrong_job: another cluster, job or group
 *   stale: another count of restarts
 * MT_NOMEM
 *
 * But for MT_OK *out is zeroed. Thread-safe.
 */
MT_CHECKED enum mt_status mt_message_v2_open(const struct mt_record *record,
                                             const struct mt_jobname *name, const char *text,
                                             size_t len, struct mt_message *out,
                                             enum mt_reason *reason);
