/* SPDX-License-Identifier: MIT */
/* The one card of a service of several jobs. Links: deliver, inventory, card, and all that makes a
 * round. */
#include "delivery.h"

#include "service.h"

#define CONNECTION(host) "{'host':'" host "','mt_service':'spanish'}"
#define NOW 1700000000

static struct sample member(uint32_t job_id)
{
    static const char *const connections[] = {CONNECTION("n0"), CONNECTION("n1"), CONNECTION("n2"),
                                              CONNECTION("n3")};
    struct sample sample = good_sample(job_id);
    sample.connection = connections[job_id % 4];
    return sample;
}

static const struct mt_service *service(void)
{
    ck_assert_uint_eq(specs->n_services, 1);
    return &specs->services[0];
}

/* The card of the last delivery, which is the service's. */
static void assert_service_card(const char *id, uint32_t job_id)
{
    char host[] = {'n', (char)('0' + job_id % 4), '\0'};
    assert_card(id, job_id, host);
    json_t *mark = load(mark_of(id));
    ck_assert_str_eq(json_string_value(json_object_get(mark, "service")), "prof/spanish@hpcGrp");
    json_decref(mark);
}

/* One delivery of a member; returns the card's id, which the caller frees. */
static char *deliver_member(uint32_t job_id)
{
    struct sample sample = member(job_id);
    deliver_job(&sample);
    char *id = repeat(service()->card_id, 1);
    assert_service_card(id, job_id);
    return id;
}

static void deliver_streams(const struct sample *hpc, const char *sees, const struct sample *gpu)
{
    script_begin(&script, "hpc", sees);
    if (hpc)
        script_job(&script, hpc);
    script_end(&script);
    if (gpu) {
        script_begin(&script, "gpu", "all");
        if (gpu->cluster)
            script_job(&script, gpu);
        script_end(&script);
    }
    deliver_script();
}

static const struct sample none = {.cluster = NULL};

START_TEST(test_it_is_rewritten_in_place)
{
    char *id = deliver_member(1);
    struct sample samples[] = {member(1), member(2)};
    ino_t output = inode_of(output_of(id));
    deliver_jobs(samples, 2);
    assert_service_card(id, service()->shown->record.job_id);
    struct sample next = member(3);
    deliver_job(&next);
    assert_service_card(id, 3);
    assert_told("written %s\n", id);
    ck_assert_ptr_null(strstr(steps, "remove"));
    ck_assert_uint_eq(inode_of(output_of(id)), output);
    deliver_job(&next);
    assert_told("kept %s\n", id);
    deliver_jobs(NULL, 0);
    assert_told("removed %s\n", id);
    assert_no_card(id);
    free(id);
}
END_TEST

/* By the clock, without a new answer. */
START_TEST(test_it_follows_the_choice)
{
    struct sample samples[] = {member(1), member(2)};
    deliver_jobs(samples, 2);
    uint32_t first = service()->shown->record.job_id;
    char *id = repeat(service()->card_id, 1);
    samples[first - 1].end = NOW + 601;
    round_time = NOW;
    next_round(samples, 2);
    deliver();
    assert_service_card(id, first);
    ck_assert_int_eq(mt_services_choose(specs, &settings, NOW + 2), 0);
    deliver();
    assert_service_card(id, 3 - first);
    assert_told("written %s\n", id);
    ck_assert_ptr_null(strstr(steps, "remove"));
    free(id);
}
END_TEST

START_TEST(test_the_card_of_a_job_becomes_that_of_its_service)
{
    struct sample sample = good_sample(1);
    deliver_job(&sample);
    assert_card(SESSION, 1, "n1");
    char *id = deliver_member(1);
    assert_no_card(SESSION);
    sample = good_sample(1);
    deliver_job(&sample);
    assert_card(SESSION, 1, "n1");
    assert_no_card(id);
    free(id);
}
END_TEST

START_TEST(test_a_changed_delivery_moves_it_within_one_delivery)
{
    char *id = deliver_member(1);
    struct sample samples[] = {member(1), member(2)};
    samples[1].mtd = "sys/multitenant-delivery_new";
    deliver_jobs(samples, 2);
    ck_assert(!exists(output_of(id)));
    ck_assert(exists(at(format("batch_connect/sys/multitenant-delivery_new/output/%s", id))));
    ck_assert(exists(db_of(id)));
    free(id);
}
END_TEST

START_TEST(test_it_goes_for_a_final_reason)
{
    char *id = deliver_member(1);
    struct sample sample = member(2);
    sample.mtm = "form";
    deliver_job(&sample);
    assert_no_card(id);
    free(deliver_member(2));
    sample = member(2);
    sample.mtu = "2002";
    deliver_job(&sample);
    assert_no_card(id);
    free(id);
}
END_TEST

