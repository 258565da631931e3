/* SPDX-License-Identifier: MIT */
/* Links: deadline say buf. */
#include "deadline.h"

#include "clock.h"
#include "forked.h"
#include "helpers.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static const struct mt_step step = {"the well gave no water", "dig"};

static void cause(char text[MT_CAUSE_MAX + 1])
{
    (void)snprintf(text, MT_CAUSE_MAX + 1, "it is dry");
}

static void wait_for_the_end(void)
{
    for (;;)
        pause();
}

/* How a process ends at its deadline, by what it did before; then all of them wait. */
static int first_step(void *none)
{
    (void)none;
    if (mt_deadline_start(0.1) == 0)
        wait_for_the_end();
    return 0;
}

static int own_step(void *none)
{
    mt_deadline_step(&step);
    return first_step(none);
}

static int own_step_with_a_cause(void *none)
{
    mt_deadline_quotes(cause);
    return own_step(none);
}

/* As a parent may leave it. */
static int with_the_signal_blocked(void *none)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return own_step(none);
}

/* As Slurm's auth/munge does. */
static int with_sigalrm_at_its_default(void *none)
{
    (void)none;
    mt_deadline_step(&step);
    if (mt_deadline_start(0.1) != 0)
        return 1;
    (void)signal(SIGALRM, SIG_DFL);
    wait_for_the_end();
    return 0;
}

static int after_the_end(void *none)
{
    if (mt_deadline_current() != &mt_step_input)
        return 1;
    mt_deadline_end(EX_UNAVAILABLE);
    return mt_deadline_current() ? 2 : first_step(none);
}

static const struct {
    int (*body)(void *none);
    int status;
    const char *err;
} ends[] = {
    {first_step, EX_TEMPFAIL,
     "program: standard input did not end within 0.1 s; write all of the input and close it\n"},
    {own_step, EX_TEMPFAIL, "program: the well gave no water within 0.1 s; dig\n"},
    {own_step_with_a_cause, EX_TEMPFAIL,
     "program: the well gave no water within 0.1 s (it is dry); dig\n"},
    {with_the_signal_blocked, EX_TEMPFAIL, "program: the well gave no water within 0.1 s; dig\n"},
    {with_sigalrm_at_its_default, EX_TEMPFAIL,
     "program: the well gave no water within 0.1 s; dig\n"},
    {after_the_end, EX_UNAVAILABLE, ""},
};

START_TEST(test_the_hard_deadline)
{
    struct forked is = run_forked(ends[_i].body, NULL, "", 0);
    ck_assert_int_eq(is.status, ends[_i].status);
    ck_assert_str_eq(is.err, ends[_i].err);
    ck_assert_str_eq(is.out, "");
}
END_TEST

/* 85 % of a whole that has just begun. */
static int soft_deadline(void *none)
{
    const int64_t now = mt_now();
    (void)none;
    if (mt_deadline_start(1000) != 0)
        return 1;
    double lasts = (double)(mt_deadline_soft() - now) / MT_SECOND;
    return lasts < 849.9 || lasts > 860 ? 2 : 0;
}

START_TEST(test_the_soft_deadline)
{
    ck_assert_int_eq(run_forked(soft_deadline, NULL, "", 0).status, 0);
}
END_TEST

/* Half of what is left, so that there is always some time for what comes after. */
static int late_soft_deadline(void *none)
{
    (void)none;
    if (mt_deadline_start(2) != 0)
        return 1;
    const int64_t first = mt_deadline_soft();
    while (mt_now() < first)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    const int64_t soft = mt_deadline_soft();
    return soft > first && (double)(soft - first) < 0.3 * MT_SECOND ? 0 : 2;
}

START_TEST(test_the_soft_deadline_of_what_begins_late)
{
    ck_assert_int_eq(run_forked(late_soft_deadline, NULL, "", 0).status, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadline");
    TCase *tests = add_case(suite, "deadline");
    tcase_add_loop_test(tests, test_the_hard_deadline, 0, COUNT_OF(ends));
    tcase_add_test(tests, test_the_soft_deadline);
    tcase_add_test(tests, test_the_soft_deadline_of_what_begins_late);
    return run_suite(suite);
}
