/* SPDX-License-Identifier: MIT */
#include "envelope.h"

#include "mt_limits.h"

#include <string.h>

static const struct {
    const char *name;
    const char *mark;
    mt_envelope_decode_fn *decode;
    mt_envelope_open_fn *open;
} table[MT_ENVELOPE_COUNT] = {
    [MT_ENVELOPE_MUNGE] = {"munge", "MUNGE:", mt_envelope_munge_decode, mt_envelope_munge_open},
    [MT_ENVELOPE_KEY] = {"key", "MTK1:", mt_envelope_key_decode, mt_envelope_key_open},
    [MT_ENVELOPE_V1] = {"v1", "", mt_envelope_v1_decode, mt_envelope_v1_open},
};

const char *mt_envelope_name(enum mt_envelope envelope)
{
    return table[envelope].name;
}

enum mt_envelope mt_envelope_of(const char *payload, size_t len)
{
    enum mt_envelope envelope = MT_ENVELOPE_MUNGE;
    while (envelope < MT_ENVELOPE_V1) {
        size_t mark = strlen(table[envelope].mark);
        if (len >= mark && memcmp(payload, table[envelope].mark, mark) == 0)
            break;
        envelope++;
    }
    return envelope;
}

enum mt_status mt_envelope_check(const struct mt_jobname *name, const struct mt_settings *settings,
                                 enum mt_reason *reason)
{
    struct mt_buf sealed = MT_BUF_INIT(MT_JOBNAME_MAX);
    enum mt_envelope envelope = mt_envelope_of(name->payload, name->payload_len);
    if (!(settings->envelopes & 1u << envelope))
        return mt_refuse(MT_REASON_envelope_not_accepted, reason);
    enum mt_status status =
        table[envelope].decode(name->payload, name->payload_len, &sealed, reason);
    mt_buf_wipe(&sealed);
    return status;
}

enum mt_status mt_envelope_open(const struct mt_record *record, const struct mt_settings *settings,
                                const struct mt_opened *opened, struct mt_message *out,
                                enum mt_reason *reason)
{
    const struct mt_jobname *name = &record->parts;
    enum mt_envelope envelope = mt_envelope_of(name->payload, name->payload_len);
    memset(out, 0, sizeof *out);
    if (!(settings->envelopes & 1u << envelope))
        return mt_refuse(MT_REASON_envelope_not_accepted, reason);
    return table[envelope].open(record, settings, opened, out, reason);
}

enum mt_status mt_envelope_to_reason(enum mt_status status, enum mt_reason malformed,
                                     enum mt_reason *reason)
{
    if (status == MT_MALFORMED)
        return mt_refuse(malformed, reason);
    return status == MT_TOO_LARGE ? mt_refuse(MT_REASON_too_large, reason) : status;
}
