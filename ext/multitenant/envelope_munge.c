/* SPDX-License-Identifier: MIT */
/*
 * The MUNGE envelope. munged opens it, asked by a program of its own, since it may hang; here it is
 * decided whether what it said of the credential fits the job.
 */
#include "envelope.h"
#include "message_v2.h"

#include <string.h>

bool mt_envelope_munge_is_line(const char *payload, size_t len)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:";
    for (size_t i = 0; i < len; i++) {
        if (!payload[i] || !strchr(characters, payload[i]))
            return false;
    }
    return len > 0;
}

/* Restricted to the group, or, for the publisher alone, to them: else others could read it. */
static bool is_restricted(const struct mt_munged *munged, const struct mt_record *record)
{
    if (munged->uid_only >= 0)
        return munged->uid_only == (int64_t)record->uid && munged->gid_only < 0;
    return record->group_known == MT_YES && munged->gid_only == (int64_t)record->group_gid;
}

static enum mt_reason check(const struct mt_munged *munged, const struct mt_record *record)
{
    if (!munged)
        return MT_REASON_envelope_unavailable;
    if (munged->reason != MT_REASON_ok)
        return munged->reason;
    if (munged->uid != record->uid)
        return MT_REASON_wrong_publisher;
    if (munged->uid_only < 0 && record->group_known == MT_UNKNOWN)
        return MT_REASON_envelope_unavailable;
    return is_restricted(munged, record) ? MT_REASON_ok : MT_REASON_wrong_job;
}

enum mt_status mt_envelope_munge_open(const struct mt_record *record,
                                      const struct mt_settings *settings,
                                      const struct mt_opened *opened, struct mt_message *out,
                                      enum mt_reason *reason)
{
    const struct mt_jobname *name = &record->parts;
    (void)settings;
    memset(out, 0, sizeof *out);
    *reason = MT_REASON_bad_base64;
    if (!mt_envelope_munge_is_line(name->payload, name->payload_len))
        return MT_REFUSED;
    const struct mt_munged *munged = mt_opened_find(opened, name->payload, name->payload_len);
    *reason = check(munged, record);
    if (*reason != MT_REASON_ok)
        return MT_REFUSED;
    return mt_message_v2_open(record, name, munged->text, munged->text_len, out, reason);
}
