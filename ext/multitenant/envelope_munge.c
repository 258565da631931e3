/* SPDX-License-Identifier: MIT */
/*
 * The MUNGE envelope. munged opens it, and it is asked by the program that writes the records,
 * since it may hang; here it is decided whether what it said of the credential fits the job.
 */
#include "envelope.h"
#include "message_v2.h"

#include <string.h>

/* Restricted to the group, or, for the publisher alone, to him: else others could read it. */
static bool is_restricted(const struct mt_munged *munged, const struct mt_record *record)
{
    if (munged->for_uid >= 0)
        return munged->for_uid == (int64_t)record->uid && munged->for_gid < 0;
    return record->group_known == MT_YES && munged->for_gid == (int64_t)record->group_gid;
}

enum mt_status mt_envelope_munge_open(const struct mt_record *record, const struct mt_jobname *name,
                                      const struct mt_settings *settings, struct mt_message *out,
                                      enum mt_reason *reason)
{
    const struct mt_munged *munged = &record->munged;
    (void)settings;
    memset(out, 0, sizeof *out);
    if (!munged->text) {
        *reason = munged->reason == MT_REASON_ok ? MT_REASON_envelope_unavailable : munged->reason;
        return MT_OK;
    }
    *reason = MT_REASON_wrong_publisher;
    if (munged->uid != record->uid)
        return MT_OK;
    *reason = MT_REASON_wrong_job;
    if (!is_restricted(munged, record))
        return MT_OK;
    return mt_message_v2_open(record, name, munged->text, munged->text_len, out, reason);
}
