/* SPDX-License-Identifier: MIT */
/* Links: dismissed, store, buf. */
#include "dismissed.h"

#include "helpers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *root;
static struct mt_dismissed list;

static const struct mt_dismissal one = {"hpc", "multitenant", 4711, SESSION, NULL};
static const struct mt_dismissal two = {"gpu", "a,b", UINT32_MAX, OTHER_SESSION, NULL};

static void setup(void)
{
    become_user();
    root = temp_dir_new();
}

static void teardown(void)
{
    mt_dismissed_free(&list);
    temp_dir_free(root);
    become_root();
}

static const char *file(void)
{
    return format("%s/batch_connect/multitenant.dismissed", root);
}

static enum mt_status load(const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    enum mt_status status = mt_dismissed_load(dir, &list);
    if (dir >= 0)
        ck_assert_int_eq(close(dir), 0);
    return status;
}

static enum mt_status save(void)
{
    int dir = open(root, O_RDONLY | O_DIRECTORY);
    enum mt_status status = mt_dismissed_save(dir, &list);
    ck_assert_int_eq(close(dir), 0);
    return status;
}

/* Writes the list and reads it back. */
static void save_and_load(void)
{
    ck_assert_int_eq(save(), MT_OK);
    mt_dismissed_free(&list);
    ck_assert_int_eq(load(root), MT_OK);
}

START_TEST(test_new_is_empty)
{
    ck_assert(!mt_dismissed_has(&list, "hpc", 4711));
    ck_assert_uint_eq(json_array_size(list.list), 0);
}
END_TEST

START_TEST(test_has_what_was_added)
{
    ck_assert_int_eq(mt_dismissed_add(&list, &one), MT_OK);
    ck_assert_int_eq(mt_dismissed_add(&list, &two), MT_OK);
    ck_assert(mt_dismissed_has(&list, "hpc", 4711));
    ck_assert(mt_dismissed_has(&list, "gpu", UINT32_MAX));
    ck_assert(!mt_dismissed_has(&list, "gpu", 4711));
    ck_assert(!mt_dismissed_has(&list, "hpc", 4712));
}
END_TEST

START_TEST(test_a_job_is_added_once)
{
    ck_assert_int_eq(mt_dismissed_add(&list, &one), MT_OK);
    ck_assert_int_eq(mt_dismissed_add(&list, &one), MT_OK);
    ck_assert_uint_eq(json_array_size(list.list), 1);
}
END_TEST

static bool has_cluster(const struct mt_dismissal *it, const void *arg)
{
    return strcmp(it->cluster, arg) == 0;
}

/* Looks that all of the entry reaches the caller. */
static bool is_two(const struct mt_dismissal *it, const void *arg)
{
    const struct mt_dismissal *wanted = arg;
    return strcmp(it->cluster, wanted->cluster) == 0 && strcmp(it->wckeys, wanted->wckeys) == 0 &&
           it->job_id == wanted->job_id && strcmp(it->card_id, wanted->card_id) == 0;
}

START_TEST(test_drop)
{
    struct mt_dismissal three = {"hpc", "multitenant", 1, SESSION, NULL};
    ck_assert_int_eq(mt_dismissed_add(&list, &one), MT_OK);
    ck_assert_int_eq(mt_dismissed_add(&list, &two), MT_OK);
    ck_assert_int_eq(mt_dismissed_add(&list, &three), MT_OK);
    ck_assert(!mt_dismissed_drop(&list, has_cluster, "big"));
    ck_assert_uint_eq(json_array_size(list.list), 3);
    ck_assert(mt_dismissed_drop(&list, has_cluster, "hpc"));
    ck_assert_uint_eq(json_array_size(list.list), 1);
    ck_assert(mt_dismissed_drop(&list, is_two, &two));
    ck_assert_uint_eq(json_array_size(list.list), 0);
}
END_TEST

START_TEST(test_saved_and_loaded)
{
    ck_assert_int_eq(mt_dismissed_add(&list, &one), MT_OK);
    ck_assert_int_eq(mt_dismissed_add(&list, &two), MT_OK);
    save_and_load();
    ck_assert(mt_dismissed_has(&list, "hpc", 4711));
    ck_assert(mt_dismissed_drop(&list, is_two, &two));
    ck_assert_int_eq(mode_of(file()), 0600);
}
END_TEST

START_TEST(test_an_empty_list_is_no_file)
{
    ck_assert_int_eq(mt_dismissed_add(&list, &one), MT_OK);
    ck_assert_int_eq(save(), MT_OK);
    ck_assert(exists(file()));
    ck_assert(mt_dismissed_drop(&list, has_cluster, "hpc"));
    save_and_load();
    ck_assert(!exists(file()));
    ck_assert_uint_eq(json_array_size(list.list), 0);
}
END_TEST

START_TEST(test_an_empty_list_makes_no_directory)
{
    save_and_load();
    ck_assert(!exists(format("%s/batch_connect", root)));
}
END_TEST

START_TEST(test_no_data_root)
{
    const char *absent = format("%s/absent", root);
    mt_dismissed_free(&list);
    ck_assert_int_eq(load(absent), MT_OK);
    ck_assert_uint_eq(json_array_size(list.list), 0);
    ck_assert(!exists(absent));
}
END_TEST

static const char *const not_lists[] = {
    "",
    "x",
    "{}",
    "[1]",
    "[{}]",
    "[null]",
    "[{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":\"4711\",\"id\":\"x\"}]",
    "[{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":0,\"id\":\"x\"}]",
    "[{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":-1,\"id\":\"x\"}]",
    "[{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":4294967296,\"id\":\"x\"}]",
    "[{\"cluster\":1,\"wckey\":\"k\",\"job\":4711,\"id\":\"x\"}]",
    "[{\"cluster\":\"hpc\",\"job\":4711,\"id\":\"x\"}]",
    "[{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":4711}]",
    "[{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":4711,\"id\":\"x\"}",
    "[{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":4711,\"id\":\"x\"},1]",
};

START_TEST(test_what_is_no_list_is_empty)
{
    make_dirs(format("%s/batch_connect", root));
    write_text(file(), not_lists[_i], 0600);
    mt_dismissed_free(&list);
    ck_assert_int_eq(load(root), MT_OK);
    ck_assert_uint_eq(json_array_size(list.list), 0);
}
END_TEST

START_TEST(test_a_link_is_not_followed)
{
    make_dirs(format("%s/batch_connect", root));
    write_text(format("%s/elsewhere", root), "[]", 0600);
    ck_assert_int_eq(symlink(format("%s/elsewhere", root), file()), 0);
    mt_dismissed_free(&list);
    ck_assert_int_eq(load(root), MT_UNSAFE);
    mt_dismissed_free(&list);
}
END_TEST

START_TEST(test_free_of_nothing)
{
    struct mt_dismissed none = {0};
    mt_dismissed_free(&none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dismissed");
    TCase *tests = add_case(suite, "list");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_new_is_empty);
    tcase_add_test(tests, test_has_what_was_added);
    tcase_add_test(tests, test_a_job_is_added_once);
    tcase_add_test(tests, test_drop);
    tcase_add_test(tests, test_free_of_nothing);
    tests = add_case(suite, "file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_saved_and_loaded);
    tcase_add_test(tests, test_an_empty_list_is_no_file);
    tcase_add_test(tests, test_an_empty_list_makes_no_directory);
    tcase_add_test(tests, test_no_data_root);
    tcase_add_loop_test(tests, test_what_is_no_list_is_empty, 0, (int)COUNT_OF(not_lists));
    tcase_add_test(tests, test_a_link_is_not_followed);
    return run_suite(suite);
}
