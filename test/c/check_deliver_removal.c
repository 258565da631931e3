/* SPDX-License-Identifier: MIT */
/* Removing and moving cards. Links: deliver, inventory, card, and all that makes a round. */
#include "delivery.h"

/* Removing. */

START_TEST(test_removed_when_the_job_has_ended)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(at(OUTPUTS "/" SESSION "/" LEFTOVER), "x", 0600);
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    deliver_jobs(NULL, 0);
    assert_told("%s", "");
}
END_TEST

START_TEST(test_order_of_removal)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(at(OUTPUTS "/" SESSION "/" LEFTOVER), "x", 0600);
    deliver_jobs(NULL, 0);
    ck_assert_str_eq(steps, "remove " SESSION "/" MT_CARD_CONNECTION "\n"
                            "remove db/" SESSION "\n"
                            "remove " SESSION "/" LEFTOVER "\n"
                            "remove " SESSION "/" MT_CARD_MARK "\n"
                            "remove_dir output/" SESSION "\n"
                            "remove_dir multitenant-delivery_default/output\n"
                            "remove_dir sys/multitenant-delivery_default\n");
}
END_TEST

/* While OOD may be reading them, files come and none goes. */
START_TEST(test_what_has_to_go_is_left_by_writes)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].mti = OTHER_SESSION;
    deliver_job(&samples[0]);
    next_round(&samples[1], 1);
    deliver_writes();
    assert_told("left " SESSION "\nwritten " OTHER_SESSION "\n");
    assert_card(SESSION, 1, "n1");
    assert_card(OTHER_SESSION, 2, "n1");
    next_round(NULL, 0);
    deliver_writes();
    ck_assert_uint_eq(strlen(told), 2 * strlen("left " SESSION "\n"));
    ck_assert(strstr(told, "left " SESSION "\n") && strstr(told, "left " OTHER_SESSION "\n"));
    ck_assert_str_eq(steps, "");
    deliver();
    assert_no_card(SESSION);
    assert_no_card(OTHER_SESSION);
}
END_TEST

/* The id is the same: the new files stand where OOD looks, and the old directory goes afterwards.
 */
START_TEST(test_a_card_that_moves_is_whole_before_it_has_gone)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    sample.mtd = "sys/multitenant-delivery_other";
    next_round(&sample, 1);
    deliver_writes();
    assert_told("left " SESSION "\nwritten " SESSION "\n");
    ck_assert(exists(connection_of(SESSION)));
    ck_assert(exists(
        at("batch_connect/sys/multitenant-delivery_other/output/" SESSION "/" MT_CARD_CONNECTION)));
    deliver();
    ck_assert(!exists(output_of(SESSION)));
    ck_assert(exists(db_of(SESSION)));
}
END_TEST

/* A publisher chooses the app: what was made for it goes with its last card. */
START_TEST(test_the_last_card_takes_the_directories_of_its_app_along)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].mti = OTHER_SESSION;
    deliver_jobs(samples, 2);
    deliver_jobs(samples, 1);
    ck_assert(exists(at(OUTPUTS)));
    deliver_jobs(NULL, 0);
    ck_assert(!exists(at("batch_connect/" TOKEN)));
    ck_assert(exists(at("batch_connect/sys")));
    deliver_job(&samples[0]);
    assert_card(SESSION, 1, "n1");
}
END_TEST

START_TEST(test_directories_that_are_not_empty_stay)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(at("batch_connect/" TOKEN "/context.json"), "{}", 0600);
    deliver_jobs(NULL, 0);
    ck_assert(!exists(at(OUTPUTS)));
    ck_assert(exists(at("batch_connect/" TOKEN "/context.json")));
}
END_TEST

START_TEST(test_a_card_of_an_app_that_was_taken_away_goes)
{
    static const char *const none[] = {NULL};
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    settings.installed = none;
    deliver_job(&sample);
    assert_told("removed " SESSION "\n");
    ck_assert(!exists(at("batch_connect/" TOKEN)));
}
END_TEST

