/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: all of multitenant-query, with a Slurm and a name service of the test's own. */
#include "querying.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define HEAD                                                                                     \
    "{\"multitenant\":1,\"generated\":1000000,\"cluster\":\"hpc\",\"wckeys\":[\"multitenant\"]," \
    "\"sees\":\"all\",\"private_jobs\":false}\n"
#define NODE(name) "{\"name\":\"" name "\",\"host\":\"h1\",\"addr\":\"10.0.0.1\"}"

static struct forked is;

static void ask(const char *options)
{
    is = query(options, "");
    ck_assert_str_eq(is.err, "");
    ck_assert_int_eq(is.status, 0);
}

/* The record of a job, of whom there is one; NULL: there is none. The caller releases it. */
static json_t *record(json_int_t job_id)
{
    json_t *found = NULL;
    for (const char *at = is.out; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        json_t *line = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
        if (json_integer_value(json_object_get(line, "job_id")) == job_id && !found)
            found = json_incref(line);
        json_decref(line);
    }
    return found;
}

/* What a job's record says under `key`, as JSON. */
static void assert_says(json_int_t job_id, const char *key, const char *expected)
{
    json_t *line = record(job_id);
    ck_assert_msg(line != NULL, "no job %" JSON_INTEGER_FORMAT " in %s", job_id, is.out);
    char *text = json_dumps(json_object_get(line, key), JSON_COMPACT | JSON_ENCODE_ANY);
    ck_assert_str_eq(text ? text : "", expected);
    free(text);
    json_decref(line);
}

static void assert_no_record(json_int_t job_id)
{
    json_t *line = record(job_id);
    ck_assert_ptr_null(line);
}

static void assert_end(size_t count)
{
    ck_assert_ptr_nonnull(strstr(is.out, format("\n{\"end\":%zu}\n", count)));
}

START_TEST(test_a_share)
{
    add_job(7);
    ask("");
    ck_assert_str_eq(is.out, HEAD
                     "{\"cluster\":\"hpc\",\"job_id\":7,\"user\":\"prof\",\"uid\":1001,"
                     "\"name\":\"app|class|PAYLOAD\",\"start\":5007,\"end\":9007,\"restarts\":0,"
                     "\"group_gid\":3000,\"publisher_in_group\":true,\"wckey\":\"multitenant\","
                     "\"nodes\":[" NODE("n1") "]}\n{\"end\":1}\n");
    ck_assert_str_eq(asked(),
                     "conf connect hidden rows:hpc:1:multitenant:*multitenant jobs:1 node:n1");
}
END_TEST

/* slurmctld is asked for what it hides only where there may be something. */
START_TEST(test_no_jobs)
{
    ask("--publishers class");
    ck_assert_ptr_nonnull(strstr(is.out, "\"publishers\":\"class\"}\n{\"end\":0}\n"));
    ck_assert_str_eq(asked(), "conf connect hidden rows:hpc:1:multitenant:*multitenant controller");
}
END_TEST

START_TEST(test_the_words_of_several_keys)
{
    is = query("--wckey Other,multitenant", "");
    ck_assert_ptr_nonnull(strstr(is.out, "\"wckeys\":[\"multitenant\",\"other\"]"));
    ck_assert_ptr_nonnull(strstr(asked(), "rows:hpc:1:multitenant:*multitenant:other:*other "));
}
END_TEST

/* Running is RUNNING, on nodes that are up, with processes that are not stopped. */
START_TEST(test_jobs_that_do_not_run)
{
    static const uint32_t states[] = {JOB_PENDING,
                                      JOB_SUSPENDED,
                                      JOB_COMPLETE,
                                      JOB_RUNNING | JOB_COMPLETING,
                                      JOB_RUNNING | JOB_CONFIGURING,
                                      JOB_RUNNING | JOB_POWER_UP_NODE,
                                      JOB_RUNNING | JOB_STOPPED};
    for (uint32_t i = 0; i < COUNT_OF(states); i++) {
        add_job(i + 1);
        own_slurm.jobs[i].job_state = states[i];
    }
    ask("");
    ck_assert_str_eq(is.out, HEAD "{\"end\":0}\n");
}
END_TEST

/* slurmdbd's database compares with a collation. "*" is that of a user's default key. */
START_TEST(test_another_spelling_of_a_key_is_another_key)
{
    static char *const wckeys[] = {"*multitenant", "Multitenant",  "multitenant ", "",
                                   NULL,           "**multitenant"};
    for (uint32_t i = 0; i < COUNT_OF(wckeys); i++) {
        add_job(i + 1);
        own_slurm.rows[i].wckey = wckeys[i];
    }
    ask("");
    assert_says(1, "wckey", "\"multitenant\"");
    assert_end(1);
}
END_TEST

