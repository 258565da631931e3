/* SPDX-License-Identifier: MIT */
/* Cards whose id or place another has: the old initializer's, the user's, another publisher's.
 * Links: deliver, inventory, card, and all that makes a round. */
#include "delivery.h"

/* What the old initializer left. */

START_TEST(test_legacy_is_taken_over)
{
    struct sample sample = good_sample(4711);
    put_legacy(4711, "null");
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_legacy_is_removed_once_completed)
{
    put_legacy(4711, "true");
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* OOD was wrong, the job runs: it is a card again. */
START_TEST(test_legacy_completed_but_running_is_taken_over)
{
    struct sample sample = good_sample(4711);
    put_legacy(4711, "true");
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_legacy_stays_otherwise)
{
    struct sample form = good_sample(4711);
    form.mtm = "form";
    put_legacy(4711, "null");
    assert_untouched(NULL, 0);
    assert_untouched(&form, 1);
    put_legacy(4711, "false");
    assert_untouched(NULL, 0);
}
END_TEST

START_TEST(test_legacy_of_another_job_is_not_taken_over)
{
    struct sample sample = good_sample(4711);
    put_legacy(4712, "null");
    deliver_job(&sample);
    ck_assert_str_ne(id_of(4711), SESSION);
    assert_card(id_of(4711), 4711, "n1");
    char *text = read_text(connection_of(SESSION));
    ck_assert_str_eq(text, "host: old\n");
    ck_assert(!exists(mark_of(SESSION)));
    free(text);
}
END_TEST

/* OOD deletes the db file of a session that has ended, and leaves the secret. */
START_TEST(test_legacy_is_removed_once_ood_forgot_it)
{
    put_legacy(4711, "null");
    ck_assert_int_eq(unlink(db_of(SESSION)), 0);
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* What is called connection.yml but is no file of the user's was never the old initializer's. */
START_TEST(test_legacy_is_a_file)
{
    make_dirs(connection_of(SESSION));
    assert_untouched(NULL, 0);
    ck_assert_int_eq(rmdir(connection_of(SESSION)), 0);
    ck_assert_int_eq(symlink("nowhere", connection_of(SESSION)), 0);
    assert_untouched(NULL, 0);
}
END_TEST

/* Sessions of the user's own. */

START_TEST(test_own_session_of_the_same_id)
{
    struct sample sample = good_sample(4711);
    put_own_session();
    char *before = read_text(db_of(SESSION));
    deliver_job(&sample);
    char *id = strdup(id_of(4711));
    ck_assert_str_ne(id, SESSION);
    assert_told("written %s\n", id);
    assert_card(id, 4711, "n1");
    char *after = read_text(db_of(SESSION));
    ck_assert_str_eq(after, before);
    ck_assert(!exists(output_of(SESSION)));
    /* The same the next time, and nothing of it goes with the card. */
    deliver_job(&sample);
    assert_told("kept %s\n", id);
    deliver_jobs(NULL, 0);
    assert_told("removed %s\n", id);
    assert_no_card(id);
    ck_assert(exists(db_of(SESSION)));
    ck_assert(exists(at("batch_connect/sys/jupyter/output/" SESSION "/connection.yml")));
    free(after);
    free(before);
    free(id);
}
END_TEST

START_TEST(test_the_card_gets_its_id_when_the_own_session_has_gone)
{
    struct sample sample = good_sample(4711);
    put_own_session();
    deliver_job(&sample);
    char *id = strdup(id_of(4711));
    ck_assert_int_eq(unlink(db_of(SESSION)), 0);
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
    assert_no_card(id);
    free(id);
}
END_TEST

/* An output directory that some app of the allow-list made for the user themselves. */
START_TEST(test_unmarked_directory_of_the_same_id)
{
    struct sample sample = good_sample(4711);
    make_dirs(output_of(SESSION));
    write_text(at(OUTPUTS "/" SESSION "/output.log"), "mine", 0600);
    write_text(connection_of(SESSION), "host: own", 0600);
    deliver_job(&sample);
    ck_assert_str_ne(id_of(4711), SESSION);
    assert_card(id_of(4711), 4711, "n1");
    char *text = read_text(connection_of(SESSION));
    ck_assert_str_eq(text, "host: own");
    ck_assert(!exists(mark_of(SESSION)));
    free(text);
}
END_TEST

START_TEST(test_an_empty_directory_is_nobodys)
{
    struct sample sample = good_sample(4711);
    make_dirs(output_of(SESSION));
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_unmarked_directories_are_untouched)
{
    put_own_session();
    make_dirs(output_of(OTHER_SESSION));
    write_text(connection_of(OTHER_SESSION), "host: own", 0600);
    write_text(at(OUTPUTS "/" OTHER_SESSION "/output.log"), "mine", 0600);
    make_dirs(at(OUTPUTS "/not-an-id"));
    write_text(at(OUTPUTS "/not-an-id/" MT_CARD_MARK), "{}", 0600);
    assert_untouched(NULL, 0);
}
END_TEST

/* One id, two jobs. */

static void assert_both(const struct sample *prof, const struct sample *mallory)
{
    char *ids[] = {strdup(id_of(prof->job_id)), strdup(id_of(mallory->job_id))};
    ck_assert_str_ne(ids[0], ids[1]);
    assert_card(ids[0], prof->job_id, "prof");
    assert_card(ids[1], mallory->job_id, "mallory");
    free(ids[0]);
    free(ids[1]);
}

/* Another publisher names the professor's session id, before or after them, as the older job or the
 * younger: both have their cards, and neither shows the other's connection. */
START_TEST(test_another_publisher_names_the_id)
{
    struct sample samples[] = {sample_of(1, "prof", 1001, "{'host':'prof'}"),
                               sample_of(2, "mallory", 1666, "{'host':'mallory'}")};
    samples[1].start = _i % 2 ? 1 : 5000;
    deliver_jobs(&samples[_i / 2], 1);
    assert_card(SESSION, samples[_i / 2].job_id, _i / 2 ? "mallory" : "prof");
    deliver_jobs(samples, 2);
    assert_both(&samples[0], &samples[1]);
    assert_no_card(SESSION);
    deliver_jobs(samples, 2);
    assert_both(&samples[0], &samples[1]);
    ck_assert_str_eq(steps, "");
    /* Alone again, the professor's card has its own id again. */
    deliver_jobs(samples, 1);
    assert_card(SESSION, 1, "prof");
}
END_TEST

START_TEST(test_another_publisher_names_a_made_id)
{
    struct sample samples[] = {sample_of(1, "prof", 1001, "{'host':'prof'}"),
                               sample_of(2, "mallory", 1666, "{'host':'mallory'}"),
                               sample_of(3, "mallory", 1666, "{'host':'mallory'}")};
    char made[MT_UUID_SIZE];
    deliver_jobs(samples, 2);
    memcpy(made, id_of(1), sizeof made);
    samples[2].mti = made;
    samples[2].start = _i ? 1 : 5000;
    deliver_jobs(samples, 3);
    assert_card(made, 1, "prof");
    assert_both(&samples[0], &samples[2]);
    deliver_jobs(samples, 3);
    assert_card(made, 1, "prof");
    ck_assert_str_eq(steps, "");
}
END_TEST

START_TEST(test_the_same_publisher_names_the_id_twice)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].connection = "{'host':'n2'}";
    deliver_jobs(&samples[1], 1);
    assert_card(SESSION, 2, "n2");
    deliver_jobs(samples, 2);
    assert_card(SESSION, 1, "n1");
    deliver_jobs(samples, 2);
    assert_told("kept " SESSION "\n");
    deliver_jobs(&samples[1], 1);
    assert_card(SESSION, 2, "n2");
}
END_TEST

