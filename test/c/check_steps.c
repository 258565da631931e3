/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: steps deadline say buf, and libslurm for its error texts. */
#include "steps.h"

#include "forked.h"
#include "helpers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* The one of these calls that fails. */
enum { NONE, MEMFD_CREATE, FCNTL, DUP2 };
static int refused;

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
    return refused == MEMFD_CREATE ? -1 : __real_memfd_create(name, flags);
}

int __real_fcntl(int fd, int what, int from);
int __wrap_fcntl(int fd, int what, int from)
{
    return refused == FCNTL ? -1 : __real_fcntl(fd, what, from);
}

int __real_dup2(int fd, int target);
int __wrap_dup2(int fd, int target)
{
    return refused == DUP2 ? -1 : __real_dup2(fd, target);
}

/* What libslurm writes while it does a step, one line a piece; and before that, in another one. */
static const char *log_before;
static const char *log_now;

static void write_log(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* A step that fails, after a call that does. */
static int fail_step(void *call)
{
    refused = call ? *(const int *)call : NONE;
    if (steps_watch() != 0)
        return 1;
    refused = NONE;
    step_begin(&step_slurmdbd);
    write_log(log_before);
    step_begin(&step_slurmctld);
    write_log(log_now);
    return step_failed("slurmctld", ECONNREFUSED);
}

#define SILENT \
    "program: slurmctld does not answer (%s); see that it is up and munged runs on this host\n"

static void assert_cause(const char *expected)
{
    struct forked is = run_forked(fail_step, NULL, "", 0);
    ck_assert_str_eq(is.err, format(SILENT, expected));
    ck_assert_int_eq(is.status, EX_UNAVAILABLE);
}

static void setup(void)
{
    refused = NONE;
    log_before = log_now = "";
    unsetenv("SLURM_CONF");
}

static const struct {
    const char *log;
    const char *cause;
} logs[] = {
    {"", "Connection refused"},
    {"squeue: debug: hello\n", "Connection refused"},
    {"squeue: error: first\nsqueue: error: second\n", "first"},
    {"squeue: error: no line's end", "no line's end"},
    {"squeue: error: why\nsqueue: fatal: what\n", "what: why"},
    {"squeue: fatal: what\n", "what"},
    {"squeue: error: If munged is up, restart with --num-threads=10\nsqueue: error: Munge encode "
     "failed\n",
     "Munge encode failed"},
    {"squeue: error: If munged is up, restart\n", "If munged is up, restart"},
    {"squeue: error: tab\tand \xff\n", "tab?and ?"},
};

START_TEST(test_the_cause_is_libslurm_s_first_error_and_what_was_fatal)
{
    log_now = logs[_i].log;
    assert_cause(logs[_i].cause);
}
END_TEST

START_TEST(test_what_an_earlier_step_logged_is_not_the_cause)
{
    log_before = "sacct: error: earlier\n";
    assert_cause("Connection refused");
    log_now = "squeue: error: now\n";
    assert_cause("now");
}
END_TEST

START_TEST(test_a_long_cause_is_cut)
{
    char *line = repeat("x", 2 * MT_CAUSE_MAX);
    log_now = format("squeue: error: %s\nsqueue: fatal: %s\n", line, line);
    line[MT_CAUSE_MAX] = '\0';
    assert_cause(line);
    free(line);
}
END_TEST

/* More than is searched. */
START_TEST(test_a_log_that_is_too_long)
{
    char *much = repeat("squeue: debug\n", MT_LOG_SEARCHED_MAX / 8);
    log_now = format("%ssqueue: error: late\n", much);
    assert_cause("Connection refused");
    free(much);
}
END_TEST

/* As where seccomp forbids it: what libslurm says is lost, ours is not. */
START_TEST(test_no_file_in_memory)
{
    int call = MEMFD_CREATE;
    log_now = "squeue: error: lost\n";
    struct forked is = run_forked(fail_step, &call, "", 0);
    ck_assert_str_eq(is.err, format(SILENT, "Connection refused"));
}
END_TEST

/* Nothing is kept back then. */
START_TEST(test_no_descriptor_is_free)
{
    log_now = "squeue: error: seen\n";
    for (int call = FCNTL; call <= DUP2; call++) {
        struct forked is = run_forked(fail_step, &call, "", 0);
        ck_assert_str_eq(is.err, format("%s" SILENT, log_now, "Connection refused"));
    }
}
END_TEST

/* ---- the end of the process by exit() ---- */

static const struct mt_step own = {"nobody", "nothing"};

static int end(void *step)
{
    if (steps_watch() != 0)
        return 1;
    step_begin(step);
    write_log(log_now);
    exit(3);
}

START_TEST(test_an_exit_in_a_step_of_slurm_s)
{
    const struct mt_step *const steps[] = {&step_conf, &step_slurmctld, &step_slurmdbd};
    log_now = "x: error: Parse error in file line 5\nx: fatal: Unable to process file\n";
    struct forked is = run_forked(end, (void *)steps[_i], "", 0);
    ck_assert_int_eq(is.status, EX_CONFIG);
    ck_assert_str_eq(is.err, "program: libslurm cannot use its configuration (Unable to process "
                             "file: Parse error in file line 5); fix slurm.conf, or set "
                             "SLURM_CONF\n");
}
END_TEST

START_TEST(test_an_exit_in_another_step_is_left_alone)
{
    struct forked is = run_forked(end, (void *)&own, "", 0);
    ck_assert_int_eq(is.status, 3);
    ck_assert_str_eq(is.err, "");
}
END_TEST

START_TEST(test_an_exit_without_a_reason_names_the_configuration)
{
    setenv("SLURM_CONF", "/etc/x.conf", 1);
    struct forked is = run_forked(end, (void *)&step_conf, "", 0);
    ck_assert_int_eq(is.status, EX_CONFIG);
    ck_assert_str_eq(is.err, "program: libslurm cannot use its configuration /etc/x.conf (it gives "
                             "no reason); fix it, or set SLURM_CONF to another\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steps");
    TCase *tests = add_case(suite, "steps");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, test_the_cause_is_libslurm_s_first_error_and_what_was_fatal, 0,
                        COUNT_OF(logs));
    tcase_add_test(tests, test_what_an_earlier_step_logged_is_not_the_cause);
    tcase_add_test(tests, test_a_long_cause_is_cut);
    tcase_add_test(tests, test_a_log_that_is_too_long);
    tcase_add_test(tests, test_no_file_in_memory);
    tcase_add_test(tests, test_no_descriptor_is_free);
    tcase_add_loop_test(tests, test_an_exit_in_a_step_of_slurm_s, 0, 3);
    tcase_add_test(tests, test_an_exit_in_another_step_is_left_alone);
    tcase_add_test(tests, test_an_exit_without_a_reason_names_the_configuration);
    return run_suite(suite);
}
