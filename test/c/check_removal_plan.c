/* SPDX-License-Identifier: MIT */
/* Links: removal_plan, inventory, card, and all that makes a round. */
#include "removal_plan.h"

#include "round.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUTS "batch_connect/" TOKEN "/output"

static char *top;
static int db;
static struct mt_settings settings;
static struct mt_specs *specs;
static struct mt_found found;
static struct mt_inventory inventory;
static char troubles[4096];

static void setup(void)
{
    become_user();
    top = temp_dir_new();
    int root = -1;
    ck_assert_int_eq(mt_store_open_root(top, false, &root), MT_OK);
    ck_assert_int_eq(mt_store_open_dir(root, "db", true, &db), MT_OK);
    mt_store_close(root);
    settings = viewer_settings();
    *troubles = '\0';
    /* The card of job 4711 of hpc, of PUBLISHER, as it is found. */
    found = (struct mt_found){
        .dir = OUTPUTS,
        .token = TOKEN,
        .id = SESSION,
        .owner = MT_OURS,
        .mark = {.cluster = "hpc", .wckeys = "multitenant", .job_id = 4711, .uid = PUBLISHER},
        .has_db = true,
        .db_job_id = "4711",
        .plan = MT_WANTED,
    };
    inventory = (struct mt_inventory){.items = &found, .count = 1};
}

static void teardown(void)
{
    mt_specs_free(&specs);
    mt_store_close(db);
    temp_dir_free(top);
    become_root();
}

static void trouble(const char *path, enum mt_status status, void *arg)
{
    ck_assert_ptr_eq(arg, &inventory);
    append(troubles, sizeof troubles, "%s %d\n", path, (int)status);
}

static void decide(void)
{
    ck_assert_int_eq(mt_removal_plan(&inventory, db, specs, &settings, trouble, &inventory), MT_OK);
}

/* Looks at these jobs of hpc and decides. */
static enum mt_plan plan_after(const struct sample *samples, size_t count)
{
    specs = round_of_samples(NULL, samples, count, &settings);
    decide();
    return found.plan;
}

static const struct mt_share *job(uint32_t job_id)
{
    return share_of(specs, "hpc", job_id);
}

START_TEST(test_a_due_card_is_wanted)
{
    struct sample sample = good_sample(4711);
    ck_assert_int_eq(plan_after(&sample, 1), MT_WANTED);
    ck_assert_ptr_eq(found.share, job(4711));
    ck_assert_str_eq(job(4711)->card_id, SESSION);
    ck_assert_str_eq(troubles, "");
}
END_TEST

START_TEST(test_an_ended_jobs_card_goes)
{
    ck_assert_int_eq(plan_after(NULL, 0), MT_GOES);
}
END_TEST

/* The samples' stream is of this time. */
#define ANSWERED 1700000000

/* Two web hosts with answers of different age, say: the older one does not know the job yet. */
START_TEST(test_a_card_that_a_newer_answer_made_stays)
{
    static const struct {
        int64_t time;
        enum mt_plan plan;
    } marks[] = {
        {ANSWERED + 1, MT_STAYS},
        {ANSWERED + 3600, MT_STAYS},
        {ANSWERED, MT_GOES},
        {ANSWERED - 1, MT_GOES},
        /* A clock was wrong. */
        {ANSWERED + 3601, MT_GOES},
        {INT64_MAX, MT_GOES},
        {INT64_MIN, MT_GOES},
    };
    struct sample refused = good_sample(4711);
    refused.mtu = "1";
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        found.mark.time = marks[i].time;
        ck_assert_int_eq(plan_after(NULL, 0), marks[i].plan);
        mt_specs_free(&specs);
        ck_assert_int_eq(plan_after(&refused, 1), marks[i].plan);
        mt_specs_free(&specs);
    }
}
END_TEST

START_TEST(test_a_card_of_another_cluster_stays)
{
    found.mark.cluster = "gpu";
    ck_assert_int_eq(plan_after(NULL, 0), MT_STAYS);
}
END_TEST

START_TEST(test_a_card_of_another_key_stays)
{
    found.mark.wckeys = "multitenant,other";
    ck_assert_int_eq(plan_after(NULL, 0), MT_STAYS);
}
END_TEST

START_TEST(test_a_refused_jobs_card_goes)
{
    struct sample sample = good_sample(4711);
    sample.mtu = "1";
    ck_assert_int_eq(plan_after(&sample, 1), MT_GOES);
}
END_TEST

