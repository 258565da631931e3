/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: as query. */
#include "querying.h"

#include "helpers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* What goes wrong, and what is said: by whom is what the sentence begins with. */
static const struct {
    enum question which;
    struct fault fault;
    const char *said;
} silent[] = {
    {CONNECT, {.error = ECONNREFUSED}, "slurmdbd does not answer (Connection refused)"},
    {CONNECT,
     {.error = ECONNREFUSED, .log = "sacct: error: no munge here"},
     "slurmdbd does not answer (no munge here)"},
    {ASK_HIDDEN, {.error = ETIMEDOUT}, "slurmdbd does not answer (Connection timed out)"},
    {ASK_CONTROLLER, {.error = ECONNREFUSED}, "slurmctld does not answer (Connection refused)"},
};

#define FIX "; see that it is up and munged runs on this host\n"

/* Before anything is known nothing is written. */
START_TEST(test_a_daemon_that_does_not_answer_at_first)
{
    own_slurm.here.private_data = PRIVATE_DATA_JOBS;
    own_slurm.faults[silent[_i].which] = silent[_i].fault;
    struct forked is = query("", "");
    ck_assert_str_eq(is.out, "");
    ck_assert_str_eq(is.err, format("program: %s" FIX, silent[_i].said));
    ck_assert_int_eq(is.status, EX_UNAVAILABLE);
}
END_TEST

/* An answer that lacks what it is asked for is none. */
START_TEST(test_a_slurmctld_without_a_configuration)
{
    own_slurm.here.private_data = PRIVATE_DATA_JOBS;
    own_slurm.faults[ASK_CONTROLLER].is_empty = true;
    ck_assert_int_eq(query("", "").status, EX_UNAVAILABLE);
    own_slurm.faults[ASK_CONTROLLER].is_empty = false;
    own_slurm.controller.cluster_name = NULL;
    ck_assert_int_eq(query("", "").status, EX_UNAVAILABLE);
}
END_TEST

/* ---- half-way: what is known is written, without the line that says that it is all ---- */

/* With one of two jobs, whose node is not known. */
static const struct {
    enum question which;
    struct fault fault;
    const char *said;
    size_t records;
} half_way[] = {
    {ASK_ROWS, {.error = ECONNRESET}, "slurmdbd does not answer (Connection reset by peer)", 0},
    {ASK_JOBS, {.error = ECONNRESET}, "slurmctld does not answer (Connection reset by peer)", 0},
    {ASK_JOBS, {.error = EIO, .after = 1}, "slurmctld does not answer (Input/output error)", 1},
    {ASK_CONTROLLER, {.error = EIO}, "slurmctld does not answer (Input/output error)", 1},
    {ASK_NODES, {.error = EIO}, "slurmctld does not answer (Input/output error)", 1},
};

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    while ((text = strstr(text, word))) {
        count++;
        text += strlen(word);
    }
    return count;
}

START_TEST(test_a_daemon_that_stops_to_answer_half_way)
{
    own_slurm.is_unheard = true;
    add_job(1);
    add_job(2);
    own_slurm.jobs[1].user_id = 2001; /* slurmctld does not know slurmdbd's second one */
    own_slurm.faults[half_way[_i].which] = half_way[_i].fault;
    struct forked is = query("", "");
    ck_assert_str_eq(is.err, format("program: %s" FIX, half_way[_i].said));
    ck_assert_int_eq(is.status, EX_UNAVAILABLE);
    ck_assert_uint_eq(count_of(is.out, "\"multitenant\":1"), 1);
    ck_assert_uint_eq(count_of(is.out, "job_id"), half_way[_i].records);
    ck_assert_uint_eq(count_of(is.out, "{\"end\":"), 0);
}
END_TEST

START_TEST(test_an_empty_answer_about_jobs_or_nodes_is_none)
{
    for (int i = 0; i < 3; i++) {
        querying_setup();
        add_job(1);
        own_slurm.is_unheard = i == 0;
        own_slurm.faults[i < 2 ? ASK_JOBS : ASK_NODES].is_empty = true;
        struct forked is = query("", "");
        ck_assert_int_eq(is.status, EX_UNAVAILABLE);
        ck_assert_uint_eq(count_of(is.out, "{\"end\":"), 0);
    }
}
END_TEST

START_TEST(test_no_rows_are_no_failure)
{
    own_slurm.faults[ASK_ROWS].is_empty = true;
    struct forked is = query("", "");
    ck_assert_int_eq(is.status, 0);
    ck_assert_uint_eq(count_of(is.out, "{\"end\":0}"), 1);
}
END_TEST

