/* SPDX-License-Identifier: MIT */
/* Links: coverage. */
#include "coverage.h"

#include "helpers.h"

#include <string.h>

static struct mt_coverage coverage;

static void setup(void)
{
    memset(&coverage, 0, sizeof coverage);
}

static void teardown(void)
{
    mt_coverage_free(&coverage);
}

/* Adds a stream; `wckeys` is JSON. Returns the keys that it gave back. */
static const char *add(const char *cluster, const char *wckeys, bool sees_all)
{
    json_t *keys = json_loads(wckeys, 0, NULL);
    struct mt_stream stream = {
        .cluster = cluster, .wckeys = keys, .sees_all = sees_all, .complete = true};
    const char *out = NULL;
    ck_assert_ptr_nonnull(keys);
    ck_assert_int_eq(mt_coverage_add(&coverage, &stream, &out), MT_OK);
    json_decref(keys);
    return out;
}

START_TEST(test_gives_its_keys)
{
    ck_assert_str_eq(add("hpc", "[\"multitenant\"]", true), "multitenant");
    ck_assert_str_eq(add("gpu", "[\"a\",\"bc\",\"d\"]", true), "a,bc,d");
}
END_TEST

START_TEST(test_nothing_covers_nothing)
{
    ck_assert(!mt_coverage_has(&coverage, "hpc"));
    ck_assert(!mt_coverage_tells(&coverage, "hpc", "multitenant", 7));
    ck_assert(!mt_coverage_tells(&coverage, "hpc", "", 7));
}
END_TEST

START_TEST(test_has_the_clusters_that_answered)
{
    (void)add("hpc", "[\"multitenant\"]", true);
    (void)add("gpu", "[\"multitenant\"]", false);
    ck_assert(mt_coverage_has(&coverage, "hpc"));
    ck_assert(mt_coverage_has(&coverage, "gpu"));
    ck_assert(!mt_coverage_has(&coverage, "hp"));
    ck_assert(!mt_coverage_has(&coverage, "hpc2"));
}
END_TEST

static const struct {
    const char *wckeys;
    bool covered;
} asked[] = {
    {"a", true},    {"bc", true}, {"d", true},     {"a,bc,d", true}, {"d,a", true},
    {"b", false},   {"c", false}, {"a,b", false},  {"e", false},     {"a,bc,d,e", false},
    {"abc", false}, {"A", false}, {"a,bc,", true},
};

START_TEST(test_is_all_of_its_keys_only)
{
    (void)add("hpc", "[\"a\",\"bc\",\"d\"]", true);
    ck_assert_msg(mt_coverage_tells(&coverage, "hpc", asked[_i].wckeys, 7) == asked[_i].covered,
                  "%s", asked[_i].wckeys);
    ck_assert(!mt_coverage_tells(&coverage, "gpu", asked[_i].wckeys, 7));
}
END_TEST

START_TEST(test_own_jobs_are_not_all)
{
    (void)add("hpc", "[\"multitenant\"]", false);
    ck_assert(!mt_coverage_tells(&coverage, "hpc", "multitenant", 7));
}
END_TEST

START_TEST(test_an_undetermined_job_alone_is_not_told)
{
    json_t *keys = json_pack("[s]", "k");
    json_t *ids = json_pack("[i,s,I]", 5, "7", (json_int_t)UINT32_MAX);
    struct mt_stream stream = {
        .cluster = "hpc", .wckeys = keys, .undetermined = ids, .sees_all = true, .complete = true};
    const char *out;
    ck_assert_int_eq(mt_coverage_add(&coverage, &stream, &out), MT_OK);
    json_decref(keys);
    json_decref(ids);
    ck_assert(!mt_coverage_tells(&coverage, "hpc", "k", 5));
    ck_assert(!mt_coverage_tells(&coverage, "hpc", "k", UINT32_MAX));
    ck_assert(mt_coverage_tells(&coverage, "hpc", "k", 7));
    ck_assert(mt_coverage_tells(&coverage, "hpc", "k", 6));
    ck_assert(!mt_coverage_tells_all(&coverage, "hpc", "k"));
}
END_TEST

START_TEST(test_as_many_clusters_as_streams)
{
    for (int i = 0; i < MT_STREAMS_MAX; i++)
        (void)add(format("c%d", i), "[\"k\"]", true);
    ck_assert(mt_coverage_tells(&coverage, "c0", "k", 7));
    ck_assert(mt_coverage_tells_all(&coverage, "c0", "k"));
    ck_assert(!mt_coverage_tells_all(&coverage, "c0", "k,other"));
    ck_assert(!mt_coverage_tells_all(&coverage, "none", "k"));
    ck_assert(mt_coverage_tells(&coverage, format("c%d", MT_STREAMS_MAX - 1), "k", 7));
}
END_TEST

START_TEST(test_freed_is_empty)
{
    (void)add("hpc", "[\"k\"]", true);
    mt_coverage_free(&coverage);
    ck_assert(!mt_coverage_has(&coverage, "hpc"));
    mt_coverage_free(&coverage);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("coverage");
    TCase *tests = add_case(suite, "coverage");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_gives_its_keys);
    tcase_add_test(tests, test_nothing_covers_nothing);
    tcase_add_test(tests, test_has_the_clusters_that_answered);
    tcase_add_loop_test(tests, test_is_all_of_its_keys_only, 0, (int)COUNT_OF(asked));
    tcase_add_test(tests, test_own_jobs_are_not_all);
    tcase_add_test(tests, test_an_undetermined_job_alone_is_not_told);
    tcase_add_test(tests, test_as_many_clusters_as_streams);
    tcase_add_test(tests, test_freed_is_empty);
    return run_suite(suite);
}
