/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: as query. */
#include "querying.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

#define BEFORE "conf connect hidden rows:hpc:1:multitenant:*multitenant "

static struct forked is;

/* What follows the question for the jobs' rows. */
static void assert_asks(const char *expected)
{
    is = query("", "");
    ck_assert_str_eq(is.err, "");
    ck_assert_int_eq(is.status, 0);
    ck_assert_str_eq(asked(), format(BEFORE "%s", expected));
}

static void add_jobs(uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        add_job(first + i);
}

/* ---- jobs ---- */

START_TEST(test_all_jobs_are_one_question)
{
    add_jobs(1, 100);
    assert_asks("jobs:100 node:n1");
}
END_TEST

START_TEST(test_one_by_one_where_libslurm_does_not_let_a_question_be_held_back)
{
    own_slurm.is_unheard = true;
    add_jobs(1, 3);
    assert_asks("job:1 job:2 job:3 node:n1");
}
END_TEST

/* All jobs of the cluster are not asked for. */
START_TEST(test_one_by_one_where_a_request_is_none_that_is_known)
{
    own_slurm.is_strange = true;
    add_jobs(1, 3);
    assert_asks("job:1 job:2 job:3 node:n1");
}
END_TEST

START_TEST(test_many_of_one_submitter_are_one_question)
{
    own_slurm.is_unheard = true;
    add_jobs(1, MT_ASK_EACH_MAX + 2);
    own_slurm.rows[0].uid = own_slurm.jobs[0].user_id = 2001;
    assert_asks("user:1001 job:1 node:n1");
}
END_TEST

/* In any spelling, among other parameters. */
START_TEST(test_one_question_for_each_submitter_where_slurmctld_limits_questions)
{
    own_slurm.is_unheard = true;
    own_slurm.here.slurmctld_params = "enable_configless,RL_Enable";
    add_jobs(1, 3);
    own_slurm.rows[0].uid = own_slurm.jobs[0].user_id = 2001;
    assert_asks("user:1001 job:1 node:n1");
}
END_TEST

START_TEST(test_other_parameters_of_slurmctld_limit_no_questions)
{
    own_slurm.is_unheard = true;
    own_slurm.here.slurmctld_params = "enable_configless";
    add_jobs(1, 2);
    assert_asks("job:1 job:2 node:n1");
}
END_TEST

/* To the id of an array slurmctld answers with all its tasks. */
START_TEST(test_tasks_that_came_with_their_array_are_not_asked_for)
{
    own_slurm.is_unheard = true;
    add_jobs(1, 3);
    own_slurm.rows[0].array_job_id = 1;
    for (size_t i = 0; i < 3; i++)
        own_slurm.jobs[i].array_job_id = 1;
    assert_asks("job:1 node:n1");
}
END_TEST

START_TEST(test_arrays_beyond_very_many_tasks_are_not_asked_for)
{
    own_slurm.is_unheard = true;
    add_jobs(1, 2);
    for (uint32_t i = 0; i < MT_ARRAY_TASKS_MAX; i++)
        own_slurm.jobs[own_slurm.job_count++] = (slurm_job_info_t){
            .job_id = 1000 + i, .user_id = 1001, .array_job_id = 1, .job_state = JOB_PENDING};
    own_slurm.rows[0].array_job_id = 1;
    own_slurm.rows[1].array_job_id = 2;
    assert_asks("job:1 controller node:n1");
}
END_TEST

START_TEST(test_a_job_that_has_gone_meanwhile_is_no_failure)
{
    own_slurm.is_unheard = true;
    add_jobs(1, 2);
    own_slurm.jobs[0].job_id = 3;
    assert_asks("job:1 job:2 controller node:n1");
    ck_assert_ptr_nonnull(strstr(is.out, "{\"end\":1}"));
}
END_TEST

START_TEST(test_a_job_that_comes_in_two_answers_is_one_record)
{
    own_slurm.is_unheard = true;
    add_jobs(1, 2);
    own_slurm.jobs[0].array_job_id = 2;
    assert_asks("job:1 job:2 node:n1");
    ck_assert_ptr_nonnull(strstr(is.out, "{\"end\":2}"));
}
END_TEST

/* ---- nodes ---- */

START_TEST(test_nodes_of_what_is_no_share_are_not_asked_for)
{
    add_job(1);
    own_slurm.jobs[0].name = "bash";
    assert_asks("jobs:1");
    ck_assert_ptr_null(strstr(is.out, "nodes"));
}
END_TEST

START_TEST(test_many_nodes_are_one_question)
{
    add_job(1);
    own_slurm.jobs[0].nodes = "n[1-9]";
    own_slurm.nodes[1].node_hostname = "nobody's";
    own_slurm.nodes[2] = (node_info_t){.name = "n77", .node_hostname = "nobody's"};
    assert_asks("jobs:1 nodes");
    ck_assert_ptr_nonnull(
        strstr(is.out, "{\"name\":\"n1\",\"host\":\"h1\",\"addr\":\"10.0.0.1\"}"));
    ck_assert_ptr_nonnull(strstr(is.out, "{\"name\":\"n9\",\"host\":null,\"addr\":null}"));
    ck_assert_ptr_null(strstr(is.out, "nobody's"));
}
END_TEST

