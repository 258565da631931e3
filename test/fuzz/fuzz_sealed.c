/* SPDX-License-Identifier: MIT */
/*
 * What is inside the two envelopes that only a group's members can open: the same text in both, and
 * both open to the same message, or not at all.
 */
#include "block.h"
#include "envelope.h"
#include "policy.h"

#define mt_keyring_load(directory, gid, ring, why) load_keys(ring, why)
static enum mt_status load_keys(struct mt_keyring *ring, char why[MT_WHY_SIZE])
{
    *why = '\0';
    *ring = (struct mt_keyring){.keys = {{.id = "ABC", .bytes = "secret"}}, .count = 1};
    return MT_OK;
}
#include "envelope_key.c"

#define PREFIX "sys/dashboard|students|"
#define MUNGE PREFIX MT_MUNGE_MARK "AAAA:"

static const struct mt_record job = {.cluster = "hpc",
                                     .job_id = 4711,
                                     .user = "prof",
                                     .uid = 1001,
                                     .group_known = MT_YES,
                                     .group_gid = 3000};

static enum mt_reason open_name(const char *name, size_t len, const struct mt_opened *opened,
                                struct mt_message *out)
{
    static const char *const deliveries[] = {"sys/*"};
    const struct mt_settings settings = {.envelopes = MT_ENVELOPES_ALL,
                                         .keys = "/",
                                         .deliveries = deliveries,
                                         .n_deliveries = 1,
                                         .uid = 10};
    struct mt_record record = job;
    enum mt_reason reason = MT_REASON_ok;
    if (!mt_jobname_split(name, len, &record.parts))
        abort();
    if (mt_envelope_open(&record, &settings, opened, out, &reason) == MT_OK)
        return mt_policy_message(&record, out, &settings);
    if (reason == MT_REASON_ok)
        abort();
    return reason;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mt_opened none;
    static const unsigned char nonce[MT_KEY_NONCE_BYTES];
    if (size > MT_MUNGE_TEXT_MAX)
        return 0;
    char *text = block_of(data, size);
    struct mt_munged munged = {.payload = MT_MUNGE_MARK "AAAA:",
                               .uid = 1001,
                               .uid_only = -1,
                               .gid_only = 3000,
                               .text = text,
                               .text_len = size};
    const struct mt_opened opened = {.items = &munged, .count = 1};
    struct mt_buf name = MT_BUF_INIT(4 * MT_JOBNAME_MAX);
    struct mt_keyring ring;
    char why[MT_WHY_SIZE];
    struct mt_message a;
    struct mt_message b;
    const enum mt_reason reason = open_name(MUNGE, strlen(MUNGE), &opened, &a);
    /* The key's way is a hundred times as slow. */
    if ((reason != MT_REASON_bad_message || size % 16 == 0) && load_keys(&ring, why) == MT_OK &&
        mt_buf_append(&name, PREFIX, strlen(PREFIX)) == MT_OK &&
        mt_envelope_key_seal(&job, PREFIX, strlen(PREFIX), ring.keys, nonce, text, size, &name) ==
            MT_OK &&
        name.len <= MT_JOBNAME_MAX) {
        if (open_name(name.data, name.len, &none, &b) != reason ||
            !json_equal(a.connection, b.connection) != !a.connection)
            abort();
        mt_message_free(&b);
    }
    mt_message_free(&a);
    mt_buf_wipe(&name);
    free(text);
    return 0;
}