START_TEST(test_a_card_stays_while_nothing_is_known)
{
    struct sample sample = good_sample(4711);
    sample.gid = -2;
    ck_assert_int_eq(plan_after(&sample, 1), MT_STAYS);
}
END_TEST

/* Its cluster does not answer, and its publisher has older shares. */
START_TEST(test_the_card_of_a_kept_share_goes_where_it_is_one_too_many)
{
    static struct sample older[MT_SHARES_PER_PUBLISHER];
    struct sample kept = good_sample(4711);
    struct script script = {0};
    kept.cluster = found.mark.cluster = "gpu";
    for (uint32_t i = 0; i < COUNT_OF(older); i++) {
        older[i] = good_sample(i + 1);
        older[i].start = kept.start - 1;
        older[i].mtm = "form";
    }
    script_begin(&script, "gpu", "all");
    script_job(&script, &kept);
    script_end(&script);
    struct mt_specs *last = round_of(NULL, &script, &settings, NULL);
    script_free(&script);
    specs = round_of_samples(last, older, COUNT_OF(older) - 1 + (size_t)_i, &settings);
    decide();
    ck_assert_int_eq(found.plan, _i ? MT_GOES : MT_STAYS);
    mt_specs_free(&last);
}
END_TEST

START_TEST(test_the_card_of_a_job_whose_id_went_round_goes)
{
    struct sample sample = good_sample(4711);
    found.mark.uid = 1666;
    ck_assert_int_eq(plan_after(&sample, 1), MT_GOES);
    /* It takes its id with it. */
    ck_assert_str_eq(job(4711)->card_id, SESSION);
}
END_TEST

START_TEST(test_a_card_at_another_place_goes)
{
    struct sample sample = good_sample(4711);
    found.dir = "batch_connect/deac/" TOKEN "/output";
    ck_assert_int_eq(plan_after(&sample, 1), MT_GOES);
    ck_assert_str_eq(job(4711)->card_id, SESSION);
}
END_TEST

START_TEST(test_a_card_under_another_id_goes)
{
    struct sample sample = good_sample(4711);
    sample.mti = OTHER_SESSION;
    ck_assert_int_eq(plan_after(&sample, 1), MT_GOES);
    ck_assert_str_eq(job(4711)->card_id, OTHER_SESSION);
}
END_TEST

START_TEST(test_a_legacy_card_is_wanted_by_its_job)
{
    struct sample sample = good_sample(4711);
    found.owner = MT_LEGACY;
    ck_assert_int_eq(plan_after(&sample, 1), MT_WANTED);
    ck_assert_ptr_eq(found.share, job(4711));
}
END_TEST

START_TEST(test_a_legacy_card_stays_until_it_is_completed)
{
    found.owner = MT_LEGACY;
    ck_assert_int_eq(plan_after(NULL, 0), MT_STAYS);
    found.db_completed = true;
    decide();
    ck_assert_int_eq(found.plan, MT_GOES);
}
END_TEST

/* A db file of another token has the id: a session of the user's own may still run. */
START_TEST(test_a_legacy_card_beside_another_session_stays)
{
    found.owner = MT_LEGACY;
    found.has_db = false;
    ck_assert_int_eq(plan_after(NULL, 0), MT_STAYS);
}
END_TEST

START_TEST(test_a_legacy_card_that_ood_forgot_goes)
{
    struct sample sample = good_sample(4711);
    found.owner = MT_LEGACY;
    found.has_db = false;
    found.db_gone = true;
    found.db_job_id = NULL;
    ck_assert_int_eq(plan_after(&sample, 1), MT_GOES);
    /* The id is free for the card of the round. */
    ck_assert_str_eq(job(4711)->card_id, SESSION);
}
END_TEST

START_TEST(test_a_card_stays_where_no_cluster_is_known)
{
    struct sample sample = good_sample(4711);
    settings.n_clusters = 0;
    ck_assert_int_eq(plan_after(&sample, 1), MT_STAYS);
}
END_TEST

START_TEST(test_a_card_of_an_unknown_cluster_goes)
{
    struct sample sample = good_sample(4711);
    settings.clusters = &settings.clusters[1];
    settings.n_clusters = 1;
    ck_assert_int_eq(plan_after(&sample, 1), MT_GOES);
}
END_TEST

