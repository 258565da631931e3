/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: as query. */
#include "querying.h"

#include "helpers.h"
#include "mt_limits.h"
#include "slurm_cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define ROWS "rows:hpc:1:multitenant:*multitenant"

static struct forked is;

/* What it says of what is hidden, and what that took. */
static void assert_sees(const char *sees, const char *private_jobs, const char *expected)
{
    is = query("", "");
    ck_assert_str_eq(is.err, "");
    ck_assert_int_eq(is.status, 0);
    ck_assert_ptr_nonnull(
        strstr(is.out, format("\"sees\":\"%s\",\"private_jobs\":%s}", sees, private_jobs)));
    ck_assert_str_eq(asked(), expected);
}

static void assert_refused(const char *options, const char *sentence)
{
    is = query(options, "");
    ck_assert_str_eq(is.out, "");
    ck_assert_str_eq(is.err, format("program: %s\n", sentence));
    ck_assert_int_eq(is.status, EX_CONFIG);
}

/* ---- what is hidden ---- */

START_TEST(test_slurmdbd_hides_jobs)
{
    own_slurm.hidden = "accounts,jobs";
    assert_sees("own", "true", "conf connect hidden operator:student " ROWS " controller");
}
END_TEST

START_TEST(test_an_operator_sees_all)
{
    own_slurm.hidden = "jobs";
    own_slurm.admin_level = SLURMDB_ADMIN_OPERATOR;
    assert_sees("all", "true", "conf connect hidden operator:student " ROWS " controller");
}
END_TEST

START_TEST(test_root_and_slurm_s_user_see_all)
{
    own_slurm.hidden = "jobs";
    own_slurm.me = 0;
    assert_sees("all", "true", "conf connect hidden " ROWS " controller");
    querying_setup();
    own_slurm.hidden = "jobs";
    own_slurm.me = own_slurm.here.slurm_user_id;
    assert_sees("all", "true", "conf connect hidden " ROWS " controller");
}
END_TEST

/* Whoever may be an operator is none: a stream of "own" takes no card away. */
START_TEST(test_who_can_not_be_learned_to_be_an_operator_sees_their_own)
{
    own_slurm.hidden = "jobs";
    own_slurm.faults[ASK_OPERATOR].is_empty = true;
    assert_sees("own", "true", "conf connect hidden operator:student " ROWS " controller");
    querying_setup();
    own_slurm.hidden = "jobs";
    own_slurm.faults[ASK_OPERATOR].error = EIO;
    assert_sees("own", "true", "conf connect hidden operator:student " ROWS " controller");
    querying_setup();
    own_slurm.hidden = "jobs";
    own_slurm.me = 7; /* unknown to the name service */
    assert_sees("own", "true", "conf connect hidden " ROWS " controller");
}
END_TEST

START_TEST(test_slurmctld_counts_where_this_host_hides_jobs)
{
    own_slurm.here.private_data = PRIVATE_DATA_JOBS;
    assert_sees("all", "false", "conf connect controller hidden " ROWS);
    querying_setup();
    own_slurm.here.private_data = own_slurm.controller.private_data = PRIVATE_DATA_JOBS;
    assert_sees("own", "true", "conf connect controller operator:student " ROWS);
}
END_TEST

/* A job that slurmdbd names and slurmctld does not know tells of it. */
START_TEST(test_slurmctld_hides_what_this_host_does_not)
{
    add_job(1);
    own_slurm.job_count = 0;
    own_slurm.controller.private_data = PRIVATE_DATA_JOBS;
    assert_sees("own", "true", "conf connect hidden " ROWS " jobs:1 controller operator:student");
}
END_TEST

START_TEST(test_another_name_of_the_cluster_is_slurmctld_s)
{
    own_slurm.controller.cluster_name = "other";
    assert_sees("all", "false",
                "conf connect hidden " ROWS " controller rows:other:1:multitenant:*multitenant");
    ck_assert_ptr_nonnull(strstr(is.out, "\"cluster\":\"other\""));
}
END_TEST

/* ---- which cluster ---- */

START_TEST(test_the_own_cluster_by_its_name)
{
    is = query("--cluster HPC", "");
    ck_assert_str_eq(asked(), "conf connect hidden " ROWS " controller");
}
END_TEST

START_TEST(test_another_cluster)
{
    own_slurm.controller.cluster_name = "gpu";
    add_job(1);
    is = query("--cluster GPU", "");
    ck_assert_int_eq(is.status, 0);
    ck_assert_str_eq(asked(), "conf connect cluster:gpu controller hidden "
                              "rows:gpu:1:multitenant:*multitenant jobs:1 node:n1");
}
END_TEST

#define UNKNOWN \
    "slurmdbd knows no cluster \"more\" with a slurmctld; compare with sacctmgr show cluster"

START_TEST(test_a_cluster_that_slurmdbd_does_not_know)
{
    assert_refused("--cluster more", UNKNOWN);
    own_slurm.no_siblings = true;
    assert_refused("--cluster more", UNKNOWN);
}
END_TEST

/* ---- this host ---- */

