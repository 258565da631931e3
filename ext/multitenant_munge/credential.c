/* SPDX-License-Identifier: MIT */
#include "credential.h"

#include <stdlib.h>
#include <string.h>

/* Whether munged told what is in a credential of this status. */
static bool is_open(munge_err_t status)
{
    return status == EMUNGE_SUCCESS || status == EMUNGE_CRED_EXPIRED ||
           status == EMUNGE_CRED_REWOUND || status == EMUNGE_CRED_REPLAYED;
}

/* Statuses that speak of munged or of us, not of the credential. */
static bool is_ours(munge_err_t status)
{
    return status == EMUNGE_SNAFU || status == EMUNGE_NO_MEMORY || status == EMUNGE_SOCKET ||
           status == EMUNGE_TIMEOUT;
}

bool mt_credential_open(const char *text, const char *socket, struct mt_credential *out)
{
    void *payload = NULL;
    int len = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    munge_ctx_t ctx = munge_ctx_create();

    *out = (struct mt_credential){.status = EMUNGE_NO_MEMORY};
    if (!ctx)
        return false;
    out->status = socket ? munge_ctx_set(ctx, MUNGE_OPT_SOCKET, socket) : EMUNGE_SUCCESS;
    if (out->status != EMUNGE_SUCCESS) {
        munge_ctx_destroy(ctx);
        return false;
    }
    out->status = munge_decode(text, ctx, &payload, &len, &uid, &gid);
    out->open = is_open(out->status);
    if (out->open) {
        out->uid = uid;
        if (munge_ctx_get(ctx, MUNGE_OPT_UID_RESTRICTION, &out->uid_only) != EMUNGE_SUCCESS ||
            munge_ctx_get(ctx, MUNGE_OPT_GID_RESTRICTION, &out->gid_only) != EMUNGE_SUCCESS)
            out->status = EMUNGE_SNAFU;
    }
    munge_ctx_destroy(ctx);
    if (len > 0 && payload) {
        out->payload = payload;
        out->len = (size_t)len;
    } else {
        free(payload);
    }
    return !is_ours(out->status);
}

void mt_credential_free(struct mt_credential *credential)
{
    if (credential->payload)
        explicit_bzero(credential->payload, credential->len);
    free(credential->payload);
    *credential = (struct mt_credential){0};
}
