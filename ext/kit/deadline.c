/* SPDX-License-Identifier: MIT */
#include "deadline.h"

#include "say.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
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
static struct timespec hard_end;
static struct timespec soft_end;

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
    struct itimerspec when = {.it_value = {0}};

    (void)snprintf(within, sizeof within, " within %g s", seconds);
    if (clock_gettime(CLOCK_MONOTONIC, &when.it_value) == 0) {
        soft_end = plus(when.it_value, seconds * soft_share);
        hard_end = plus(when.it_value, seconds);
        when.it_value = hard_end;
        if (catch_signal() == 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
            timer_settime(timer, TIMER_ABSTIME, &when, NULL) == 0)
            return 0;
    }
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

bool mt_deadline_is_past(const struct timespec *at)
{
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) != 0 || minus(now, *at) >= 0;
}