/* Ids are given out again, and a job that was requeued has several rows. */
START_TEST(test_a_job_of_another_user_s_and_one_that_has_two_rows)
{
    add_job(7);
    add_job(8);
    add_job(9);
    own_slurm.jobs[0].user_id = 2001;
    own_slurm.rows[2].jobid = 8;
    ask("");
    assert_no_record(7);
    assert_says(8, "uid", "1001");
    assert_end(1);
}
END_TEST

START_TEST(test_what_slurm_leaves_out)
{
    add_job(7);
    own_slurm.jobs[0].name = NULL;
    own_slurm.jobs[0].nodes = NULL;
    own_slurm.jobs[0].time_limit = INFINITE;
    ask("");
    assert_says(7, "name", "\"\"");
    assert_says(7, "end", "0");
    assert_says(7, "nodes", "");
    add_job(8);
    own_slurm.jobs[1].nodes = NULL;
    ask("");
    assert_says(8, "nodes", "[]");
}
END_TEST

/* A job without an association: slurmdbd has no name, the name service may have one. */
START_TEST(test_users_of_whom_slurmdbd_has_no_name)
{
    add_job(7);
    add_job(8);
    add_job(9);
    own_slurm.rows[0].user = NULL;
    own_slurm.rows[1].user = "";
    own_slurm.rows[2].user = NULL;
    own_slurm.rows[2].uid = own_slurm.jobs[2].user_id = 7;
    ask("");
    assert_says(7, "user", "\"prof\"");
    assert_says(8, "user", "\"prof\"");
    assert_says(9, "user", "\"\"");
}
END_TEST

START_TEST(test_a_name_of_other_bytes)
{
    add_job(7);
    own_slurm.jobs[0].name = "a\xff";
    ask("");
    assert_says(7, "name", "\"a\xc3\xbf\"");
    assert_says(7, "binary", "true");
}
END_TEST

START_TEST(test_jobs_come_by_their_start)
{
    add_job(7);
    add_job(8);
    add_job(9);
    own_slurm.jobs[0].start_time = own_slurm.jobs[2].start_time = 6000;
    own_slurm.rows[1].uid = own_slurm.jobs[1].user_id = 2001;
    ask("--publishers users,class");
    const char *first = strstr(is.out, "\"job_id\":8");
    const char *second = strstr(is.out, "\"job_id\":7");
    const char *third = strstr(is.out, "\"job_id\":9");
    ck_assert(first && first < second && second < third);
    assert_says(8, "publisher_allowed", "true");
}
END_TEST

/* A publisher's names beyond those that the stream has room for; those of shares have their own. */
START_TEST(test_surplus_names_of_one_publisher)
{
    enum { LAST = MT_QUERY_SHARES_PER_PUBLISHER + 2 };
    for (uint32_t i = 1; i <= LAST + 1; i++)
        add_job(i);
    own_slurm.jobs[0].name = "other";
    own_slurm.rows[1].uid = own_slurm.jobs[1].user_id = 2001;
    ask("");
    assert_says(1, "name", "\"other\"");
    assert_says(2, "name", "\"app|class|PAYLOAD\"");
    assert_says(LAST, "name", "\"app|class|PAYLOAD\"");
    assert_says(LAST + 1, "name", "\"\"");
    assert_says(LAST + 1, "group_gid", "-1");
    assert_end(LAST + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("query");
    TCase *tests = add_case(suite, "query");
    tcase_add_checked_fixture(tests, querying_setup, NULL);
    tcase_add_test(tests, test_a_share);
    tcase_add_test(tests, test_no_jobs);
    tcase_add_test(tests, test_the_words_of_several_keys);
    tcase_add_test(tests, test_jobs_that_do_not_run);
    tcase_add_test(tests, test_another_spelling_of_a_key_is_another_key);
    tcase_add_test(tests, test_a_job_of_another_user_s_and_one_that_has_two_rows);
    tcase_add_test(tests, test_what_slurm_leaves_out);
    tcase_add_test(tests, test_users_of_whom_slurmdbd_has_no_name);
    tcase_add_test(tests, test_a_name_of_other_bytes);
    tcase_add_test(tests, test_jobs_come_by_their_start);
    tcase_add_test(tests, test_surplus_names_of_one_publisher);
    return run_suite(suite);
}