/* The professor's cluster does not answer while another names their id. */
START_TEST(test_another_publisher_while_the_cluster_is_silent)
{
    struct sample prof = sample_of(1, "prof", 1001, "{'host':'prof'}");
    struct sample mallory = sample_of(2, "mallory", 1666, "{'host':'mallory'}");
    if (_i)
        mallory.start = 1;
    deliver_jobs(&prof, 1);
    mallory.cluster = "gpu";
    script_begin(&script, "gpu", "all");
    script_job(&script, &mallory);
    script_end(&script);
    deliver_script();
    assert_card(SESSION, 1, "prof");
    assert_card(share_of(specs, "gpu", 2)->card_id, 2, "mallory");
    ck_assert_str_ne(share_of(specs, "gpu", 2)->card_id, SESSION);
}
END_TEST

/* The same when the dashboard has started anew and has no last round. */
START_TEST(test_another_publisher_after_a_new_start)
{
    struct sample prof = sample_of(1, "prof", 1001, "{'host':'prof'}");
    struct sample mallory = sample_of(2, "mallory", 1666, "{'host':'mallory'}");
    deliver_jobs(&prof, 1);
    mt_specs_free(&specs);
    mallory.cluster = "gpu";
    script_begin(&script, "gpu", "all");
    script_job(&script, &mallory);
    script_end(&script);
    deliver_script();
    assert_card(SESSION, 1, "prof");
    assert_card(share_of(specs, "gpu", 2)->card_id, 2, "mallory");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deliver_ids");
    TCase *tests = add_fixed_case(suite, "legacy");
    tcase_add_test(tests, test_legacy_is_taken_over);
    tcase_add_test(tests, test_legacy_is_removed_once_completed);
    tcase_add_test(tests, test_legacy_completed_but_running_is_taken_over);
    tcase_add_test(tests, test_legacy_stays_otherwise);
    tcase_add_test(tests, test_legacy_of_another_job_is_not_taken_over);
    tcase_add_test(tests, test_legacy_is_removed_once_ood_forgot_it);
    tcase_add_test(tests, test_legacy_is_a_file);
    tests = add_fixed_case(suite, "own sessions");
    tcase_add_test(tests, test_own_session_of_the_same_id);
    tcase_add_test(tests, test_the_card_gets_its_id_when_the_own_session_has_gone);
    tcase_add_test(tests, test_unmarked_directory_of_the_same_id);
    tcase_add_test(tests, test_an_empty_directory_is_nobodys);
    tcase_add_test(tests, test_unmarked_directories_are_untouched);
    tests = add_fixed_case(suite, "one id, two jobs");
    tcase_add_loop_test(tests, test_another_publisher_names_the_id, 0, 4);
    tcase_add_loop_test(tests, test_another_publisher_names_a_made_id, 0, 2);
    tcase_add_test(tests, test_the_same_publisher_names_the_id_twice);
    tcase_add_loop_test(tests, test_another_publisher_while_the_cluster_is_silent, 0, 2);
    tcase_add_test(tests, test_another_publisher_after_a_new_start);
    return run_suite(suite);
}
