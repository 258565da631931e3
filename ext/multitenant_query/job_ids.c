/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slurmctld answers to a list of ids, and libslurm sends one (job_info_request_msg_t, the same from
 * 22.05 to 26.05), but no function of its API takes it: slurm_load_jobs leaves the list empty,
 * which asks for all jobs. A program's symbols come before a library's, for the library, too. So
 * the function by which libslurm sends its questions is ours first, and puts the list into that
 * one.
 *
 * Nothing is taken for granted: where libslurm was linked in such a way that it calls its own
 * function, it shows in that no question is held back; and where the request is not what we know,
 * nothing is sent. Not thread-safe.
 */
#include "job_ids.h"

#include <dlfcn.h>
#include <string.h>

/* src/common/slurm_protocol_defs.h */
struct request {
    time_t last_update;
    uint16_t show_flags;
    mt_slurm_list job_ids;
};

/* By its time and flags we know the request again. Any time that long ago asks for all. */
static const time_t marked = 0x4d756c74;
static const uint16_t flags = SHOW_LOCAL | SHOW_ALL;

/* What becomes of the next question. */
static enum { PASS_ON, HOLD_BACK, FILL_IN } next;
static mt_slurm_list list;

/* The message, whose layout changes within a release, points to it; both are their caller's, on the
 * stack. */
static struct request *find(const void *message)
{
    enum { SEARCHED = 256, AWAY_MAX = 4096 };
    const uintptr_t from = (uintptr_t)&message;
    const uintptr_t to = (uintptr_t)message + AWAY_MAX;
    for (size_t at = 0; at < SEARCHED; at += sizeof(void *)) {
        struct request *request;
        memcpy(&request, (const char *)message + at, sizeof(void *));
        if ((uintptr_t)request < from || (uintptr_t)request > to ||
            (uintptr_t)request % _Alignof(struct request) != 0)
            continue;
        if (request->last_update == marked && request->show_flags == flags && !request->job_ids)
            return request;
    }
    return NULL;
}

/* Instead of libslurm's. */
int slurm_send_recv_controller_msg(void *message, void *answer, slurmdb_cluster_rec_t *cluster);
int slurm_send_recv_controller_msg(void *message, void *answer, slurmdb_cluster_rec_t *cluster)
{
    int (*send)(void *, void *, slurmdb_cluster_rec_t *) =
        dlsym(RTLD_NEXT, "slurm_send_recv_controller_msg");
    struct request *request = next == FILL_IN ? find(message) : NULL;
    bool is_held = next != PASS_ON && !request;
    next = PASS_ON;
    if (request)
        request->job_ids = list;
    if (!is_held)
        return send(message, answer, cluster);
    errno = MT_HELD_BACK;
    return SLURM_ERROR;
}

void mt_job_ids_hold_back(void)
{
    next = HOLD_BACK;
}

int mt_job_ids_load(job_info_msg_t **answer, uint32_t *ids, size_t count)
{
    list = slurm_list_create(NULL);
    for (size_t i = 0; i < count; i++)
        slurm_list_append(list, &ids[i]);
    next = FILL_IN;
    int rc = slurm_load_jobs(marked, answer, flags);
    int error = errno;
    slurm_list_destroy(list);
    errno = error;
    return rc;
}
