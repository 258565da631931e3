/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one would write first: the two questions of sacct and squeue, asked of libslurm. Prints
 * ID|NAME of each job. */
#include "slurm_compat.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char wckey[] = "multitenant";
    char running[] = "1"; /* JOB_RUNNING */
    slurm_init(NULL);
    void *db = slurmdb_connection_get(NULL);
    slurmdb_job_cond_t cond = {
        .wckey_list = slurm_list_create(NULL),
        .state_list = slurm_list_create(NULL),
        .db_flags = SLURMDB_JOB_FLAG_NOTSET,
    };
    slurm_list_append(cond.wckey_list, wckey);
    slurm_list_append(cond.state_list, running);
    mt_slurm_list rows = slurmdb_jobs_get(db, &cond);
    job_info_msg_t *jobs = NULL;
    if (!rows || slurm_load_jobs(0, &jobs, SHOW_ALL) != SLURM_SUCCESS)
        return EXIT_FAILURE;
    mt_slurm_iter iter = slurm_list_iterator_create(rows);
    for (slurmdb_job_rec_t *row; (row = slurm_list_next(iter));) {
        for (uint32_t i = 0; i < jobs->record_count; i++) {
            if (jobs->job_array[i].job_id == row->jobid)
                printf("%u|%s\n", row->jobid, jobs->job_array[i].name);
        }
    }
    slurmdb_connection_close(&db);
    return EXIT_SUCCESS;
}
