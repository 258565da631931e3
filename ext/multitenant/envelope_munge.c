/* SPDX-License-Identifier: MIT */
/*
 * The MUNGE envelope. munged opens it, asked by a program of its own, since it may hang; here it is
 * decided whether what it said of the credential fits the job.
 */
#include "base64.h"
#include "envelope.h"
#include "mt_limits.h"

#define MARK_LEN (sizeof MT_MUNGE_MARK - 1)

/* What munged and its program take: MUNGE:, base64, and a colon, in one line. */
enum mt_status mt_envelope_munge_decode(const char *payload, size_t len, struct mt_buf *sealed,
                                        enum mt_reason *reason)
{
    if (len == MARK_LEN || payload[len - 1] != ':')
        return mt_refuse(MT_REASON_bad_base64, reason);
    return mt_envelope_to_reason(mt_base64_decode(payload + MARK_LEN, len - MARK_LEN - 1, sealed),
                                 MT_REASON_bad_base64, reason);
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

enum mt_status mt_envelope_munge_unseal(const struct mt_record *record,
                                        const struct mt_settings *settings,
                                        const struct mt_opened *opened, const struct mt_buf *sealed,
                                        struct mt_buf *text, enum mt_reason *reason)
{
    const struct mt_jobname *name = &record->parts;
    const struct mt_munged *munged = mt_opened_find(opened, name->payload, name->payload_len);
    (void)settings;
    (void)sealed;
    enum mt_status status = mt_refuse(check(munged, record), reason);
    return status == MT_OK ? mt_buf_append(text, munged->text, munged->text_len) : status;
}
