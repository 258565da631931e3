/* SPDX-License-Identifier: MIT */
/*
 * The MUNGE envelope. munged opens it, asked by a program of its own, since it may hang; here it is
 * decided whether what it said of the credential fits the job.
 */
#include "base64.h"
#include "envelope.h"
#include "message_v2.h"
#include "mt_limits.h"

#include <string.h>

#define MARK_LEN (sizeof "MUNGE:" - 1)

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

enum mt_status mt_envelope_munge_open(const struct mt_record *record,
                                      const struct mt_settings *settings,
                                      const struct mt_opened *opened, struct mt_message *out,
                                      enum mt_reason *reason)
{
    const struct mt_jobname *name = &record->parts;
    struct mt_buf sealed = MT_BUF_INIT(MT_JOBNAME_MAX);
    (void)settings;
    memset(out, 0, sizeof *out);
    enum mt_status status =
        mt_envelope_munge_decode(name->payload, name->payload_len, &sealed, reason);
    mt_buf_wipe(&sealed);
    const struct mt_munged *munged = mt_opened_find(opened, name->payload, name->payload_len);
    if (status == MT_OK)
        status = mt_refuse(check(munged, record), reason);
    if (status == MT_OK)
        status = mt_message_v2_open(record, name, munged->text, munged->text_len, out, reason);
    return status;
}
