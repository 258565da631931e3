/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "deadline.h"

#include "errlog.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/*
 * Not SIGALRM: auth/munge sets that to its default action around munge_encode
 * (src/plugins/auth/munge/auth_munge.c, 22.05 to 26.05), so with a hung munged it would kill us
 * without a word.
 */
#define DEADLINE_SIGNAL SIGRTMIN

static const double soft_share = 0.85;

/* What the sentences say of a step. */
static const struct {
    const char *late; /* followed by the time */
    const char *mend;
} steps[] = {
    [MT_STEP_CONF] = {"libslurm did not get its configuration within ",
                      "see that slurm.conf is there on this host, or a slurmctld that sends it"},
    [MT_STEP_SLURMCTLD] = {"slurmctld did not answer within ",
                           "see that slurmctld is up (scontrol ping), and munged on this host"},
    [MT_STEP_SLURMDBD] = {"slurmdbd did not answer within ",
                          "see that slurmdbd is up (sacctmgr show cluster), and munged on this "
                          "host"},
    [MT_STEP_NAMES] = {"the name service did not answer within ",
                       "see that getent passwd is quick on this host"},
    [MT_STEP_OUTPUT] = {"nobody read the records within ", "read standard output to its end"},
};

/* All of this is read by a signal handler or an exit handler. */
static atomic_int current = MT_STEP_END;
static atomic_int end_status;
static const char *time_text;
static struct timespec hard_end;
static struct timespec soft_end;

static void on_deadline(int number)
{
    (void)number;
    int step = atomic_load(&current);
    if (step == MT_STEP_END)
        _exit(atomic_load(&end_status));
    char cause[MT_ERRLOG_CAUSE_MAX + 1];
    mt_errlog_cause(cause);
    const char *const texts[] = {steps[step].late,   time_text, " s",
                                 *cause ? " (" : "", cause,     *cause ? "); " : "; ",
                                 steps[step].mend};
    mt_errlog_write(texts, sizeof texts / sizeof *texts);
    _exit(EX_TEMPFAIL);
}

/* Runs at every exit(). Only libslurm's fatal() comes here with a step of Slurm's going on. */
static void on_exit_by_libslurm(void)
{
    int step = atomic_load(&current);
    if (step != MT_STEP_CONF && step != MT_STEP_SLURMCTLD && step != MT_STEP_SLURMDBD)
        return;
    char cause[MT_ERRLOG_CAUSE_MAX + 1];
    mt_errlog_cause(cause);
    const char *conf = getenv("SLURM_CONF");
    mt_errlog_say("libslurm cannot use its configuration%s%s (%s); mend %s", conf ? " " : "",
                  conf ? conf : "", *cause ? cause : "it gives no reason",
                  conf ? "it, or set SLURM_CONF to another" : "slurm.conf, or set SLURM_CONF");
    _exit(EX_CONFIG);
}

static struct timespec plus(struct timespec t, double seconds)
{
    time_t whole = (time_t)seconds;
    t.tv_sec += whole;
    t.tv_nsec += (long)((seconds - (double)whole) * 1e9);
    if (t.tv_nsec >= 1000000000L) {
        t.tv_nsec -= 1000000000L;
        t.tv_sec++;
    }
    return t;
}

static double minus(struct timespec a, struct timespec b)
{
    return (double)(a.tv_sec - b.tv_sec) + (double)(a.tv_nsec - b.tv_nsec) / 1e9;
}

/* An inherited mask may hold the signal back. */
static int catch_signal(void)
{
    struct sigaction action = {.sa_handler = on_deadline};
    sigset_t only;
    sigemptyset(&action.sa_mask);
    sigemptyset(&only);
    sigaddset(&only, DEADLINE_SIGNAL);
    if (sigaction(DEADLINE_SIGNAL, &action, NULL) != 0)
        return -1;
    return sigprocmask(SIG_UNBLOCK, &only, NULL);
}

int mt_deadline_start(double seconds, const char *text)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = DEADLINE_SIGNAL};
    struct itimerspec when = {0};

    time_text = text;
    if (clock_gettime(CLOCK_MONOTONIC, &when.it_value) != 0)
        goto failed;
    soft_end = plus(when.it_value, seconds * soft_share);
    hard_end = plus(when.it_value, seconds);
    when.it_value = hard_end;
    if (atexit(on_exit_by_libslurm) != 0 || catch_signal() != 0)
        goto failed;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, TIMER_ABSTIME, &when, NULL) != 0)
        goto failed;
    return 0;
failed:
    mt_errlog_say("no timer can be set (%s); see this user's limits (ulimit -i)", strerror(errno));
    return EX_OSERR;
}

void mt_deadline_step(enum mt_step step)
{
    mt_errlog_mark();
    atomic_store(&current, (int)step);
}

void mt_deadline_end(int status)
{
    atomic_store(&end_status, status);
    atomic_store(&current, MT_STEP_END);
}

void mt_deadline_soft(struct timespec *at)
{
    struct timespec now;
    *at = soft_end;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return;
    struct timespec half = plus(now, minus(hard_end, now) / 2);
    if (minus(half, soft_end) > 0)
        *at = half;
}
