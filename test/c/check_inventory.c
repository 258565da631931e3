/* SPDX-License-Identifier: MIT */
/* Links: inventory, and all that delivers. */
#include "inventory.h"

#include "round.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUTS "batch_connect/" TOKEN "/output"
#define MARK "{\"cluster\":\"hpc\",\"wckey\":\"multitenant\",\"job\":4711,\"uid\":1001}"
#define DB "{\"token\":\"" TOKEN "\",\"job_id\":\"4711\",\"cache_completed\":null}"

static char *top;
static struct mt_settings settings;
static bool every;
static struct mt_inventory inventory;
static char troubles[4096];
static size_t fds_before;

static void setup(void)
{
    become_user();
    top = temp_dir_new();
    settings = viewer_settings();
    every = false;
    *troubles = '\0';
    make_dirs(format("%s/batch_connect/db", top));
    fds_before = count_fds();
}

static void teardown(void)
{
    mt_inventory_free(&inventory);
    ck_assert_uint_eq(count_fds(), fds_before);
    temp_dir_free(top);
    become_root();
}

/* A path below the data root. */
static const char *at(const char *path)
{
    return format("%s/%s", top, path);
}

static const char *output(const char *id)
{
    return at(format(OUTPUTS "/%s", id));
}

static void put(const char *dir, const char *name, const char *text)
{
    make_dirs(dir);
    write_text(format("%s/%s", dir, name), text, 0600);
}

static void put_db(const char *id, const char *text)
{
    put(at("batch_connect/db"), id, text);
}

static void trouble(const char *path, enum mt_status status, void *arg)
{
    ck_assert_ptr_eq(arg, &inventory);
    append(troubles, sizeof troubles, "%s %d\n", path, (int)status);
}

static void take(void)
{
    int root = -1;
    int db = -1;
    ck_assert_int_eq(mt_store_open_root(top, false, &root), MT_OK);
    ck_assert_int_eq(mt_store_open_dir(root, "batch_connect/db", false, &db), MT_OK);
    mt_inventory_free(&inventory);
    ck_assert_int_eq(mt_inventory_take(root, db, &settings, every, &inventory, trouble, &inventory),
                     MT_OK);
    mt_store_close(db);
    mt_store_close(root);
}

/* The only one that was found. */
static const struct mt_found *the_one(void)
{
    take();
    ck_assert_str_eq(troubles, "");
    ck_assert_uint_eq(inventory.count, 1);
    return &inventory.items[0];
}

static void assert_nothing(void)
{
    take();
    ck_assert_str_eq(troubles, "");
    ck_assert_uint_eq(inventory.count, 0);
}

START_TEST(test_empty_root)
{
    assert_nothing();
}
END_TEST

START_TEST(test_ours)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    put(output(SESSION), MT_CARD_CONNECTION, "{}");
    put_db(SESSION, DB);
    const struct mt_found *found = the_one();
    ck_assert_int_eq(found->owner, MT_OURS);
    ck_assert_str_eq(found->id, SESSION);
    ck_assert_str_eq(found->token, TOKEN);
    ck_assert_str_eq(found->dir, OUTPUTS);
    ck_assert_str_eq(found->mark.cluster, "hpc");
    ck_assert_str_eq(found->mark.wckeys, "multitenant");
    ck_assert_uint_eq(found->mark.job_id, 4711);
    ck_assert_uint_eq(found->mark.uid, 1001);
    ck_assert(found->has_db);
    ck_assert_str_eq(found->db_job_id, "4711");
    ck_assert(!found->db_completed);
    ck_assert_int_eq(found->plan, MT_STAYS);
}
END_TEST

/* What writing or removing may leave when it stops half-way is still found as ours. */
START_TEST(test_ours_with_a_mark_alone)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    const struct mt_found *found = the_one();
    ck_assert_int_eq(found->owner, MT_OURS);
    ck_assert(!found->has_db);
}
END_TEST

START_TEST(test_ours_with_files_of_others)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    put(output(SESSION), "notes.txt", "x");
    ck_assert_int_eq(the_one()->owner, MT_OURS);
}
END_TEST

START_TEST(test_legacy)
{
    put(output(SESSION), MT_CARD_CONNECTION, "host: n1");
    put_db(SESSION, DB);
    const struct mt_found *found = the_one();
    ck_assert_int_eq(found->owner, MT_LEGACY);
    ck_assert(found->has_db);
    ck_assert(!found->db_completed);
}
END_TEST