/* ---- the end by libslurm's hand, and by the deadline ---- */

START_TEST(test_a_configuration_that_libslurm_can_not_use)
{
    own_slurm.faults[READ_CONF] = (struct fault){.ends = true, .log = "x: fatal: no such plugin"};
    struct forked is = query("", "");
    ck_assert_str_eq(is.out, "");
    ck_assert_str_eq(is.err, "program: libslurm cannot use its configuration (no such plugin); "
                             "fix slurm.conf, or set SLURM_CONF\n");
    ck_assert_int_eq(is.status, EX_CONFIG);
}
END_TEST

static const struct {
    enum question which;
    const char *who;
} asked_of[] = {{CONNECT, "slurmdbd did not answer"}, {ASK_JOBS, "slurmctld did not answer"}};

START_TEST(test_a_daemon_that_hangs)
{
    add_job(1);
    own_slurm.faults[asked_of[_i].which].hangs = true;
    struct forked is = query("", "");
    ck_assert_str_eq(is.out, "");
    ck_assert_ptr_nonnull(
        strstr(is.err, format("program: %s within 60 s; see that", asked_of[_i].who)));
    ck_assert_int_eq(is.status, EX_TEMPFAIL);
}
END_TEST

/* What hangs in there would keep the process from its end, too. */
START_TEST(test_a_name_service_that_hangs)
{
    add_job(1);
    own_slurm.jobs[0].name = "app|slow|PAYLOAD";
    struct forked is = query("--timeout 9", "");
    ck_assert_str_eq(is.err, "");
    ck_assert_int_eq(is.status, 0);
    ck_assert_uint_eq(count_of(is.out, "\"out_of_time\":true"), 1);
    ck_assert_uint_eq(count_of(is.out, "{\"end\":1}"), 1);
}
END_TEST

/* ---- memory ---- */

#define KNOWN                                                                                     \
    "{\"multitenant\":1,\"generated\":1,\"cluster\":\"hpc\",\"wckeys\":[\"k\"],\"sees\":\"all\"}" \
    "\n"                                                                                          \
    "{\"cluster\":\"hpc\",\"job_id\":1,\"user\":\"u\",\"uid\":1,\"name\":\"a\",\"start\":0,"      \
    "\"end\":0,\"restarts\":0,\"group_gid\":-1,\"publisher_in_group\":false,"                     \
    "\"nodes\":[{\"name\":\"n2\"}]}\n"

/* It says so; or what could not be learned is not known, and all else is there. */
START_TEST(test_out_of_memory)
{
    size_t said = 0;
    bool reached = true;
    add_job(1);
    own_slurm.jobs[0].nodes = "n[1-2]";
    own_slurm.hidden = "jobs";
    for (size_t nth = 1; reached; nth++) {
        struct forked is = query_starved("--known --publishers class", KNOWN, nth, &reached);
        bool is_said = is.status == EX_OSERR && !strcmp(is.err, "program: out of memory\n");
        said += is_said;
        ck_assert_msg(is_said || (is.status == 0 && count_of(is.out, "{\"end\":1}") == 1),
                      "allocation %zu: %d %s", nth, is.status, is.err);
    }
    ck_assert_uint_gt(said, 50);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("query_faults");
    TCase *tests = add_case(suite, "faults");
    tcase_add_checked_fixture(tests, querying_setup, NULL);
    tcase_add_loop_test(tests, test_a_daemon_that_does_not_answer_at_first, 0, COUNT_OF(silent));
    tcase_add_test(tests, test_a_slurmctld_without_a_configuration);
    tcase_add_loop_test(tests, test_a_daemon_that_stops_to_answer_half_way, 0, COUNT_OF(half_way));
    tcase_add_test(tests, test_an_empty_answer_about_jobs_or_nodes_is_none);
    tcase_add_test(tests, test_no_rows_are_no_failure);
    tcase_add_test(tests, test_a_configuration_that_libslurm_can_not_use);
    tcase_add_loop_test(tests, test_a_daemon_that_hangs, 0, COUNT_OF(asked_of));
    tcase_add_test(tests, test_a_name_service_that_hangs);
    TCase *many = add_case(suite, "out of memory");
    tcase_add_checked_fixture(many, querying_setup, NULL);
    tcase_set_tags(many, "no_valgrind");
    tcase_add_test(many, test_out_of_memory);
    return run_suite(suite);
}
