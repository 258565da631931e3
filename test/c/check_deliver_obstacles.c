/* SPDX-License-Identifier: MIT */
/* Links, strange files, other processes in the way; the dry run. Links: deliver, inventory, card,
 * and all that makes a round. */
#include "delivery.h"

/* Links and strange files in the way. */

START_TEST(test_data_root_behind_links)
{
    struct sample sample = good_sample(4711);
    make_dirs(at("scratch/dashboard"));
    ck_assert_int_eq(symlink(at("scratch"), at("home")), 0);
    char *root = strdup(at("home/dashboard"));
    settings.dataroot = root;
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    ck_assert(exists(at("scratch/dashboard/batch_connect/db/" SESSION)));
    free(root);
}
END_TEST

/* Links to a directory elsewhere, which has to stay as it is. */
static const char *const linked[] = {
    "batch_connect", "batch_connect/db", "batch_connect/sys", "batch_connect/" TOKEN,
    OUTPUTS,         OUTPUTS "/" SESSION};

START_TEST(test_no_link_is_followed)
{
    struct sample sample = good_sample(4711);
    make_dirs(at(linked[_i]));
    ck_assert_int_eq(rmdir(at(linked[_i])), 0);
    make_dirs(at("elsewhere"));
    ck_assert_int_eq(symlink(at("elsewhere"), at(linked[_i])), 0);
    next_round(&sample, 1);
    (void)deliver_as(false);
    ck_assert_ptr_nonnull(strstr(told, "failed "));
    ck_assert_ptr_null(strstr(told, "written "));
    char *picture = picture_of(at("elsewhere"));
    ck_assert_str_eq(picture, "");
    free(picture);
}
END_TEST

START_TEST(test_no_linked_file_is_written)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(unlink(path_of_file(_i)), 0);
    write_text(at("elsewhere"), "mine", 0600);
    ck_assert_int_eq(symlink(at("elsewhere"), path_of_file(_i)), 0);
    sample.connection = "{'host':'n2'}";
    next_round(&sample, 1);
    (void)deliver_as(false);
    ck_assert_ptr_nonnull(strstr(told, "failed "));
    char *text = read_text(at("elsewhere"));
    ck_assert_str_eq(text, "mine");
    free(text);
}
END_TEST

START_TEST(test_a_data_root_that_can_not_be_used)
{
    struct sample sample = good_sample(4711);
    write_text(at("file"), "x", 0600);
    char *root = strdup(at("file"));
    settings.dataroot = root;
    next_round(&sample, 1);
    ck_assert_int_eq(deliver_as(false), MT_UNSAFE);
    assert_told("failed %s %d 0\n", root, (int)MT_UNSAFE);
    free(root);
}
END_TEST

START_TEST(test_a_data_root_of_another_user)
{
    struct sample sample = good_sample(4711);
    if (!can_be_root())
        return;
    next_round(&sample, 1);
    become_root();
    ck_assert_int_eq(chown(top, 0, 0), 0);
    ck_assert_int_eq(chmod(top, 0777), 0);
    become_user();
    ck_assert_int_eq(deliver_as(false), MT_UNSAFE);
    ck_assert(!exists(at("batch_connect")));
    become_root();
    ck_assert_int_eq(chown(top, TEST_UID, 0), 0);
    become_user();
}
END_TEST

/* A status other than MT_OK never comes alone. */
START_TEST(test_a_list_of_dismissals_that_can_not_be_read_is_told)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(symlink("nowhere", at("batch_connect/multitenant.dismissed")), 0);
    next_round(&sample, 1);
    enum mt_status status = deliver_as(false);
    ck_assert(status == MT_OK || strstr(told, "failed "));
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_a_broken_mark_is_nobodys)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(mark_of(SESSION), "x", 0600);
    deliver_job(&sample);
    /* There may be two cards; the one that can't be told is not touched. */
    char *text = read_text(mark_of(SESSION));
    ck_assert_str_eq(text, "x");
    free(text);
}
END_TEST

/* The dry run. */

static void assert_dry_run_tells_the_same(void)
{
    char *before = picture_of(top);
    ck_assert_int_eq(deliver_as(true), MT_OK);
    char *dry = strdup(told);
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    ck_assert_str_eq(steps, "");
    deliver();
    ck_assert_str_eq(told, dry);
    free(before);
    free(dry);
    free(after);
}

