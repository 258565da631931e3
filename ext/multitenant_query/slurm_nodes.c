/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slurm_nodes.h"

#include "lines.h"
#include "mt_limits.h"
#include "say.h"
#include "slurm_compat.h"
#include "steps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_t *text_or_null(const char *text)
{
    return text && *text && strlen(text) <= MT_NAME_MAX ? mt_line_text(text, NULL) : json_null();
}

/* False without memory. */
static bool set_node(json_t *nodes, const char *name, const char *host, const char *addr)
{
    json_t *node = json_object();
    mt_line_add(&node, "name", mt_line_text(name, NULL));
    mt_line_add(&node, "host", text_or_null(host));
    mt_line_add(&node, "addr", text_or_null(addr));
    return json_object_set_new_nocheck(nodes, name, node) == 0;
}

json_t *mt_nodes_of(json_t *nodes, const struct mt_job *job)
{
    json_t *list = json_array();
    mt_slurm_hostlist names = slurm_hostlist_create(job->nodes); /* NULL: it can't be read */
    bool ok = list != NULL;
    char *name;
    while (ok && names && json_array_size(list) < MT_NODES_MAX &&
           (name = slurm_hostlist_shift(names))) {
        if (strlen(name) <= MT_NAME_MAX) {
            ok = (json_object_get(nodes, name) || set_node(nodes, name, NULL, NULL)) &&
                 json_array_append(list, json_object_get(nodes, name)) == 0;
        }
        free(name);
    }
    if (names)
        slurm_hostlist_destroy(names);
    if (ok)
        return list;
    json_decref(list);
    return NULL;
}

/* Takes the answer of an RPC and frees it: of the nodes that are wanted. */
static int take(json_t *nodes, int rc, node_info_msg_t *answer)
{
    int error = errno;
    int status = 0;
    bool is_answer = rc == SLURM_SUCCESS && answer;
    if (!is_answer && error < ESLURM_INVALID_PARTITION_NAME)
        status = step_failed("slurmctld", error); /* the rest are answers: hidden, or gone */
    for (uint32_t i = 0; is_answer && status == 0 && i < answer->record_count; i++) {
        const node_info_t *info = &answer->node_array[i];
        if (info->name && json_object_get(nodes, info->name) &&
            !set_node(nodes, info->name, info->node_hostname, info->node_addr))
            status = mt_say_no_memory();
    }
    if (answer)
        slurm_free_node_info_msg(answer);
    return status;
}

static int ask_each(json_t *nodes, const json_t *known)
{
    const char *name;
    json_t *node;
    int status = 0;
    json_object_foreach(nodes, name, node)
    {
        if (json_object_get(known, name))
            continue;
        node_info_msg_t *answer = NULL;
        int rc = slurm_load_node_single(&answer, (char *)name, SHOW_LOCAL | SHOW_ALL);
        status = take(nodes, rc, answer);
        if (status)
            break;
    }
    return status;
}

/* All that are needed, with what is known of them; *missing is of how many that is nothing. */
static int collect(json_t *nodes, json_t *known, const struct mt_jobs *jobs, size_t *missing)
{
    const char *name;
    json_t *node;
    for (size_t i = 0; i < jobs->count; i++) {
        if (!jobs->items[i].is_share)
            continue;
        json_t *list = mt_nodes_of(nodes, &jobs->items[i]);
        if (!list)
            return mt_say_no_memory();
        json_decref(list);
    }
    if (json_object_update_existing(nodes, known) != 0)
        return mt_say_no_memory();
    json_object_foreach(nodes, name, node) *missing += json_object_get(known, name) == NULL;
    return 0;
}

int mt_nodes_ask(json_t **nodes, json_t *known, const struct mt_jobs *jobs)
{
    size_t missing = 0;
    *nodes = json_object();
    int status = *nodes ? collect(*nodes, known, jobs, &missing) : mt_say_no_memory();
    if (status || missing == 0)
        return status;
    step_begin(&step_slurmctld);
    if (missing <= MT_ASK_NODES_MAX)
        return ask_each(*nodes, known);
    node_info_msg_t *answer = NULL;
    int rc = slurm_load_node(0, &answer, SHOW_LOCAL | SHOW_ALL);
    return take(*nodes, rc, answer);
}