/* The job that it shows has ended, and the next one can't be looked at yet, also by a new process.
 */
START_TEST(test_it_stays_while_a_member_can_not_be_looked_at)
{
    char *id = deliver_member(1);
    struct sample sample = member(2);
    sample.gid = -2;
    if (_i == 1)
        mt_specs_free(&specs);
    deliver_job(&sample);
    ck_assert_uint_eq(specs->n_services, 0);
    assert_service_card(id, 1);
    sample = member(2);
    deliver_job(&sample);
    assert_service_card(id, 2);
    free(id);
}
END_TEST

/* Else anybody's job in the group would keep the cards of all services that have ended. */
START_TEST(test_it_goes_although_a_job_of_another_publisher_can_not_be_looked_at)
{
    char *id = deliver_member(1);
    struct sample sample = member(2);
    sample.user = "professor";
    sample.uid = PUBLISHER + 1;
    sample.gid = -2;
    deliver_job(&sample);
    assert_no_card(id);
    free(id);
}
END_TEST

/* What was known of a member, which can't be looked at this time, is enough to show it. */
START_TEST(test_it_shows_a_member_that_was_known)
{
    struct sample samples[] = {member(1), member(2)};
    deliver_jobs(samples, 2);
    char *id = repeat(service()->card_id, 1);
    uint32_t other = 3 - service()->shown->record.job_id;
    samples[other - 1].gid = -2;
    deliver_job(&samples[other - 1]);
    assert_service_card(id, other);
    assert_told("written %s\n", id);
    assert_codes(share_of(specs, "hpc", other), lookup_failed, lookup_failed);
    free(id);
}
END_TEST

/* Its member has ended; another one's cluster does not answer this time. */
START_TEST(test_it_shows_a_member_of_a_cluster_that_does_not_answer)
{
    struct sample here = member(1);
    struct sample there = member(2);
    there.cluster = "gpu";
    deliver_streams(&here, "all", &there);
    char *id = repeat(service()->card_id, 1);
    deliver_streams(NULL, "all", NULL);
    assert_service_card(id, 2);
    ck_assert_ptr_null(strstr(steps, "remove"));
    deliver_streams(NULL, "all", &none);
    assert_no_card(id);
    free(id);
}
END_TEST

START_TEST(test_it_is_kept_without_proof_of_the_end)
{
    char *id = deliver_member(1);
    deliver_streams(NULL, "own", NULL);
    assert_service_card(id, 1);
    deliver_streams(NULL, "all", NULL);
    assert_no_card(id);
    free(id);
}
END_TEST

START_TEST(test_a_data_root_per_cluster)
{
    struct sample here = member(1);
    struct sample there = member(2);
    there.cluster = "gpu";
    settings.per_cluster_dataroot = true;
    deliver_streams(&here, "all", &none);
    char *id = repeat(service()->card_id, 1);
    ck_assert(exists(at(format("batch_connect/deac/" TOKEN "/output/%s", id))));
    deliver_streams(NULL, "all", &there);
    ck_assert(exists(at(format("batch_connect/gpu/" TOKEN "/output/%s", id))));
    ck_assert(!exists(at("batch_connect/deac/" TOKEN "/output")));
    ck_assert(exists(db_of(id)));
    free(id);
}
END_TEST

/* A session of the viewer's own, who could compute the id: it is theirs. */
START_TEST(test_the_id_is_taken)
{
    char *id = deliver_member(1);
    deliver_jobs(NULL, 0);
    make_dirs(at("batch_connect/db"));
    write_text(db_of(id), "{\"token\":\"sys/jupyter\",\"job_id\":\"9\"}", 0600);
    struct sample sample = member(1);
    deliver_job(&sample);
    ck_assert_str_ne(id_of(1), id);
    assert_service_card(id_of(1), 1);
    char *other = repeat(id_of(1), 1);
    sample = member(2);
    deliver_job(&sample);
    assert_no_card(other);
    assert_service_card(id_of(2), 2);
    free(other);
    free(id);
}
END_TEST

/* Dismissing it. */

static bool dismiss_card(const char *id)
{
    bool found = false;
    *told = *steps = '\0';
    ck_assert_int_eq(mt_deliver_dismiss(specs, &settings, id, &found, note, told), MT_OK);
    return found;
}

static bool restore_card(const char *id)
{
    bool found = false;
    ck_assert_int_eq(mt_deliver_restore(&settings, id, &found, note, told), MT_OK);
    return found;
}