START_TEST(test_dry_run)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].mti = OTHER_SESSION;
    next_round(samples, 2);
    assert_dry_run_tells_the_same();
    assert_told("written " SESSION "\nwritten " OTHER_SESSION "\n");
    next_round(samples, 2);
    assert_dry_run_tells_the_same();
    assert_told("kept " SESSION "\nkept " OTHER_SESSION "\n");
    samples[0].connection = "{'host':'n2'}";
    next_round(samples, 1);
    assert_dry_run_tells_the_same();
    assert_told("removed " OTHER_SESSION "\nwritten " SESSION "\n");
}
END_TEST

START_TEST(test_dry_run_of_a_mode)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(chmod(db_of(SESSION), 0644), 0);
    next_round(&sample, 1);
    assert_dry_run_tells_the_same();
    assert_told("written " SESSION "\n");
}
END_TEST

START_TEST(test_dry_run_makes_no_data_root)
{
    struct sample sample = good_sample(4711);
    char *root = strdup(at("absent"));
    settings.dataroot = root;
    next_round(&sample, 1);
    ck_assert_int_eq(deliver_as(true), MT_OK);
    assert_told("written " SESSION "\n");
    ck_assert(!exists(root));
    free(root);
}
END_TEST

/* The lock. */

START_TEST(test_nothing_is_written_beside_another_process)
{
    int dir = -1;
    int lock = -1;
    struct sample sample = good_sample(4711);
    take_lock(&dir, &lock);
    next_round(&sample, 1);
    ck_assert_int_eq(deliver_as(false), MT_BUSY);
    assert_told("failed batch_connect %d 0\n", (int)MT_BUSY);
    ck_assert_str_eq(steps, "");
    assert_no_card(SESSION);
    end_lock(dir, lock);
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_nothing_is_removed_beside_another_process)
{
    int dir = -1;
    int lock = -1;
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    take_lock(&dir, &lock);
    next_round(NULL, 0);
    ck_assert_int_eq(deliver_as(false), MT_BUSY);
    ck_assert_str_eq(steps, "");
    assert_card(SESSION, 4711, "n1");
    *told = '\0';
    ck_assert_int_eq(mt_deliver_nothing(&settings, false, note, told), MT_BUSY);
    assert_told("failed batch_connect %d 0\n", (int)MT_BUSY);
    assert_card(SESSION, 4711, "n1");
    end_lock(dir, lock);
}
END_TEST

/* Most users have no card at all: their dashboards wait for nobody and leave nothing. */
START_TEST(test_no_lock_where_there_is_nothing_to_do)
{
    int dir = -1;
    int lock = -1;
    struct sample form = good_sample(4711);
    form.mtm = "form";
    put_own_session();
    take_lock(&dir, &lock);
    deliver_job(&form);
    assert_told("%s", "");
    end_lock(dir, lock);
}
END_TEST

START_TEST(test_no_lock_for_a_dry_run)
{
    int dir = -1;
    int lock = -1;
    struct sample sample = good_sample(4711);
    take_lock(&dir, &lock);
    next_round(&sample, 1);
    ck_assert_int_eq(deliver_as(true), MT_OK);
    assert_told("written " SESSION "\n");
    end_lock(dir, lock);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deliver_obstacles");
    TCase *tests = add_fixed_case(suite, "in the way");
    tcase_add_test(tests, test_data_root_behind_links);
    tcase_add_loop_test(tests, test_no_link_is_followed, 0, (int)COUNT_OF(linked));
    tcase_add_loop_test(tests, test_no_linked_file_is_written, 0, 3);
    tcase_add_test(tests, test_a_data_root_that_can_not_be_used);
    tcase_add_test(tests, test_a_data_root_of_another_user);
    tcase_add_test(tests, test_a_list_of_dismissals_that_can_not_be_read_is_told);
    tcase_add_test(tests, test_a_broken_mark_is_nobodys);
    tests = add_fixed_case(suite, "dry run");
    tcase_add_test(tests, test_dry_run);
    tcase_add_test(tests, test_dry_run_of_a_mode);
    tcase_add_test(tests, test_dry_run_makes_no_data_root);
    tests = add_fixed_case(suite, "lock");
    tcase_add_test(tests, test_nothing_is_written_beside_another_process);
    tcase_add_test(tests, test_nothing_is_removed_beside_another_process);
    tcase_add_test(tests, test_no_lock_where_there_is_nothing_to_do);
    tcase_add_test(tests, test_no_lock_for_a_dry_run);
    return run_suite(suite);
}
