/* SPDX-License-Identifier: MIT */
/* What the gate is told by the job that starts it. */
#pragma once

#include "mt_limits.h"
#include "tenants.h"

#include <jansson.h>

struct config {
    const char *cluster;
    uint32_t job_id;
    uint32_t restarts;
    const char *group;
    struct recipients recipients;
    const char *state;                        /* directory */
    const char *socket;                       /* where nginx asks */
    int64_t expires;                          /* when the service ends; 0: not known */
    uint32_t rate;                            /* requests a minute of a user; 0: any number */
    const char *munge_socket;                 /* NULL: libmunge's default */
    const char *bases[MT_GATE_BASES_MAX + 1]; /* paths under which it is met, up to a NULL */
    char **nginx;                             /* argv */
    char **accounts; /* argv of what makes accounts in a database; NULL: there is none */
    json_t *json;    /* all texts are in it */
    uid_t *uids;
};

/*
 * Reads a file, which has to be this user's alone. Other than 0, a sentence was said. The caller
 * frees *out in any case.
 *
 * 0
 * 71 (EX_OSERR): no memory
 * 74 (EX_IOERR): it can't be read
 * 78 (EX_CONFIG): it is not of the form
 */
MT_CHECKED int config_read(const char *path, struct config *out);
MT_NONNULL_ALL void config_free(struct config *config);
