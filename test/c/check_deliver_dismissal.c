/* SPDX-License-Identifier: MIT */
/* Dismissing cards and bringing them back. Links: deliver, inventory, card, and all that makes a
 * round. */
#include "delivery.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Dismissals. */

START_TEST(test_a_dismissed_card_goes)
{
    struct sample sample = good_sample(4711);
    struct mt_dismissed list;
    deliver_job(&sample);
    dismiss(4711);
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_end(&script);
    ck_assert_int_eq(load_dismissed(top, &list), MT_OK);
    struct mt_specs *last = specs;
    specs = round_of(last, &script, &settings, &list);
    mt_specs_free(&last);
    mt_dismissed_free(&list);
    deliver();
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    ck_assert(is_dismissed(4711));
}
END_TEST

START_TEST(test_a_dismissal_ends_with_its_job)
{
    struct sample sample = good_sample(4712);
    sample.mtm = "form";
    dismiss(4711);
    dismiss(4712);
    deliver_job(&sample);
    ck_assert(!is_dismissed(4711));
    ck_assert(is_dismissed(4712));
    deliver_jobs(NULL, 0);
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
}
END_TEST

/* Of two web hosts the one with the older answer does not know the job yet. */
START_TEST(test_a_dismissal_that_is_younger_than_the_answer_stays)
{
    const struct timespec after[] = {{.tv_sec = 1700000001}, {.tv_sec = 1700000001}};
    const struct timespec then[] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    dismiss(4711);
    ck_assert_int_eq(utimensat(AT_FDCWD, at("batch_connect/multitenant.dismissed"), after, 0), 0);
    deliver_jobs(NULL, 0);
    ck_assert(is_dismissed(4711));
    ck_assert_int_eq(utimensat(AT_FDCWD, at("batch_connect/multitenant.dismissed"), then, 0), 0);
    deliver_jobs(NULL, 0);
    ck_assert(!is_dismissed(4711));
}
END_TEST

START_TEST(test_a_dismissal_stays_without_proof_of_the_end)
{
    dismiss(4711);
    script_begin(&script, "hpc", "own");
    script_end(&script);
    deliver_script();
    ck_assert(is_dismissed(4711));
    script_begin(&script, "gpu", "all");
    script_end(&script);
    deliver_script();
    ck_assert(is_dismissed(4711));
    next_round(NULL, 0);
    ck_assert_int_eq(deliver_as(true), MT_OK);
    ck_assert(is_dismissed(4711));
}
END_TEST

/* Sending a card away, and bringing it back. */

/* @return whether there was one; what was told and done is noted as for a delivery */
static bool send_away(const char *id)
{
    bool found = true;
    *told = *steps = '\0';
    n_steps = 0;
    ck_assert_int_eq(mt_deliver_dismiss(specs, &settings, id, &found, note, told), MT_OK);
    return found;
}

static bool bring_back(const char *id)
{
    bool found = true;
    *told = '\0';
    ck_assert_int_eq(mt_deliver_restore(&settings, id, &found, note, told), MT_OK);
    assert_told("%s", "");
    return found;
}

START_TEST(test_a_card_is_sent_away)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert(send_away(SESSION));
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    ck_assert(is_dismissed(4711));
    ck_assert_int_eq(specs->shares[0].card, MT_REASON_dismissed);
    ck_assert(!specs->shares[0].wants_card);
    ck_assert(specs->shares[0].listed);
    /* The round was made before, and is delivered after it. */
    ck_assert_int_eq(deliver_as(false), MT_OK);
    assert_no_card(SESSION);
}
END_TEST

/* The mark says all that is needed: Slurm need not have answered yet. */
START_TEST(test_a_card_is_sent_away_without_a_round)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    mt_specs_free(&specs);
    ck_assert(send_away(SESSION));
    assert_no_card(SESSION);
    ck_assert(is_dismissed(4711));
}
END_TEST

START_TEST(test_only_that_card_is_sent_away)
{
    struct sample samples[] = {good_sample(4711), good_sample(4712)};
    samples[1].mti = OTHER_SESSION;
    deliver_jobs(samples, 2);
    ck_assert(send_away(OTHER_SESSION));
    assert_card(SESSION, 4711, "n1");
    assert_no_card(OTHER_SESSION);
    ck_assert(!is_dismissed(4711));
}
END_TEST

