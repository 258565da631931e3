/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "steps.h"

#include "mt_limits.h"
#include "say.h"
#include "slurm_compat.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* All of this is read by a signal handler. */
static atomic_int kept_fd = -1;
static atomic_long mark;

/* What follows the first `word` in the text, or NULL. */
static const char *after(const char *text, const char *word)
{
    const char *found = strstr(text, word);
    return found ? found + strlen(word) : NULL;
}

/* The first error, but for a piece of advice that auth/munge gives before it says what is wrong. */
static const char *first_error(const char *text)
{
    static const char advice[] = "If munged is up";
    const char *error = after(text, "error: ");
    if (error && strncmp(error, advice, strlen(advice)) == 0) {
        const char *next = after(error, "error: ");
        error = next ? next : error;
    }
    return error;
}

/* Appends a line to the cause and returns its new length. */
static size_t append_line(char cause[MT_CAUSE_MAX + 1], size_t len, const char *line)
{
    for (; *line && *line != '\n' && len < MT_CAUSE_MAX; line++)
        cause[len++] = *line;
    cause[len] = '\0';
    return len;
}

/*
 * What was fatal since the step began, and the first error: the line after "fatal: ", the one after
 * "error: ", or both with ": " between; "" where there is neither. Async-signal-safe.
 */
static void find_cause(char cause[MT_CAUSE_MAX + 1])
{
    cause[0] = '\0';
    char text[MT_LOG_SEARCHED_MAX + 1];
    ssize_t size =
        pread(atomic_load(&kept_fd), text, MT_LOG_SEARCHED_MAX, (off_t)atomic_load(&mark));
    if (size <= 0)
        return;
    text[size] = '\0';
    const char *fatal = after(text, "fatal: ");
    const char *error = first_error(text);
    size_t len = fatal ? append_line(cause, 0, fatal) : 0;
    if (fatal && error)
        len = append_line(cause, len, ": ");
    if (error)
        append_line(cause, len, error);
}

/*
 * Keeps back what comes to descriptor 2. Where no file in memory can be made, or, by SELinux, be
 * written, what libslurm says is lost.
 */
static void keep_log(void)
{
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int kept = memfd_create("multitenant-query stderr", MFD_CLOEXEC);
    int target = kept >= 0 ? kept : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (saved < 0 || dup2(target, STDERR_FILENO) < 0)
        return;
    mt_say_to(saved);
    mt_deadline_quotes(find_cause);
    atomic_store(&kept_fd, kept);
}

/* Runs at every exit(). Only libslurm's fatal() comes here with a step of Slurm's going on. */
static void on_exit_by_libslurm(void)
{
    const struct mt_step *step = mt_deadline_current();
    if (step != &step_conf && step != &step_slurmctld && step != &step_slurmdbd)
        return;
    char cause[MT_CAUSE_MAX + 1];
    find_cause(cause);
    const char *conf = getenv("SLURM_CONF");
    _exit(mt_say(EX_CONFIG, "libslurm cannot use its configuration%s%s (%s); fix %s",
                 conf ? " " : "", conf ? conf : "", *cause ? cause : "it gives no reason",
                 conf ? "it, or set SLURM_CONF to another" : "slurm.conf, or set SLURM_CONF"));
}

void step_begin(const struct mt_step *step)
{
    off_t here = lseek(atomic_load(&kept_fd), 0, SEEK_CUR); /* shared with descriptor 2 */
    atomic_store(&mark, here > 0 ? (long)here : 0);
    mt_deadline_step(step);
}

int steps_watch(void)
{
    keep_log();
    return atexit(on_exit_by_libslurm) == 0 ? 0 : mt_say_no_memory();
}

int step_failed(const char *daemon, int error)
{
    char cause[MT_CAUSE_MAX + 1];
    find_cause(cause);
    return mt_say(EX_UNAVAILABLE,
                  "%s does not answer (%s); see that it is up and munged runs on this host", daemon,
                  *cause ? cause : slurm_strerror(error));
}