START_TEST(test_legacy_completed)
{
    put(output(SESSION), MT_CARD_CONNECTION, "host: n1");
    put_db(SESSION, "{\"token\":\"" TOKEN "\",\"job_id\":\"4711\",\"cache_completed\":true}");
    const struct mt_found *found = the_one();
    ck_assert_int_eq(found->owner, MT_LEGACY);
    ck_assert(found->db_completed);
}
END_TEST

START_TEST(test_foreign)
{
    put(output(SESSION), MT_CARD_CONNECTION, "host: n1");
    put(output(SESSION), "output.log", "x");
    ck_assert_int_eq(the_one()->owner, MT_FOREIGN);
}
END_TEST

static const char *const not_marks[] = {"", "x", "{}", "{\"cluster\":\"hpc\"}", "[]"};

START_TEST(test_a_mark_that_is_none)
{
    put(output(SESSION), MT_CARD_MARK, not_marks[_i]);
    put(output(SESSION), MT_CARD_CONNECTION, "{}");
    ck_assert_int_eq(the_one()->owner, MT_FOREIGN);
}
END_TEST

START_TEST(test_empty_output)
{
    make_dirs(output(SESSION));
    assert_nothing();
}
END_TEST

START_TEST(test_output_of_leftovers_alone)
{
    put(output(SESSION), ".multitenant.new.1.2.3", "x");
    assert_nothing();
}
END_TEST

START_TEST(test_leftovers_do_not_make_it_foreign)
{
    put(output(SESSION), ".multitenant.new.1.2.3", "x");
    put(output(SESSION), MT_CARD_CONNECTION, "host: n1");
    ck_assert_int_eq(the_one()->owner, MT_LEGACY);
}
END_TEST

static const char *const not_ids[] = {"x", "..x", ".multitenant",
                                      "0C3A8B1E-7D42-4C8E-9A51-2B6F0D9E8C11", SESSION ".bak"};

START_TEST(test_a_name_that_is_no_id)
{
    put(output(not_ids[_i]), MT_CARD_MARK, MARK);
    assert_nothing();
}
END_TEST

START_TEST(test_an_app_that_is_not_allowed)
{
    put(at("batch_connect/sys/jupyter/output/" SESSION), MT_CARD_MARK, MARK);
    put(at("batch_connect/dev/multitenant-delivery_default/output/" SESSION), MT_CARD_MARK, MARK);
    assert_nothing();
    every = true;
    ck_assert_str_eq(the_one()->token, "sys/jupyter");
    ck_assert_uint_eq(inventory.outputs.count, 0);
}
END_TEST

static const char *const other[] = {"sys/other"};

/* A site may take an app that comes with the gem out of its setting. */
START_TEST(test_an_app_that_is_allowed_no_more)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    put(output(SESSION), MT_CARD_CONNECTION, "{}");
    put_db(SESSION, DB);
    settings.deliveries = other;
    const struct mt_found *found = the_one();
    ck_assert_int_eq(found->owner, MT_OURS);
    ck_assert(found->has_db);
    ck_assert_uint_eq(inventory.outputs.count, 0);
}
END_TEST

/* Whose it is only a mark says there, and what is wrong there nobody is told. */
START_TEST(test_without_a_mark_below_an_app_that_is_not_allowed)
{
    put(output(SESSION), MT_CARD_CONNECTION, "host: n1");
    put(output(OTHER_SESSION), MT_CARD_MARK, "x");
    put(at("batch_connect/sys/jupyter/output/" SESSION), "output.log", "x");
    make_dirs(at("batch_connect/sys/rstudio"));
    ck_assert_int_eq(symlink(at("elsewhere"), at("batch_connect/sys/rstudio/output")), 0);
    ck_assert_int_eq(symlink(at("elsewhere"), at("batch_connect/sys/shiny")), 0);
    settings.deliveries = other;
    assert_nothing();
    every = true;
    assert_nothing();
}
END_TEST

START_TEST(test_every_allowed_app_and_cluster)
{
    static const char *const dirs[] = {
        "batch_connect/sys/multitenant-delivery_a/output",
        "batch_connect/sys/multitenant-delivery_b/output",
        "batch_connect/deac/sys/multitenant-delivery_a/output",
        "batch_connect/gpu/sys/multitenant-delivery_a/output",
    };
    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        put(at(format("%s/" SESSION, dirs[i])), MT_CARD_MARK, MARK);
    put(at("batch_connect/other/sys/multitenant-delivery_a/output/" SESSION), MT_CARD_MARK, MARK);
    take();
    ck_assert_uint_eq(inventory.count, COUNT_OF(dirs));
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        size_t times = 0;
        for (size_t j = 0; j < inventory.count; j++)
            times += strcmp(inventory.items[j].dir, dirs[i]) == 0;
        ck_assert_uint_eq(times, 1);
    }
}
END_TEST

