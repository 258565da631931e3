/* SPDX-License-Identifier: MIT */
#include "make.h"

#include "lines.h"
#include "say.h"

#include <munge.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static munge_err_t encode(char **out, const struct mt_buf *text, const struct mt_wish *wish,
                          const char *socket)
{
    munge_ctx_t ctx = munge_ctx_create();
    if (!ctx)
        return EMUNGE_NO_MEMORY;
    munge_err_t status = EMUNGE_SUCCESS;
    if (socket)
        status = munge_ctx_set(ctx, MUNGE_OPT_SOCKET, socket);
    if (status == EMUNGE_SUCCESS)
        status = munge_ctx_set(ctx, MUNGE_OPT_UID_RESTRICTION, (uid_t)wish->reader);
    if (status == EMUNGE_SUCCESS)
        status = munge_ctx_set(ctx, MUNGE_OPT_TTL, (int)wish->ttl);
    if (status == EMUNGE_SUCCESS)
        status = munge_encode(out, ctx, text->data, (int)text->len);
    munge_ctx_destroy(ctx);
    return status;
}

int mt_credential_make(const struct mt_buf *text, const struct mt_wish *wish, const char *socket)
{
    char *credential = NULL;
    json_t *line = json_object();
    munge_err_t made = encode(&credential, text, wish, socket);
    int status;

    if (made != EMUNGE_SUCCESS) {
        json_decref(line);
        status = mt_say(EX_UNAVAILABLE, "munged could not be asked: %s", munge_strerror(made));
    } else {
        mt_line_add(&line, "credential", json_string(credential));
        status = mt_line_write(line);
    }
    if (credential)
        explicit_bzero(credential, strlen(credential));
    free(credential);
    return status == 0 ? mt_lines_end(1) : status;
}
