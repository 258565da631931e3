/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nodes of the jobs that share something. */
#pragma once

#include "attr.h"
#include "slurm_jobs.h"

#include <jansson.h>

/*
 * Asks slurmctld for the nodes of all shares, MT_NODES_MAX of each, that are not among `known`: one
 * by one, or for all of the cluster where there are more than MT_ASK_NODES_MAX. *nodes are, by
 * name, the nodes as records have them (doc/formats.md), as `known` is; of one that slurmctld does
 * not tell of, which PrivateData=nodes does, host and addr are null. The caller releases *nodes in
 * any case. Other than 0, a sentence was said.
 *
 * 0
 * 69 (EX_UNAVAILABLE): slurmctld did not answer, *nodes is what is known
 * 71 (EX_OSERR): no memory
 */
MT_CHECKED int mt_nodes_ask(json_t **nodes, json_t *known, const struct mt_jobs *jobs);

/*
 * The list of a job's nodes, a new value, from the same `nodes`; those that are not there yet are
 * added, with their names alone. An expression that libslurm can't read names none. NULL: no
 * memory.
 */
MT_CHECKED json_t *mt_nodes_of(json_t *nodes, const struct mt_job *job);