START_TEST(test_two_slurm_clusters_of_one_ood_cluster)
{
    static const struct mt_cluster same[] = {{"hpc", "deac"}, {"hpc2", "deac"}};
    settings.clusters = same;
    put(at("batch_connect/deac/" TOKEN "/output/" SESSION), MT_CARD_MARK, MARK);
    ck_assert_str_eq(the_one()->dir, "batch_connect/deac/" TOKEN "/output");
}
END_TEST

START_TEST(test_a_slurm_cluster_whose_ood_cluster_is_undetermined)
{
    static const struct mt_cluster pairs[] = {{"gpu", NULL}, {"", "deac"}};
    settings.clusters = pairs;
    put(at("batch_connect/deac/" TOKEN "/output/" SESSION), MT_CARD_MARK, MARK);
    ck_assert_str_eq(the_one()->dir, "batch_connect/deac/" TOKEN "/output");
}
END_TEST

START_TEST(test_a_db_file_of_another_app)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    put_db(SESSION, "{\"token\":\"sys/jupyter\",\"job_id\":\"4711\"}");
    ck_assert(!the_one()->has_db);
    ck_assert(!inventory.items[0].db_gone);
}
END_TEST

/* It would come back as OOD's .bak and stay: it goes with the mark beside it. */
START_TEST(test_a_db_file_that_is_none)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    put_db(SESSION, "{");
    const struct mt_found *found = the_one();
    ck_assert(found->has_db);
    ck_assert_ptr_null(found->db_job_id);
    ck_assert(!found->db_completed);
}
END_TEST

START_TEST(test_a_db_file_that_is_none_without_a_mark)
{
    put(output(SESSION), MT_CARD_CONNECTION, "host: n1");
    put_db(SESSION, "{");
    ck_assert(!the_one()->has_db);
}
END_TEST

START_TEST(test_no_db_file)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    ck_assert(!the_one()->has_db);
    ck_assert(inventory.items[0].db_gone);
}
END_TEST

START_TEST(test_no_db_at_all)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    ck_assert_int_eq(rmdir(at("batch_connect/db")), 0);
    ck_assert(!the_one()->has_db);
}
END_TEST

/* A good card, and beside it something that can't be used: it is told, and costs nobody else. */

static void assert_trouble(const char *path, enum mt_status status)
{
    put(at("batch_connect/sys/multitenant-delivery_good/output/" OTHER_SESSION), MT_CARD_MARK,
        MARK);
    take();
    ck_assert_str_eq(troubles, format("%s %d\n", path, (int)status));
    ck_assert_uint_eq(inventory.count, 1);
    ck_assert_str_eq(inventory.items[0].token, "sys/multitenant-delivery_good");
}

/* Elsewhere a whole card of ours, to which the link leads. */
static void link_to_a_card(const char *path)
{
    put(at("elsewhere/" SESSION), MT_CARD_MARK, MARK);
    ck_assert_int_eq(symlink(at("elsewhere"), path), 0);
}

START_TEST(test_a_link_as_outputs)
{
    make_dirs(at("batch_connect/" TOKEN));
    link_to_a_card(at(OUTPUTS));
    assert_trouble(OUTPUTS, MT_UNSAFE);
}
END_TEST

START_TEST(test_a_link_as_app)
{
    make_dirs(at("batch_connect/sys"));
    link_to_a_card(at("batch_connect/" TOKEN));
    assert_trouble(OUTPUTS, MT_UNSAFE);
}
END_TEST

START_TEST(test_a_link_as_output)
{
    make_dirs(at(OUTPUTS));
    make_dirs(at("elsewhere"));
    ck_assert_int_eq(symlink(at("elsewhere"), output(SESSION)), 0);
    assert_trouble(OUTPUTS "/" SESSION, MT_UNSAFE);
}
END_TEST

START_TEST(test_a_file_as_output)
{
    put(at(OUTPUTS), SESSION, "x");
    assert_trouble(OUTPUTS "/" SESSION, MT_UNSAFE);
}
END_TEST

START_TEST(test_a_link_as_mark)
{
    make_dirs(output(SESSION));
    put(at("elsewhere"), "mark", MARK);
    ck_assert_int_eq(symlink(at("elsewhere/mark"), at(OUTPUTS "/" SESSION "/" MT_CARD_MARK)), 0);
    assert_trouble(OUTPUTS "/" SESSION, MT_UNSAFE);
}
END_TEST

