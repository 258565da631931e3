/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One Slurm cluster, open for questions. */
#pragma once

#include "attr.h"

struct mt_slurm_cluster {
    char *name;      /* Slurm's ClusterName */
    bool hides_jobs; /* PrivateData hides others' jobs from ordinary users */
    bool sees_all;   /* false: and from this one */
    bool is_limited; /* slurmctld lets a user ask but a few questions (rl_enable) */
    bool is_assumed; /* name, and what slurmctld hides, are as this host's slurm.conf says */
    void *db;        /* connection to slurmdbd */
    void *siblings;  /* Slurm's list that working_cluster_rec points into; NULL: own cluster */
};

/* Of the headers that were compiled against, as "22.05.8". */
const char *mt_slurm_version(char text[32]);

/*
 * Reads Slurm's configuration, asks slurmdbd what it hides, and leaves a connection to it open;
 * asks slurmctld where this host's slurm.conf has PrivateData=jobs, or is not `wanted`'s. `wanted`
 * is another cluster's name in lower case, or "" for that of slurm.conf. Once in a process:
 * libslurm keeps its state in globals. May end the process (steps.h). Other than 0, a sentence was
 * said. The caller closes *cluster in any case.
 *
 * 0
 * 69 (EX_UNAVAILABLE): a daemon does not answer
 * 71 (EX_OSERR): no memory
 * 78 (EX_CONFIG): this host's configuration, an unknown cluster, or another libslurm than the one
 *     that was compiled against
 */
MT_CHECKED int mt_slurm_cluster_open(struct mt_slurm_cluster *cluster, const char *wanted);

/*
 * Asks slurmctld where cluster->is_assumed, and corrects what was assumed; *is_other is whether the
 * cluster has another name than that. Returns as mt_slurm_cluster_open.
 */
MT_CHECKED int mt_slurm_cluster_confirm(struct mt_slurm_cluster *cluster, bool *is_other);

/* Closes the connection, frees and zeroes; a zeroed one is fine. */
MT_NONNULL_ALL void mt_slurm_cluster_close(struct mt_slurm_cluster *cluster);
