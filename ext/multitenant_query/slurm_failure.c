/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slurm_failure.h"

#include "errlog.h"
#include "say.h"
#include "slurm_compat.h"

#include <sysexits.h>

int mt_slurm_failure(const char *daemon, int error)
{
    char cause[MT_CAUSE_MAX + 1];
    mt_errlog_cause(cause);
    return mt_say(EX_UNAVAILABLE,
                  "%s does not answer (%s); see that it is up and munged runs on this host", daemon,
                  *cause ? cause : slurm_strerror(error));
}
