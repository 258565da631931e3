/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "steps.h"

#include "errlog.h"
#include "say.h"
#include "slurm_compat.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

const struct mt_step step_conf = {
    "libslurm did not get its configuration",
    "see that slurm.conf is there on this host, or a slurmctld that sends it"};
const struct mt_step step_slurmctld = {
    "slurmctld did not answer",
    "see that slurmctld is up (scontrol ping), and munged on this host"};
const struct mt_step step_slurmdbd = {
    "slurmdbd did not answer",
    "see that slurmdbd is up (sacctmgr show cluster), and munged on this host"};

/* Runs at every exit(). Only libslurm's fatal() comes here with a step of Slurm's going on. */
static void on_exit_by_libslurm(void)
{
    const struct mt_step *step = mt_deadline_current();
    if (step != &step_conf && step != &step_slurmctld && step != &step_slurmdbd)
        return;
    char cause[MT_CAUSE_MAX + 1];
    mt_errlog_cause(cause);
    const char *conf = getenv("SLURM_CONF");
    _exit(mt_say(EX_CONFIG, "libslurm cannot use its configuration%s%s (%s); fix %s",
                 conf ? " " : "", conf ? conf : "", *cause ? cause : "it gives no reason",
                 conf ? "it, or set SLURM_CONF to another" : "slurm.conf, or set SLURM_CONF"));
}

void step_begin(const struct mt_step *step)
{
    mt_errlog_mark();
    mt_deadline_step(step);
}

int steps_watch_exit(void)
{
    return atexit(on_exit_by_libslurm) == 0 ? 0 : mt_say_no_memory();
}

int step_failed(const char *daemon, int error)
{
    char cause[MT_CAUSE_MAX + 1];
    mt_errlog_cause(cause);
    return mt_say(EX_UNAVAILABLE,
                  "%s does not answer (%s); see that it is up and munged runs on this host", daemon,
                  *cause ? cause : slurm_strerror(error));
}