START_TEST(test_removal_that_fails_half_way)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    failing_step = (size_t)_i;
    deliver_jobs(NULL, 0);
    assert_told("failed " OUTPUTS " %d %d\n", (int)MT_IO, ENOSPC);
    assert_secret_has_a_mark();
    failing_step = 0;
    deliver_jobs(NULL, 0);
    ck_assert(!exists(db_of(SESSION)));
    ck_assert(!exists(connection_of(SESSION)));
    ck_assert(!exists(mark_of(SESSION)));
}
END_TEST

START_TEST(test_removal_leaves_files_of_others)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(at(OUTPUTS "/" SESSION "/notes.txt"), "mine", 0600);
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    ck_assert(exists(at(OUTPUTS "/" SESSION "/notes.txt")));
    ck_assert(!exists(connection_of(SESSION)));
    ck_assert(!exists(mark_of(SESSION)));
}
END_TEST

/* Looks that do not say that the job has ended. */
static const struct {
    const char *cluster;
    const char *wckeys;
    const char *sees;
    bool complete;
} no_proof[] = {
    {"hpc", "[\"multitenant\"]", "own", true},
    {"hpc", "[\"multitenant\"]", "all", false},
    {"hpc", "[\"other\"]", "all", true},
    {"gpu", "[\"multitenant\"]", "all", true},
};

START_TEST(test_kept_without_proof_of_the_end)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    script_line(&script, format("{\"multitenant\":1,\"generated\":1,\"cluster\":\"%s\","
                                "\"wckeys\":%s,\"sees\":\"%s\"}",
                                no_proof[_i].cluster, no_proof[_i].wckeys, no_proof[_i].sees));
    if (no_proof[_i].complete)
        script_line(&script, "{\"end\":0}");
    deliver_script();
    assert_told("kept " SESSION "\n");
    ck_assert_str_eq(steps, "");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

/* A dashboard that has just started knows nothing of the last round. */
START_TEST(test_kept_without_proof_after_a_new_start)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    mt_specs_free(&specs);
    script_line(&script, "");
    deliver_script();
    assert_told("kept " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

/* Every way to a final reason that a record or its message can take. */
static void make_final(struct sample *sample, int way)
{
    switch (way) {
    case 0:
        sample->gid = GROUP_GID + 1;
        break;
    case 1:
        sample->gid = -1;
        break;
    case 2:
        sample->publisher_in_group = json_false();
        break;
    case 3:
        sample->mtu = "1";
        break;
    case 4:
        sample->name = "sys/dashboard";
        break;
    case 5:
        sample->name = "l|hpcGrp|%%%%";
        break;
    case 6:
        sample->mtm = "form";
        break;
    case 7:
        sample->mtd = "sys/other";
        break;
    case 8:
        sample->connection = "{'view':'x'}";
        break;
    default:
        settings.clusters = &settings.clusters[1];
        settings.n_clusters = 1;
        break;
    }
}

START_TEST(test_removed_for_a_final_reason)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    make_final(&sample, _i);
    deliver_job(&sample);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* Also where others' jobs are hidden: the record is there and speaks for itself. */
START_TEST(test_removed_for_a_final_reason_in_an_own_stream)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    make_final(&sample, _i);
    script_begin(&script, "hpc", "own");
    script_job(&script, &sample);
    script_end(&script);
    deliver_script();
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* A host without any OOD cluster says nothing of the dashboard's cards. */
START_TEST(test_kept_where_no_cluster_is_known)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    settings.n_clusters = 0;
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_kept_for_a_temporary_reason)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    if (_i % 2)
        sample.gid = -2;
    else
        sample.publisher_in_group = json_null();
    if (_i >= 2)
        sample.connection = "{'host':'n2'}";
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_removed_where_another_has_the_job_id_now)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    sample = sample_of(4711, "mallory", 1666, "{'host':'n2'}");
    sample.mti = OTHER_SESSION;
    deliver_job(&sample);
    assert_told("removed " SESSION "\nwritten " OTHER_SESSION "\n");
    assert_no_card(SESSION);
    assert_card(OTHER_SESSION, 4711, "n2");
}
END_TEST

