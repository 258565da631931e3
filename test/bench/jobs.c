/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs COUNT HELD WCKEY: COUNT jobs of this user, of which the last HELD wait and the others run,
 * each of them an allocation in which nothing was started. Prints their ids. One process, as 20,000
 * times sbatch take minutes.
 */
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *environment[] = {"BENCH=1", NULL};

int main(int argc, char **argv)
{
    if (argc != 4)
        return 64;
    long count = atol(argv[1]);
    long held = atol(argv[2]);
    slurm_init(NULL);
    for (long i = 0; i < count; i++) {
        job_desc_msg_t job;
        resource_allocation_response_msg_t *answer = NULL;
        slurm_init_job_desc_msg(&job);
        job.name = "simulation_of_another";
        job.user_id = getuid();
        job.group_id = getgid();
        job.work_dir = "/";
        job.min_cpus = 1;
        job.environment = environment;
        job.env_size = 1;
        job.time_limit = 24 * 60;
        if (*argv[3])
            job.wckey = argv[3];
        if (i >= count - held)
            job.priority = 0;
        if (slurm_allocate_resources(&job, &answer) != SLURM_SUCCESS) {
            slurm_perror("jobs");
            return EXIT_FAILURE;
        }
        printf("%u\n", answer->job_id);
        slurm_free_resource_allocation_response_msg(answer);
    }
    return EXIT_SUCCESS;
}