/* Its slurm.conf can't be read now, and Slurm was not asked. */
START_TEST(test_a_card_stays_while_its_cluster_is_undetermined)
{
    static const struct mt_cluster pairs[] = {{"gpu", "gpu"}, {"", "gpu"}, {"hpc", NULL}};
    struct sample sample = good_sample(4711);
    settings.clusters = pairs;
    settings.n_clusters = COUNT_OF(pairs);
    ck_assert_int_eq(plan_after(&sample, 1), MT_STAYS);
    assert_codes(job(4711), ok, unknown_cluster);
    mt_specs_free(&specs);
    ck_assert_int_eq(plan_after(NULL, 0), MT_GOES);
}
END_TEST

START_TEST(test_what_is_the_users_own_stays_and_keeps_its_id)
{
    struct sample sample = good_sample(4711);
    found.owner = MT_FOREIGN;
    found.db_completed = true;
    ck_assert_int_eq(plan_after(&sample, 1), MT_STAYS);
    ck_assert_str_ne(job(4711)->card_id, SESSION);
    ck_assert(mt_share_is_due(job(4711)));
}
END_TEST

static const struct {
    const char *text;
    bool taken;
} dbs[] = {
    {"{\"token\":\"" TOKEN "\",\"job_id\":\"4711\"}", false},
    {"{\"token\":\"" TOKEN "\",\"job_id\":\"4712\"}", true},
    {"{\"token\":\"sys/jupyter\",\"job_id\":\"4711\"}", true},
    {"{", true},
    {"", true},
};

START_TEST(test_an_id_that_a_db_file_has)
{
    struct sample sample = good_sample(4711);
    inventory.count = 0;
    write_text(format("%s/db/" SESSION, top), dbs[_i].text, 0600);
    (void)plan_after(&sample, 1);
    ck_assert_int_eq(strcmp(job(4711)->card_id, SESSION) != 0, dbs[_i].taken);
    ck_assert_str_eq(troubles, "");
}
END_TEST

START_TEST(test_an_id_that_can_not_be_looked_at)
{
    struct sample sample = good_sample(4711);
    inventory.count = 0;
    ck_assert_int_eq(symlink("nowhere", format("%s/db/" SESSION, top)), 0);
    (void)plan_after(&sample, 1);
    ck_assert_str_eq(troubles, format(SESSION " %d\n", (int)MT_UNSAFE));
    ck_assert(!mt_share_is_due(job(4711)));
}
END_TEST

START_TEST(test_without_a_db_directory)
{
    struct sample sample = good_sample(4711);
    mt_store_close(db);
    db = -1;
    inventory.count = 0;
    (void)plan_after(&sample, 1);
    ck_assert_str_eq(job(4711)->card_id, SESSION);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("removal_plan");
    TCase *tests = add_case(suite, "ours");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_a_due_card_is_wanted);
    tcase_add_test(tests, test_an_ended_jobs_card_goes);
    tcase_add_test(tests, test_a_card_that_a_newer_answer_made_stays);
    tcase_add_test(tests, test_a_card_of_another_cluster_stays);
    tcase_add_test(tests, test_a_card_of_another_key_stays);
    tcase_add_test(tests, test_a_refused_jobs_card_goes);
    tcase_add_test(tests, test_a_card_stays_while_nothing_is_known);
    tcase_add_loop_test(tests, test_the_card_of_a_kept_share_goes_where_it_is_one_too_many, 0, 2);
    tcase_add_test(tests, test_the_card_of_a_job_whose_id_went_round_goes);
    tcase_add_test(tests, test_a_card_stays_where_no_cluster_is_known);
    tcase_add_test(tests, test_a_card_of_an_unknown_cluster_goes);
    tcase_add_test(tests, test_a_card_stays_while_its_cluster_is_undetermined);
    tcase_add_test(tests, test_a_card_at_another_place_goes);
    tcase_add_test(tests, test_a_card_under_another_id_goes);
    tests = add_case(suite, "others'");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_a_legacy_card_is_wanted_by_its_job);
    tcase_add_test(tests, test_a_legacy_card_stays_until_it_is_completed);
    tcase_add_test(tests, test_a_legacy_card_beside_another_session_stays);
    tcase_add_test(tests, test_a_legacy_card_that_ood_forgot_goes);
    tcase_add_test(tests, test_what_is_the_users_own_stays_and_keeps_its_id);
    tests = add_case(suite, "ids");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_an_id_that_a_db_file_has, 0, (int)COUNT_OF(dbs));
    tcase_add_test(tests, test_an_id_that_can_not_be_looked_at);
    tcase_add_test(tests, test_without_a_db_directory);
    return run_suite(suite);
}