START_TEST(test_moved_to_another_session_id)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    sample.mti = OTHER_SESSION;
    deliver_job(&sample);
    assert_no_card(SESSION);
    assert_card(OTHER_SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_moved_to_another_delivery)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    sample.mtd = "sys/multitenant-delivery_other";
    deliver_job(&sample);
    ck_assert(!exists(output_of(SESSION)));
    ck_assert(exists(
        at("batch_connect/sys/multitenant-delivery_other/output/" SESSION "/" MT_CARD_CONNECTION)));
    json_t *db = load(db_of(SESSION));
    ck_assert_str_eq(json_string_value(json_object_get(db, "token")), sample.mtd);
    json_decref(db);
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
}
END_TEST

/* The data root per cluster. */

START_TEST(test_per_cluster_data_root)
{
    struct sample sample = good_sample(4711);
    settings.per_cluster_dataroot = true;
    deliver_job(&sample);
    ck_assert(exists(at("batch_connect/deac/" TOKEN "/output/" SESSION "/" MT_CARD_CONNECTION)));
    ck_assert(!exists(output_of(SESSION)));
    ck_assert(exists(db_of(SESSION)));
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    ck_assert(!exists(at("batch_connect/deac/" TOKEN "/output/" SESSION)));
}
END_TEST

START_TEST(test_moved_when_the_site_changes_the_setting)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    settings.per_cluster_dataroot = true;
    deliver_job(&sample);
    ck_assert(!exists(output_of(SESSION)));
    ck_assert(exists(at("batch_connect/deac/" TOKEN "/output/" SESSION "/" MT_CARD_CONNECTION)));
    ck_assert(exists(db_of(SESSION)));
    settings.per_cluster_dataroot = false;
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
    ck_assert(!exists(at("batch_connect/deac/" TOKEN "/output/" SESSION)));
}
END_TEST

/* Removing everything. */

START_TEST(test_nothing_of_ours_is_left)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].mti = OTHER_SESSION;
    samples[1].mtd = "sys/multitenant-delivery_other";
    deliver_jobs(samples, 2);
    dismiss(4711);
    deliver_nothing(false);
    ck_assert_ptr_nonnull(strstr(told, "removed " SESSION "\n"));
    ck_assert_ptr_nonnull(strstr(told, "removed " OTHER_SESSION "\n"));
    assert_no_card(SESSION);
    assert_no_card(OTHER_SESSION);
    ck_assert(!exists(at("batch_connect/sys/multitenant-delivery_other/output/" OTHER_SESSION)));
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
    deliver_nothing(false);
    assert_told("%s", "");
}
END_TEST