START_TEST(test_a_fifo_as_mark)
{
    make_dirs(output(SESSION));
    ck_assert_int_eq(mkfifo(at(OUTPUTS "/" SESSION "/" MT_CARD_MARK), 0600), 0);
    assert_trouble(OUTPUTS "/" SESSION, MT_UNSAFE);
}
END_TEST

START_TEST(test_a_link_as_db_file)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    put(at("elsewhere"), "db", DB);
    ck_assert_int_eq(symlink(at("elsewhere/db"), at("batch_connect/db/" SESSION)), 0);
    assert_trouble(OUTPUTS "/" SESSION, MT_UNSAFE);
}
END_TEST

START_TEST(test_a_vast_mark)
{
    put(output(SESSION), MT_CARD_MARK, MARK);
    ck_assert_int_eq(truncate(at(OUTPUTS "/" SESSION "/" MT_CARD_MARK), 2 * 1024 * 1024), 0);
    assert_trouble(OUTPUTS "/" SESSION, MT_TOO_LARGE);
}
END_TEST

START_TEST(test_an_output_of_another_user)
{
    if (!can_be_root())
        return;
    put(output(SESSION), MT_CARD_MARK, MARK);
    become_root();
    ck_assert_int_eq(chown(output(SESSION), 0, 0), 0);
    ck_assert_int_eq(chmod(output(SESSION), 0777), 0);
    become_user();
    assert_trouble(OUTPUTS "/" SESSION, MT_UNSAFE);
}
END_TEST

START_TEST(test_a_mark_of_another_user)
{
    if (!can_be_root())
        return;
    put(output(SESSION), MT_CARD_MARK, MARK);
    const char *mark = at(OUTPUTS "/" SESSION "/" MT_CARD_MARK);
    become_root();
    ck_assert_int_eq(chown(mark, 0, 0), 0);
    ck_assert_int_eq(chmod(mark, 0644), 0);
    become_user();
    assert_trouble(OUTPUTS "/" SESSION, MT_UNSAFE);
}
END_TEST

static TCase *add_fixed_case(Suite *suite, const char *name)
{
    TCase *tests = add_case(suite, name);
    tcase_add_checked_fixture(tests, setup, teardown);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("inventory");
    TCase *tests = add_fixed_case(suite, "owner");
    tcase_add_test(tests, test_empty_root);
    tcase_add_test(tests, test_ours);
    tcase_add_test(tests, test_ours_with_a_mark_alone);
    tcase_add_test(tests, test_ours_with_files_of_others);
    tcase_add_test(tests, test_legacy);
    tcase_add_test(tests, test_legacy_completed);
    tcase_add_test(tests, test_foreign);
    tcase_add_loop_test(tests, test_a_mark_that_is_none, 0, (int)COUNT_OF(not_marks));
    tcase_add_test(tests, test_empty_output);
    tcase_add_test(tests, test_output_of_leftovers_alone);
    tcase_add_test(tests, test_leftovers_do_not_make_it_foreign);
    tests = add_fixed_case(suite, "place");
    tcase_add_loop_test(tests, test_a_name_that_is_no_id, 0, (int)COUNT_OF(not_ids));
    tcase_add_test(tests, test_an_app_that_is_not_allowed);
    tcase_add_test(tests, test_an_app_that_is_allowed_no_more);
    tcase_add_test(tests, test_without_a_mark_below_an_app_that_is_not_allowed);
    tcase_add_test(tests, test_every_allowed_app_and_cluster);
    tcase_add_test(tests, test_two_slurm_clusters_of_one_ood_cluster);
    tcase_add_test(tests, test_a_slurm_cluster_whose_ood_cluster_is_undetermined);
    tests = add_fixed_case(suite, "db");
    tcase_add_test(tests, test_a_db_file_of_another_app);
    tcase_add_test(tests, test_a_db_file_that_is_none);
    tcase_add_test(tests, test_a_db_file_that_is_none_without_a_mark);
    tcase_add_test(tests, test_no_db_file);
    tcase_add_test(tests, test_no_db_at_all);
    tests = add_fixed_case(suite, "trouble");
    tcase_add_test(tests, test_a_link_as_outputs);
    tcase_add_test(tests, test_a_link_as_app);
    tcase_add_test(tests, test_a_link_as_output);
    tcase_add_test(tests, test_a_file_as_output);
    tcase_add_test(tests, test_a_link_as_mark);
    tcase_add_test(tests, test_a_fifo_as_mark);
    tcase_add_test(tests, test_a_link_as_db_file);
    tcase_add_test(tests, test_a_vast_mark);
    tcase_add_test(tests, test_an_output_of_another_user);
    tcase_add_test(tests, test_a_mark_of_another_user);
    return run_suite(suite);
}
