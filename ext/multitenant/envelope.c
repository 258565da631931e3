/* SPDX-License-Identifier: MIT */
#include "envelope.h"

#include <string.h>

typedef enum mt_status open_fn(const struct mt_record *record, const struct mt_jobname *name,
                               struct mt_message *out, enum mt_reason *reason);

/* What this build can recognise but not open: another release may, so the reason is temporary. */
static enum mt_status unavailable(const struct mt_record *record, const struct mt_jobname *name,
                                  struct mt_message *out, enum mt_reason *reason)
{
    (void)record;
    (void)name;
    (void)out;
    *reason = MT_REASON_envelope_unavailable;
    return MT_OK;
}

static const struct {
    const char *name;
    const char *mark;
    open_fn *open;
} table[MT_ENVELOPE_COUNT] = {
    [MT_ENVELOPE_MUNGE] = {"munge", "MUNGE:", unavailable},
    [MT_ENVELOPE_KEY] = {"key", "MTK1:", unavailable},
    [MT_ENVELOPE_V1] = {"v1", "", mt_envelope_v1_open},
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

enum mt_status mt_envelope_open(const struct mt_record *record, const struct mt_jobname *name,
                                unsigned accepted, struct mt_message *out, enum mt_reason *reason)
{
    enum mt_envelope envelope = mt_envelope_of(name->payload, name->payload_len);
    memset(out, 0, sizeof *out);
    *reason = MT_REASON_envelope_not_accepted;
    if (!(accepted & 1u << envelope))
        return MT_OK;
    return table[envelope].open(record, name, out, reason);
}
