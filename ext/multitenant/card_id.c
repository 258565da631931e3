/* SPDX-License-Identifier: MIT */
#include "card_id.h"

#include "digest.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

enum mt_status mt_card_id_of(const char *const *texts, size_t count, char out[MT_UUID_SIZE])
{
    unsigned char hash[MT_DIGEST_BYTES];
    enum mt_status status = mt_digest(texts, count, hash);
    if (status != MT_OK)
        return status;
    hash[6] = (unsigned char)((hash[6] & 0x0f) | 0x80);
    hash[8] = (unsigned char)((hash[8] & 0x3f) | 0x80);
    (void)snprintf(out, MT_UUID_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", hash[0],
                   hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7], hash[8], hash[9],
                   hash[10], hash[11], hash[12], hash[13], hash[14], hash[15]);
    return MT_OK;
}

enum mt_status mt_card_id_make(const char *cluster, uint32_t job_id, const char *session,
                               char out[MT_UUID_SIZE])
{
    char job[MT_JOB_TEXT_SIZE];
    const char *const texts[] = {cluster, job, session};
    (void)mt_text_of_job(job_id, job);
    return mt_card_id_of(texts, sizeof texts / sizeof *texts, out);
}

bool mt_card_id_is_made(const char *uuid)
{
    return strlen(uuid) == MT_UUID_SIZE - 1 && uuid[14] == '8';
}