START_TEST(test_nothing_takes_legacy_cards_too)
{
    put_legacy(4711, "null");
    deliver_nothing(false);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    put_legacy(4711, "null");
    ck_assert_int_eq(unlink(db_of(SESSION)), 0);
    deliver_nothing(false);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* Earlier releases left these, of apps that there never were. */
START_TEST(test_nothing_takes_empty_directories_along)
{
    make_dirs(at("batch_connect/sys/multitenant-delivery_a/output/" SESSION));
    make_dirs(at("batch_connect/sys/multitenant-delivery_b/output"));
    make_dirs(at("batch_connect/sys/multitenant-delivery_c"));
    make_dirs(at("batch_connect/sys/multitenant-delivery_d/output/notes"));
    make_dirs(at("batch_connect/deac/sys/multitenant-delivery_e/output"));
    make_dirs(at("batch_connect/sys/jupyter/output/" SESSION));
    deliver_nothing(true);
    ck_assert(exists(at("batch_connect/sys/multitenant-delivery_a/output/" SESSION)));
    deliver_nothing(false);
    ck_assert(!exists(at("batch_connect/sys/multitenant-delivery_a")));
    ck_assert(!exists(at("batch_connect/sys/multitenant-delivery_b")));
    ck_assert(!exists(at("batch_connect/sys/multitenant-delivery_c")));
    ck_assert(exists(at("batch_connect/sys/multitenant-delivery_d/output/notes")));
    ck_assert(!exists(at("batch_connect/deac/sys/multitenant-delivery_e")));
    ck_assert(exists(at("batch_connect/sys/jupyter/output/" SESSION)));
    assert_told("%s", "");
}
END_TEST

START_TEST(test_nothing_leaves_what_is_the_users_own)
{
    put_own_session();
    make_dirs(output_of(OTHER_SESSION));
    write_text(connection_of(OTHER_SESSION), "host: own", 0600);
    write_text(at(OUTPUTS "/" OTHER_SESSION "/output.log"), "mine", 0600);
    char *before = picture_of(top);
    deliver_nothing(false);
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    assert_told("%s", "");
    free(before);
    free(after);
}
END_TEST

START_TEST(test_nothing_as_a_dry_run)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    dismiss(4712);
    char *before = picture_of(top);
    deliver_nothing(true);
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    assert_told("removed " SESSION "\n");
    free(before);
    free(after);
}
END_TEST

START_TEST(test_nothing_where_there_is_no_data_root)
{
    char *root = strdup(at("absent"));
    settings.dataroot = root;
    deliver_nothing(false);
    assert_told("%s", "");
    ck_assert(!exists(root));
    free(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deliver_removal");
    TCase *tests = add_fixed_case(suite, "remove");
    tcase_add_test(tests, test_removed_when_the_job_has_ended);
    tcase_add_test(tests, test_order_of_removal);
    tcase_add_test(tests, test_what_has_to_go_is_left_by_writes);
    tcase_add_test(tests, test_a_card_that_moves_is_whole_before_it_has_gone);
    tcase_add_test(tests, test_the_last_card_takes_the_directories_of_its_app_along);
    tcase_add_test(tests, test_directories_that_are_not_empty_stay);
    tcase_add_test(tests, test_a_card_of_an_app_that_was_taken_away_goes);
    tcase_add_loop_test(tests, test_removal_that_fails_half_way, 1, 5);
    tcase_add_test(tests, test_removal_leaves_files_of_others);
    tcase_add_loop_test(tests, test_kept_without_proof_of_the_end, 0, (int)COUNT_OF(no_proof));
    tcase_add_test(tests, test_kept_without_proof_after_a_new_start);
    tcase_add_loop_test(tests, test_removed_for_a_final_reason, 0, 10);
    tcase_add_loop_test(tests, test_removed_for_a_final_reason_in_an_own_stream, 0, 10);
    tcase_add_test(tests, test_kept_where_no_cluster_is_known);
    tcase_add_loop_test(tests, test_kept_for_a_temporary_reason, 0, 4);
    tcase_add_test(tests, test_removed_where_another_has_the_job_id_now);
    tests = add_fixed_case(suite, "move");
    tcase_add_test(tests, test_moved_to_another_session_id);
    tcase_add_test(tests, test_moved_to_another_delivery);
    tcase_add_test(tests, test_per_cluster_data_root);
    tcase_add_test(tests, test_moved_when_the_site_changes_the_setting);
    tests = add_fixed_case(suite, "nothing");
    tcase_add_test(tests, test_nothing_of_ours_is_left);
    tcase_add_test(tests, test_nothing_takes_legacy_cards_too);
    tcase_add_test(tests, test_nothing_takes_empty_directories_along);
    tcase_add_test(tests, test_nothing_leaves_what_is_the_users_own);
    tcase_add_test(tests, test_nothing_as_a_dry_run);
    tcase_add_test(tests, test_nothing_where_there_is_no_data_root);
    return run_suite(suite);
}
