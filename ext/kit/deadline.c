/* SPDX-License-Identifier: MIT */
#include "deadline.h"

#include "clock.h"
#include "say.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h> /* MAX */
#include <sysexits.h>
#include <unistd.h>

/*
 * Not SIGALRM: Slurm's auth/munge sets that to its default action around munge_encode
 * (src/plugins/auth/munge/auth_munge.c, 22.05 to 26.05), so with a hung munged it would kill us
 * without a word.
 */
#define DEADLINE_SIGNAL SIGRTMIN

static const double soft_share = 0.85;

const struct mt_step mt_step_input = {"standard input did not end",
                                      "write all of the input and close it"};
const struct mt_step mt_step_output = {"nobody read standard output", "read it to its end"};

/* All of this is read by a signal handler. */
static const struct mt_step *_Atomic current = &mt_step_input;
static atomic_int end_status;
static void (*_Atomic find_cause)(char cause[MT_CAUSE_MAX + 1]);
static char within[32];
static int64_t hard_end;
static int64_t soft_end;

static void on_deadline(int number)
{
    (void)number;
    const struct mt_step *step = atomic_load(&current);
    if (!step)
        _exit(atomic_load(&end_status));
    char cause[MT_CAUSE_MAX + 1] = "";
    void (*find)(char cause[MT_CAUSE_MAX + 1]) = atomic_load(&find_cause);
    if (find)
        find(cause);
    const char *const texts[] = {
        step->late, within, *cause ? " (" : "", cause, *cause ? "); " : "; ", step->fix};
    mt_say_joined(texts, sizeof texts / sizeof *texts);
    _exit(EX_TEMPFAIL);
}

/* An inherited mask may hold the signal back. */
static int catch_signal(void)
{
    struct sigaction action = {.sa_handler = on_deadline};
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, DEADLINE_SIGNAL);
    if (sigaction(DEADLINE_SIGNAL, &action, NULL) != 0)
        return -1;
    return sigprocmask(SIG_UNBLOCK, &only, NULL);
}

int mt_deadline_start(double seconds)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = DEADLINE_SIGNAL};
    const int64_t start = mt_now();

    (void)snprintf(within, sizeof within, " within %g s", seconds);
    soft_end = start + (int64_t)(seconds * soft_share * MT_SECOND);
    hard_end = start + (int64_t)(seconds * MT_SECOND);
    const struct itimerspec when = {.it_value = mt_timespec(hard_end)};
    if (catch_signal() == 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
        timer_settime(timer, TIMER_ABSTIME, &when, NULL) == 0)
        return 0;
    return mt_say(EX_OSERR, "no timer can be set (%s); see this user's limits (ulimit -i)",
                  strerror(errno));
}

void mt_deadline_step(const struct mt_step *step)
{
    atomic_store(&current, step);
}

const struct mt_step *mt_deadline_current(void)
{
    return atomic_load(&current);
}

void mt_deadline_end(int status)
{
    atomic_store(&end_status, status);
    atomic_store(&current, NULL);
}

void mt_deadline_quotes(void (*find)(char cause[MT_CAUSE_MAX + 1]))
{
    atomic_store(&find_cause, find);
}

int64_t mt_deadline_soft(void)
{
    int64_t now = mt_now();
    return MAX(soft_end, now + (hard_end - now) / 2);
}