START_TEST(test_a_card_of_the_old_initializer_is_sent_away)
{
    put_legacy(4711, "null");
    ck_assert(send_away(SESSION));
    assert_no_card(SESSION);
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
}
END_TEST

START_TEST(test_what_is_the_users_own_is_not_sent_away)
{
    put_own_session();
    char *before = picture_of(top);
    ck_assert(!send_away(SESSION));
    ck_assert(!send_away("../../x"));
    ck_assert(!send_away(""));
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}
END_TEST

/* A dismissal that can't be kept would be forgotten at the next round: the card stays. */
START_TEST(test_a_card_stays_where_its_dismissal_can_not_be_kept)
{
    struct sample sample = good_sample(4711);
    bool found = true;
    deliver_job(&sample);
    ck_assert_int_eq(symlink("elsewhere", at("batch_connect/multitenant.dismissed")), 0);
    ck_assert_int_ne(mt_deliver_dismiss(specs, &settings, SESSION, &found, note, told), MT_OK);
    ck_assert(!found);
    assert_card(SESSION, 4711, "n1");
    ck_assert_int_eq(specs->shares[0].card, MT_REASON_ok);
}
END_TEST

START_TEST(test_files_that_stay_are_told)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    for (failing_step = 2; failing_step < 4; failing_step++) { /* the first is the note */
        ck_assert(send_away(SESSION));
        ck_assert_ptr_nonnull(strstr(told, "failed "));
        ck_assert(is_dismissed(4711));
    }
    failing_step = 0;
    ck_assert(send_away(SESSION));
    assert_no_card(SESSION);
}
END_TEST

START_TEST(test_a_card_is_brought_back)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert(!bring_back(SESSION));
    ck_assert(send_away(SESSION));
    ck_assert(!bring_back(OTHER_SESSION));
    ck_assert(!bring_back("471"));
    ck_assert(bring_back("4711"));
    deliver_job(&sample);
    ck_assert(send_away(SESSION));
    ck_assert(bring_back(SESSION));
    ck_assert(!is_dismissed(4711));
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_neither_is_done_beside_another_process)
{
    int dir = -1;
    int lock = -1;
    bool found = true;
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    take_lock(&dir, &lock);
    ck_assert_int_eq(mt_deliver_dismiss(specs, &settings, SESSION, &found, note, told), MT_BUSY);
    ck_assert(!found);
    assert_card(SESSION, 4711, "n1");
    ck_assert_int_eq(mt_deliver_restore(&settings, SESSION, &found, note, told), MT_BUSY);
    end_lock(dir, lock);
}
END_TEST

START_TEST(test_neither_makes_a_data_root)
{
    char *root = strdup(at("absent"));
    settings.dataroot = root;
    ck_assert(!send_away(SESSION));
    ck_assert(!bring_back(SESSION));
    ck_assert(!exists(root));
    free(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deliver_dismissal");
    TCase *tests = add_fixed_case(suite, "dismissals");
    tcase_add_test(tests, test_a_dismissed_card_goes);
    tcase_add_test(tests, test_a_dismissal_ends_with_its_job);
    tcase_add_test(tests, test_a_dismissal_that_is_younger_than_the_answer_stays);
    tcase_add_test(tests, test_a_dismissal_stays_without_proof_of_the_end);
    tests = add_fixed_case(suite, "sending away");
    tcase_add_test(tests, test_a_card_is_sent_away);
    tcase_add_test(tests, test_a_card_is_sent_away_without_a_round);
    tcase_add_test(tests, test_only_that_card_is_sent_away);
    tcase_add_test(tests, test_a_card_of_the_old_initializer_is_sent_away);
    tcase_add_test(tests, test_what_is_the_users_own_is_not_sent_away);
    tcase_add_test(tests, test_a_card_stays_where_its_dismissal_can_not_be_kept);
    tcase_add_test(tests, test_files_that_stay_are_told);
    tcase_add_test(tests, test_a_card_is_brought_back);
    tcase_add_test(tests, test_neither_is_done_beside_another_process);
    tcase_add_test(tests, test_neither_makes_a_data_root);
    return run_suite(suite);
}