/* The next round knows the list, as the binding reads it. */
static void deliver_listed(const struct sample *sample)
{
    struct mt_dismissed list;
    struct mt_specs *last = specs;
    ck_assert_int_eq(load_dismissed(top, &list), MT_OK);
    script_begin(&script, "hpc", "all");
    script_job(&script, sample);
    script_end(&script);
    specs = round_of(last, &script, &settings, &list);
    mt_specs_free(&last);
    script_free(&script);
    mt_dismissed_free(&list);
    deliver();
}

static bool is_noted(const char *id)
{
    struct mt_dismissed list;
    ck_assert_int_eq(load_dismissed(top, &list), MT_OK);
    bool has = mt_dismissed_has_card(&list, id);
    mt_dismissed_free(&list);
    return has;
}

START_TEST(test_a_dismissal_outlives_its_job)
{
    char *id = deliver_member(1);
    ck_assert(dismiss_card(id));
    assert_no_card(id);
    assert_codes(share_of(specs, "hpc", 1), ok, dismissed);
    deliver();
    assert_no_card(id);
    for (uint32_t job_id = 1; job_id <= 3; job_id++) {
        struct sample sample = member(job_id);
        deliver_listed(&sample);
        ck_assert(is_noted(id));
        assert_no_card(id);
        assert_codes(share_of(specs, "hpc", job_id), ok, dismissed);
    }
    free(id);
}
END_TEST

/* By a process that asked nobody yet. */
START_TEST(test_it_is_dismissed_without_a_round)
{
    char *id = deliver_member(1);
    mt_specs_free(&specs);
    ck_assert(dismiss_card(id));
    ck_assert(is_noted(id));
    struct sample sample = member(2);
    deliver_listed(&sample);
    assert_no_card(id);
    free(id);
}
END_TEST

START_TEST(test_a_dismissal_ends_where_no_cluster_has_a_member)
{
    char *id = deliver_member(1);
    struct sample there = member(2);
    struct sample unknown = member(3);
    there.cluster = "gpu";
    unknown.gid = -2;
    struct sample of_another = unknown;
    of_another.user = "professor";
    of_another.uid = PUBLISHER + 1;
    ck_assert(dismiss_card(id));
    deliver_streams(NULL, "all", NULL);
    ck_assert(is_noted(id));
    deliver_streams(NULL, "all", &there);
    ck_assert(is_noted(id));
    deliver_streams(NULL, "own", &none);
    ck_assert(is_noted(id));
    deliver_streams(&unknown, "all", &none);
    ck_assert(is_noted(id));
    deliver_streams(&of_another, "all", &none);
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
    free(id);
}
END_TEST

/* Where a name on another cluster is somebody else's, its own cluster tells. */
START_TEST(test_a_dismissal_ends_with_its_cluster)
{
    settings.one_directory = false;
    char *id = deliver_member(1);
    ck_assert(dismiss_card(id));
    deliver_streams(NULL, "all", NULL);
    ck_assert(!is_noted(id));
    free(id);
}
END_TEST

START_TEST(test_it_is_brought_back)
{
    char *id = deliver_member(1);
    const char *const names[] = {id, "1", "prof/spanish@hpcGrp"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert(dismiss_card(id));
        ck_assert(!restore_card("prof/spanish@hpcGr"));
        ck_assert(restore_card(names[i]));
        ck_assert(!restore_card(names[i]));
        free(deliver_member(1));
    }
    free(id);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deliver_service");
    TCase *tests = add_fixed_case(suite, "card");
    tcase_add_test(tests, test_it_is_rewritten_in_place);
    tcase_add_test(tests, test_it_follows_the_choice);
    tcase_add_test(tests, test_the_card_of_a_job_becomes_that_of_its_service);
    tcase_add_test(tests, test_a_changed_delivery_moves_it_within_one_delivery);
    tcase_add_test(tests, test_it_goes_for_a_final_reason);
    tcase_add_loop_test(tests, test_it_stays_while_a_member_can_not_be_looked_at, 0, 2);
    tcase_add_test(tests, test_it_goes_although_a_job_of_another_publisher_can_not_be_looked_at);
    tcase_add_test(tests, test_it_shows_a_member_that_was_known);
    tcase_add_test(tests, test_it_shows_a_member_of_a_cluster_that_does_not_answer);
    tcase_add_test(tests, test_it_is_kept_without_proof_of_the_end);
    tcase_add_test(tests, test_a_data_root_per_cluster);
    tcase_add_test(tests, test_the_id_is_taken);
    tests = add_fixed_case(suite, "dismissal");
    tcase_add_test(tests, test_a_dismissal_outlives_its_job);
    tcase_add_test(tests, test_it_is_dismissed_without_a_round);
    tcase_add_test(tests, test_a_dismissal_ends_where_no_cluster_has_a_member);
    tcase_add_test(tests, test_a_dismissal_ends_with_its_cluster);
    tcase_add_test(tests, test_it_is_brought_back);
    return run_suite(suite);
}