/* As PrivateData=nodes does it; another node's name is too long, and a third has an empty one. */
START_TEST(test_a_node_that_slurmctld_hides_has_its_name_alone)
{
    char *name = repeat("n", MT_NAME_MAX + 1);
    char nodes[MT_NAME_MAX + 16] = "n1,n2,";
    append(nodes, sizeof nodes, "%s", name);
    add_job(1);
    own_slurm.jobs[0].nodes = nodes;
    own_slurm.nodes[0].node_hostname = "";
    own_slurm.nodes[0].node_addr = name;
    assert_asks("jobs:1 node:n1 node:n2");
    ck_assert_ptr_nonnull(strstr(is.out, "\"nodes\":[{\"name\":\"n1\",\"host\":null,\"addr\":null},"
                                         "{\"name\":\"n2\",\"host\":null,\"addr\":null}]"));
    free(name);
}
END_TEST

START_TEST(test_the_first_nodes_of_very_many)
{
    add_job(1);
    own_slurm.jobs[0].nodes = "n[1-100]";
    assert_asks("jobs:1 nodes");
    ck_assert_ptr_nonnull(strstr(is.out, format("n%d", MT_NODES_MAX)));
    ck_assert_ptr_null(strstr(is.out, format("n%d", MT_NODES_MAX + 1)));
}
END_TEST

START_TEST(test_nodes_that_can_not_be_read_are_none)
{
    add_job(1);
    own_slurm.jobs[0].nodes = "n[9-1]";
    assert_asks("jobs:1");
    ck_assert_ptr_nonnull(strstr(is.out, "\"nodes\":[]"));
}
END_TEST

#define KNOWN(cluster, node)                                                                    \
    "{\"multitenant\":1,\"generated\":1,\"cluster\":\"" cluster                                 \
    "\",\"wckeys\":[\"k\"],\"sees\":\"all\"}\n{\"cluster\":\"" cluster                          \
    "\",\"job_id\":1,\"user\":\"u\",\"uid\":1,\"name\":\"a\",\"start\":0,\"end\":0,"            \
    "\"restarts\":0,\"group_gid\":-1,\"publisher_in_group\":false,\"nodes\":[{\"name\":\"" node \
    "\",\"host\":\"known\",\"addr\":null}]}\n{\"end\":1}\n"

START_TEST(test_known_nodes_are_not_asked_for)
{
    add_job(1);
    own_slurm.jobs[0].nodes = "n1,n2";
    is = query("--known", KNOWN("hpc", "n2"));
    ck_assert_int_eq(is.status, 0);
    ck_assert_str_eq(asked(), BEFORE "jobs:1 node:n1");
    ck_assert_ptr_nonnull(strstr(is.out, "{\"name\":\"n2\",\"host\":\"known\",\"addr\":null}"));
    querying_setup();
    add_job(1);
    own_slurm.jobs[0].nodes = "n2";
    is = query("--known", KNOWN("hpc", "n2"));
    ck_assert_str_eq(asked(), BEFORE "jobs:1");
}
END_TEST

/* A node of the same name in another cluster; and records that are none. */
START_TEST(test_what_is_known_of_other_nodes_does_not_count)
{
    add_job(1);
    is = query("--known", KNOWN("gpu", "n1") KNOWN("hpc", "n7") "rubbish");
    ck_assert_int_eq(is.status, 0);
    ck_assert_str_eq(asked(), BEFORE "jobs:1 node:n1");
    ck_assert_ptr_nonnull(strstr(is.out, "h1"));
    ck_assert_ptr_null(strstr(is.out, "n7"));
    ck_assert_str_eq(query("--known", "").out, is.out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("query_asks");
    TCase *tests = add_case(suite, "asks");
    tcase_add_checked_fixture(tests, querying_setup, NULL);
    tcase_add_test(tests, test_all_jobs_are_one_question);
    tcase_add_test(tests, test_one_by_one_where_libslurm_does_not_let_a_question_be_held_back);
    tcase_add_test(tests, test_one_by_one_where_a_request_is_none_that_is_known);
    tcase_add_test(tests, test_many_of_one_submitter_are_one_question);
    tcase_add_test(tests, test_one_question_for_each_submitter_where_slurmctld_limits_questions);
    tcase_add_test(tests, test_other_parameters_of_slurmctld_limit_no_questions);
    tcase_add_test(tests, test_tasks_that_came_with_their_array_are_not_asked_for);
    tcase_add_test(tests, test_arrays_beyond_very_many_tasks_are_not_asked_for);
    tcase_add_test(tests, test_a_job_that_has_gone_meanwhile_is_no_failure);
    tcase_add_test(tests, test_a_job_that_comes_in_two_answers_is_one_record);
    tcase_add_test(tests, test_nodes_of_what_is_no_share_are_not_asked_for);
    tcase_add_test(tests, test_many_nodes_are_one_question);
    tcase_add_test(tests, test_a_node_that_slurmctld_hides_has_its_name_alone);
    tcase_add_test(tests, test_the_first_nodes_of_very_many);
    tcase_add_test(tests, test_known_nodes_are_not_asked_for);
    tcase_add_test(tests, test_what_is_known_of_other_nodes_does_not_count);
    TCase *leaks = add_case(suite, "what libslurm forgets to free");
    tcase_add_checked_fixture(leaks, querying_setup, NULL);
    tcase_set_tags(leaks, "no_valgrind");
    tcase_add_test(leaks, test_nodes_that_can_not_be_read_are_none);
    return run_suite(suite);
}