START_TEST(test_another_libslurm_than_it_was_built_for)
{
    char version[32];
    own_slurm.api = 99L << 16;
    assert_refused("",
                   format("libslurm's API is 99 and this program was built for %d (Slurm %s); "
                          "run `gem pristine ood_multitenant` as `multitenant doctor` writes it",
                          MT_SLURM_API, mt_slurm_version(version)));
}
END_TEST

static void refused_conf(const char *path, const char *why)
{
    setenv("SLURM_CONF", path, 1);
    assert_refused("", format("SLURM_CONF names %s, which cannot be read (%s); set it to the "
                              "slurm.conf of this cluster",
                              path, why));
}

/* A FIFO that nobody writes to is not waited for. */
START_TEST(test_a_configuration_that_is_no_file)
{
    char *dir = temp_dir_new();
    const char *path = format("%s/slurm.conf", dir);
    refused_conf(path, "No such file or directory");
    refused_conf(dir, "not a regular file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refused_conf(path, "not a regular file");
    ck_assert_str_eq(asked(), "");
    temp_dir_free(dir);
}
END_TEST

START_TEST(test_a_configuration_that_can_be_read)
{
    setenv("SLURM_CONF", "/proc/self/status", 1);
    ck_assert_int_eq(query("", "").status, 0);
}
END_TEST

#define NO_ACCOUNTING(where)                                                              \
    "Slurm's accounting is off " where ", so that no job can be found by its WCKey; set " \
    "AccountingStorageType=accounting_storage/slurmdbd in slurm.conf"

START_TEST(test_accounting_that_is_off)
{
    own_slurm.here.private_data = PRIVATE_DATA_JOBS;
    own_slurm.controller.accounting_storage_type = "accounting_storage/none";
    assert_refused("", NO_ACCOUNTING("in slurmctld"));
    own_slurm.controller.accounting_storage_type = NULL;
    assert_refused("", NO_ACCOUNTING("in slurmctld"));
    own_slurm.no_accounting = true;
    assert_refused("", NO_ACCOUNTING("on this host"));
}
END_TEST

/* ---- the command line ---- */

static const struct {
    const char *options;
    const char *sentence;
} wrong[] = {
    {"--wckey a,,b", "--wckey has a key that is not 1 to 64 of A-Z a-z 0-9 _ . : @ + -"},
    {"--wckey a/b", "--wckey has a key that is not 1 to 64 of A-Z a-z 0-9 _ . : @ + -"},
    {"--wckey 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,"
     "32,32",
     "--wckey has more than 32 keys"},
    {"--cluster a/b", "--cluster is not the name of a cluster"},
    {"--publishers= ", "--publishers is not the name of a group"},
};

START_TEST(test_wrong_usage)
{
    is = query(wrong[_i].options, "");
    ck_assert_int_eq(is.status, EX_USAGE);
    ck_assert_str_eq(is.err, format("program: %s; see program --help\n", wrong[_i].sentence));
    ck_assert_str_eq(asked(), "");
}
END_TEST

START_TEST(test_names_of_the_longest_and_one_longer)
{
    char *key = repeat("k", MT_QUERY_NAME_MAX + 1);
    char *groups = repeat("g", MT_NAME_MAX + 1);
    ck_assert_int_eq(query(format("--wckey %s", key + 1), "").status, 0);
    ck_assert_int_eq(query(format("--wckey %s", key), "").status, EX_USAGE);
    ck_assert_int_eq(query(format("--publishers %s", groups + 1), "").status, 0);
    ck_assert_int_eq(query(format("--publishers %s", groups), "").status, EX_USAGE);
    free(key);
    free(groups);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("query_cluster");
    TCase *tests = add_case(suite, "cluster");
    tcase_add_checked_fixture(tests, querying_setup, NULL);
    tcase_add_test(tests, test_slurmdbd_hides_jobs);
    tcase_add_test(tests, test_an_operator_sees_all);
    tcase_add_test(tests, test_root_and_slurm_s_user_see_all);
    tcase_add_test(tests, test_who_can_not_be_learned_to_be_an_operator_sees_their_own);
    tcase_add_test(tests, test_slurmctld_counts_where_this_host_hides_jobs);
    tcase_add_test(tests, test_slurmctld_hides_what_this_host_does_not);
    tcase_add_test(tests, test_another_name_of_the_cluster_is_slurmctld_s);
    tcase_add_test(tests, test_the_own_cluster_by_its_name);
    tcase_add_test(tests, test_another_cluster);
    tcase_add_test(tests, test_a_cluster_that_slurmdbd_does_not_know);
    tcase_add_test(tests, test_another_libslurm_than_it_was_built_for);
    tcase_add_test(tests, test_a_configuration_that_is_no_file);
    tcase_add_test(tests, test_a_configuration_that_can_be_read);
    tcase_add_test(tests, test_accounting_that_is_off);
    tcase_add_loop_test(tests, test_wrong_usage, 0, COUNT_OF(wrong));
    tcase_add_test(tests, test_names_of_the_longest_and_one_longer);
    return run_suite(suite);
}
