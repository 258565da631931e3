/* SPDX-License-Identifier: MIT */
#include "envelope.h"

#include "message_v2.h"
#include "mt_limits.h"

#include <string.h>

static const struct {
    const char *name;
    const char *mark;
    mt_envelope_decode_fn *decode;
    mt_envelope_unseal_fn *unseal;
} table[MT_ENVELOPE_COUNT] = {
    [MT_ENVELOPE_MUNGE] = {"munge", MT_MUNGE_MARK, mt_envelope_munge_decode,
                           mt_envelope_munge_unseal},
    [MT_ENVELOPE_KEY] = {"key", MT_KEY_MARK, mt_envelope_key_decode, mt_envelope_key_unseal},
    [MT_ENVELOPE_V1] = {"v1", "", mt_envelope_v1_decode, mt_envelope_v1_unseal},
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

/* Of an envelope that is accepted, what its text stands for. */
static enum mt_status decode(const struct mt_jobname *name, const struct mt_settings *settings,
                             struct mt_buf *sealed, enum mt_reason *reason)
{
    enum mt_envelope envelope = mt_envelope_of(name->payload, name->payload_len);
    if (!(settings->envelopes & 1u << envelope))
        return mt_refuse(MT_REASON_envelope_not_accepted, reason);
    return table[envelope].decode(name->payload, name->payload_len, sealed, reason);
}

enum mt_status mt_envelope_check(const struct mt_jobname *name, const struct mt_settings *settings,
                                 enum mt_reason *reason)
{
    struct mt_buf sealed = MT_BUF_INIT(MT_JOBNAME_MAX);
    enum mt_status status = decode(name, settings, &sealed, reason);
    mt_buf_wipe(&sealed);
    return status;
}

static enum mt_status parse(enum mt_envelope envelope, const struct mt_record *record,
                            const struct mt_buf *buf, struct mt_message *out,
                            enum mt_reason *reason)
{
    const char *text = buf->data ? buf->data : "";
    if (envelope != MT_ENVELOPE_V1)
        return mt_message_v2_open(record, &record->parts, text, buf->len, out, reason);
    return mt_envelope_to_reason(mt_message_parse_v1(text, buf->len, out), MT_REASON_bad_message,
                                 reason);
}

enum mt_status mt_envelope_open(const struct mt_record *record, const struct mt_settings *settings,
                                const struct mt_opened *opened, struct mt_message *out,
                                enum mt_reason *reason)
{
    const struct mt_jobname *name = &record->parts;
    enum mt_envelope envelope = mt_envelope_of(name->payload, name->payload_len);
    struct mt_buf sealed = MT_BUF_INIT(MT_JOBNAME_MAX);
    struct mt_buf text = MT_BUF_INIT(MT_MESSAGE_MAX);
    memset(out, 0, sizeof *out);
    enum mt_status status = decode(name, settings, &sealed, reason);
    if (status == MT_OK)
        status = table[envelope].unseal(record, settings, opened, &sealed, &text, reason);
    if (status == MT_OK)
        status = parse(envelope, record, &text, out, reason);
    mt_buf_wipe(&sealed);
    mt_buf_wipe(&text);
    return status;
}

enum mt_status mt_envelope_to_reason(enum mt_status status, enum mt_reason malformed,
                                     enum mt_reason *reason)
{
    if (status == MT_MALFORMED)
        return mt_refuse(malformed, reason);
    return status == MT_TOO_LARGE ? mt_refuse(MT_REASON_too_large, reason) : status;
}
