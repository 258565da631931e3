/* SPDX-License-Identifier: MIT */
/*
 * What the caller decides: who looks, and what this site allows. All of it is borrowed for the
 * time of a call; the core reads no environment and keeps no pointer.
 */
#pragma once

#include "attr.h"

/* Where OOD keeps sessions and outputs, below its data root. */
#define MT_BATCH_CONNECT "batch_connect"

/* A Slurm cluster and the OOD cluster id that stands for it; `slurm` is empty where its name is not
 * known, and `ood` NULL where its id is not: both, where there is an OOD cluster that did not
 * answer yet. */
struct mt_cluster {
    const char *slurm;
    const char *ood;
};

struct mt_settings {
    /* The viewer: the process's user and all its groups. */
    uint32_t uid;
    const uint32_t *gids;
    size_t n_gids;

    const char *const *deliveries; /* patterns of tokens that a message may name (fnmatch) */
    size_t n_deliveries;
    /* Tokens of the apps that are installed, then NULL; itself NULL: that can't be known here. */
    const char *const *installed;
    unsigned envelopes;      /* set of accepted envelopes (envelope.h) */
    bool publisher_in_group; /* the publisher must belong to the group they name */
    const char *keys;        /* directory of the groups' keys (keyring.h); NULL: there is none */
    const char *publishers;  /* groups (a,b) whose members may publish; NULL: anyone may */

    const char *address; /* template of services' addresses (address.h); NULL: they have none */

    bool one_directory; /* one user name is one person on all clusters */

    const char *const *node_domains; /* what may follow a node's name in a host; then NULL */

    /* In the site's order; none at all: this is not a dashboard's host. */
    const struct mt_cluster *clusters;
    size_t n_clusters;

    const char *dataroot;      /* absolute path of OOD's data root; NULL: no cards */
    bool per_cluster_dataroot; /* OOD's setting of that name */
};
