/* SPDX-License-Identifier: MIT */
/* Links: service, card, and all that makes a round. */
#include "service.h"

#include "card.h"
#include "round.h"

#include <stdlib.h>
#include <string.h>

#define SERVICE "'mt_service':'spanish'"
#define SERVICE_KEY "prof/spanish@hpcGrp"
#define NOW 1700000000

static struct mt_settings settings;
static struct mt_specs *last;
static struct mt_specs *now;
static struct script script;
static json_t *file;

static void setup(void)
{
    settings = viewer_settings();
    round_time = NOW;
}

static void teardown(void)
{
    mt_specs_free(&now);
    mt_specs_free(&last);
    script_free(&script);
}

static void next_round(const struct sample *samples, size_t count)
{
    mt_specs_free(&last);
    last = now;
    now = round_of_samples(last, samples, count, &settings);
}

static void next_script(const struct mt_dismissed *dismissed)
{
    mt_specs_free(&last);
    last = now;
    now = round_of(last, &script, &settings, dismissed);
    script_free(&script);
}

static struct sample member(uint32_t job_id)
{
    struct sample sample = good_sample(job_id);
    sample.connection = "{'host':'n1'," SERVICE "}";
    return sample;
}

/* Members of jobs first, first + 1 and so on. */
static void members(struct sample *out, size_t count, uint32_t first)
{
    for (size_t i = 0; i < count; i++)
        out[i] = member(first + (uint32_t)i);
}

static const struct mt_share *job(uint32_t job_id)
{
    return share_of(now, "hpc", job_id);
}

static void add_stream(const char *cluster, const struct sample *samples, size_t count)
{
    script_begin(&script, cluster, "all");
    for (size_t i = 0; i < count; i++) {
        struct sample sample = samples[i];
        sample.cluster = cluster;
        script_job(&script, &sample);
    }
    script_end(&script);
}

/* The only service there is. */
static const struct mt_service *service(void)
{
    ck_assert_uint_eq(now->n_services, 1);
    return &now->services[0];
}

static void assert_alone(const struct mt_share *share)
{
    ck_assert_ptr_null(share->service);
    assert_codes(share, ok, ok);
    ck_assert(share->wants_card);
}

/* Who is a member. */

START_TEST(test_jobs_of_one_service_have_one_card)
{
    struct sample samples[3];
    members(samples, 3, 1);
    next_round(samples, 3);
    const struct mt_service *it = service();
    ck_assert_str_eq(it->key, SERVICE_KEY);
    ck_assert_uint_eq(it->count, 3);
    size_t cards = 0;
    for (uint32_t id = 1; id <= 3; id++) {
        ck_assert_ptr_eq(it->members[id - 1], job(id));
        ck_assert_ptr_eq(job(id)->service, it);
        ck_assert_str_eq(job(id)->card_id, it->card_id);
        ck_assert(job(id)->listed);
        assert_reason(ok, job(id)->specs);
        ck_assert_int_eq(job(id)->wants_card, job(id)->card == MT_REASON_ok);
        ck_assert(job(id)->wants_card || job(id)->card == MT_REASON_other_member);
        cards += job(id)->wants_card;
    }
    ck_assert_uint_eq(cards, 1);
    ck_assert_ptr_eq(it->ranked[0], it->shown);
    ck_assert(it->shown->wants_card);
    ck_assert(mt_card_id_is_made(it->card_id));
}
END_TEST

START_TEST(test_one_job_is_a_service_too)
{
    struct sample samples[] = {member(1)};
    next_round(samples, 1);
    char *id = repeat(service()->card_id, 1);
    assert_codes(job(1), ok, ok);
    samples[0] = member(2);
    next_round(samples, 1);
    ck_assert_str_eq(service()->card_id, id);
    free(id);
}
END_TEST

/* Without service each is its own, with the rules and ids that it had. */
START_TEST(test_a_share_without_a_service_is_as_it_was)
{
    struct sample samples[] = {good_sample(1), member(2), member(3), good_sample(4)};
    next_round(samples, 4);
    assert_alone(job(1));
    ck_assert_str_eq(job(1)->card_id, SESSION);
    ck_assert_uint_eq(service()->count, 2);
    assert_codes(job(4), ok, duplicate_session);
}
END_TEST

/* What a sample is of another one's service by, each with another user, group, app or name. */
static void another_user(struct sample *sample)
{
    sample->user = "mallory";
    sample->uid = 1002;
}

static void another_uid(struct sample *sample)
{
    sample->uid = 1002;
}

static void another_name_of_one_uid(struct sample *sample)
{
    sample->user = "mallory";
}

static void another_group(struct sample *sample)
{
    sample->group = "staff";
    sample->gid = GROUP_GID + 1;
}

static void another_app(struct sample *sample)
{
    sample->mta = "DB_Conn";
}

static void another_service(struct sample *sample)
{
    sample->connection = "{'host':'n1','mt_service':'spanish-2'}";
}

static const struct {
    void (*change)(struct sample *sample);
    bool same_key;
} others[] = {
    {another_user, false},  {another_uid, true}, {another_name_of_one_uid, false},
    {another_group, false}, {another_app, true}, {another_service, false},
};

START_TEST(test_what_differs_is_no_member)
{
    static const uint32_t gids[] = {VIEWER, GROUP_GID, GROUP_GID + 1};
    struct sample samples[] = {member(1), member(2), member(3)};
    settings.gids = gids;
    settings.n_gids = COUNT_OF(gids);
    others[_i].change(&samples[1]);
    next_round(samples, 3);
    ck_assert_ptr_eq(job(1)->service, job(3)->service);
    ck_assert_uint_eq(job(1)->service->count, 2);
    ck_assert(job(1)->wants_card || job(3)->wants_card);
    ck_assert_str_ne(job(2)->card_id, job(1)->card_id);
    ck_assert_uint_eq(now->n_services, others[_i].same_key ? 1 : 2);
    ck_assert_int_eq(job(2)->service == NULL, others[_i].same_key);
    ck_assert(job(2)->listed);
    if (others[_i].change == another_app)
        assert_codes(job(2), ok, service_taken);
    else
        assert_codes(job(2), ok, ok);
    ck_assert_int_eq(job(2)->wants_card, job(2)->card == MT_REASON_ok);
}
END_TEST

/* On another cluster the same uid is somebody else, or one who is called alike is another uid; they
 * began before. Each has a card of their own. */
START_TEST(test_a_stranger_on_another_cluster_is_no_member)
{
    struct sample here[] = {member(10)};
    struct sample there[] = {member(1), member(2), member(3)};
    settings.one_directory = _i == 1;
    there[0].user = "mallory";
    there[1].uid = 1002;
    there[2].user = "eve";
    there[2].uid = 1002;
    there[2].mti = OTHER_SESSION;
    add_stream("hpc", here, 1);
    add_stream("gpu", there, 3);
    next_script(NULL);
    assert_codes(job(10), ok, ok);
    for (uint32_t id = 1; id <= 3; id++) {
        const struct mt_share *share = share_of(now, "gpu", id);
        assert_codes(share, ok, ok);
        ck_assert(share->wants_card);
        ck_assert(!share->service || share->service->count == 1);
        ck_assert_str_ne(share->card_id, job(10)->card_id);
        ck_assert(id == 1 || strcmp(share->card_id, share_of(now, "gpu", id - 1)->card_id) != 0);
    }
}
END_TEST

START_TEST(test_several_clusters_where_a_name_is_one_person)
{
    struct sample samples[] = {member(1), member(2)};
    add_stream("hpc", samples, 1);
    add_stream("gpu", samples + 1, 1);
    next_script(NULL);
    ck_assert_uint_eq(service()->count, 2);
    settings.one_directory = false;
    add_stream("hpc", samples, 1);
    add_stream("gpu", samples + 1, 1);
    next_script(NULL);
    ck_assert_uint_eq(service()->count, 1);
    assert_codes(job(1), ok, ok);
    assert_alone(share_of(now, "gpu", 2));
}
END_TEST

/* Of two apps under one key the oldest member's has it, until that has gone. */
START_TEST(test_a_key_is_of_the_oldest_member)
{
    struct sample samples[] = {member(1), member(2), member(3)};
    another_app(&samples[1]);
    another_app(&samples[2]);
    next_round(samples, 3);
    ck_assert_str_eq(service()->members[0]->message.app, "Ollama_API");
    assert_codes(job(2), ok, service_taken);
    assert_codes(job(3), ok, service_taken);
    next_round(samples + 1, 2);
    ck_assert_str_eq(service()->members[0]->message.app, "DB_Conn");
    ck_assert_uint_eq(service()->count, 2);
}
END_TEST

START_TEST(test_what_the_viewer_does_not_have_is_no_member)
{
    struct sample samples[] = {member(1), member(2), member(3)};
    samples[0].mtu = "2002";
    samples[1].gid = GROUP_GID + 1;
    next_round(samples, 3);
    ck_assert_uint_eq(service()->count, 1);
    assert_codes(job(1), not_recipient, not_recipient);
    assert_codes(job(2), not_member, not_member);
    assert_codes(job(3), ok, ok);
}
END_TEST

/* It was one, and nothing says that it is none. */
START_TEST(test_a_member_that_can_not_be_looked_at_stays_one)
{
    struct sample samples[] = {member(1), member(2)};
    next_round(samples, 2);
    const struct mt_share *chosen = service()->ranked[0];
    uint32_t id = chosen->record.job_id;
    samples[id - 1].gid = -2;
    next_round(samples, 2);
    ck_assert_uint_eq(service()->count, 2);
    ck_assert_uint_eq(service()->ranked[0]->record.job_id, id);
    assert_codes(job(id), lookup_failed, lookup_failed);
    assert_codes(job(3 - id), ok, other_member);
    ck_assert(!mt_service_is_whole(now, service()->key));
}
END_TEST

/* The publisher passes the gate of a group that is not there: nobody else's job is of it. */
START_TEST(test_a_group_that_is_not_there_joins_nothing)
{
    struct sample samples[] = {member(1), member(2)};
    settings.uid = PUBLISHER;
    samples[0].gid = samples[1].gid = -1;
    next_round(samples, 2);
    ck_assert_uint_eq(now->n_services, 0);
    ck_assert(job(1)->listed && job(2)->listed);
}
END_TEST

START_TEST(test_a_publisher_has_no_card_of_their_own_service)
{
    struct sample samples[] = {member(1), member(2)};
    settings.uid = PUBLISHER;
    next_round(samples, 2);
    ck_assert_uint_eq(service()->count, 2);
    assert_codes(job(1), ok, own_session);
    assert_codes(job(2), ok, own_session);
}
END_TEST

START_TEST(test_members_of_a_cluster_that_does_not_answer)
{
    struct sample samples[] = {member(1), member(2)};
    add_stream("hpc", samples, 1);
    add_stream("gpu", samples + 1, 1);
    next_script(NULL);
    add_stream("hpc", samples, 1);
    next_script(NULL);
    ck_assert_uint_eq(service()->count, 2);
    add_stream("hpc", NULL, 0);
    next_script(NULL);
    ck_assert_uint_eq(service()->count, 1);
    ck_assert(!service()->shown->current);
    ck_assert(mt_share_is_due(service()->shown));
}
END_TEST

START_TEST(test_a_thousand_members)
{
    struct sample *samples = calloc(1000, sizeof *samples);
    members(samples, 1000, 1);
    next_round(samples, 1000);
    ck_assert_uint_eq(service()->count, MT_SHARES_PER_PUBLISHER);
    size_t cards = 0;
    for (size_t i = 0; i < now->count; i++)
        cards += now->shares[i].wants_card;
    ck_assert_uint_eq(cards, 1);
    assert_codes(job(MT_SHARES_PER_PUBLISHER + 1), too_many, too_many);
    free(samples);
}
END_TEST

/* Which member. */

static const struct mt_share *chosen_by(uint32_t uid)
{
    char *recipients = repeat(format("%u", uid), 1);
    struct sample samples[3];
    members(samples, 3, 4711);
    for (size_t i = 0; i < 3; i++)
        samples[i].mtu = recipients;
    settings.uid = uid;
    teardown();
    now = round_of_samples(NULL, samples, 3, &settings);
    free(recipients);
    return service()->ranked[0];
}

/* Known answers, which do not come from the core. */
START_TEST(test_known_answers)
{
    const json_t *vector = json_array_get(json_object_get(file, "vectors"), (size_t)_i);
    const json_t *told = json_object_get(vector, "members");
    uint32_t uid = (uint32_t)json_integer_value(json_object_get(vector, "uid"));
    char *recipients = repeat(format("%u", uid), 1);
    size_t i;
    json_t *it;
    json_array_foreach(told, i, it)
    {
        struct sample sample = member((uint32_t)json_integer_value(json_object_get(it, "job")));
        sample.mtu = recipients;
        add_stream(json_string_value(json_object_get(it, "cluster")), &sample, 1);
    }
    settings.uid = uid;
    next_script(NULL);
    json_array_foreach(told, i, it)
    {
        const struct mt_share *share =
            share_of(now, json_string_value(json_object_get(it, "cluster")),
                     (uint32_t)json_integer_value(json_object_get(it, "job")));
        char hex[2 * MT_DIGEST_BYTES + 1] = "";
        for (size_t byte = 0; byte < MT_DIGEST_BYTES; byte++)
            append(hex, sizeof hex, "%02x", share->weight[byte]);
        ck_assert_str_eq(hex, json_string_value(json_object_get(it, "sha256")));
        ck_assert_int_eq(share == service()->ranked[0],
                         json_is_true(json_object_get(it, "chosen")));
    }
    free(recipients);
}
END_TEST

START_TEST(test_viewers_spread_over_the_copies)
{
    size_t counts[3] = {0};
    for (uint32_t uid = 20001; uid <= 20600; uid++)
        counts[chosen_by(uid)->record.job_id - 4711]++;
    for (size_t i = 0; i < 3; i++)
        ck_assert_msg(counts[i] >= 160 && counts[i] <= 240, "%zu", counts[i]);
}
END_TEST

START_TEST(test_only_the_viewers_of_a_copy_that_has_gone_move)
{
    for (uint32_t uid = 20001; uid <= 20050; uid++) {
        uint32_t was = chosen_by(uid)->record.job_id;
        char *recipients = repeat(format("%u", uid), 1);
        struct sample left[] = {member(4711), member(4713)};
        left[0].mtu = left[1].mtu = recipients;
        next_round(left, 2);
        if (was != 4712)
            ck_assert_uint_eq(service()->ranked[0]->record.job_id, was);
        free(recipients);
    }
}
END_TEST

/* Two processes of one viewer choose alike, whatever they saw before. */
START_TEST(test_the_order_of_records_has_no_say)
{
    struct sample samples[] = {member(1), member(2), member(3)};
    next_round(samples, 3);
    uint32_t chosen = service()->ranked[0]->record.job_id;
    for (size_t i = 0; i < 3; i++)
        samples[i].start = 5000 - samples[i].start;
    next_round(samples, 3);
    ck_assert_uint_eq(service()->ranked[0]->record.job_id, chosen);
}
END_TEST

static uint32_t choose_at(int64_t time, int64_t next)
{
    ck_assert_int_eq(mt_services_choose(now, &settings, time), next);
    ck_assert(service()->ranked[0]->wants_card);
    ck_assert_uint_eq(job(1)->wants_card + job(2)->wants_card, 1);
    return service()->ranked[0]->record.job_id;
}

/* By the clock alone: nothing is read between. */
START_TEST(test_a_member_that_is_leaving_is_left)
{
    struct sample samples[] = {member(1), member(2)};
    next_round(samples, 2);
    uint32_t first = service()->ranked[0]->record.job_id;
    samples[first - 1].end = NOW + 1000;
    next_round(samples, 2);
    ck_assert_uint_eq(choose_at(NOW + 400, NOW + 401), first);
    ck_assert_uint_eq(choose_at(NOW + 401, 0), 3 - first);
    /* the other one leaves, too: over all again */
    samples[2 - first].end = NOW + 2000;
    next_round(samples, 2);
    ck_assert_uint_eq(choose_at(NOW, NOW + 401), first);
    ck_assert_uint_eq(choose_at(NOW + 401, NOW + 1401), 3 - first);
    ck_assert_uint_eq(choose_at(NOW + 1401, 0), first);
}
END_TEST

START_TEST(test_each_member_has_its_own_lead)
{
    struct sample samples[] = {member(1), member(2)};
    next_round(samples, 2);
    uint32_t first = service()->ranked[0]->record.job_id;
    samples[first - 1].end = NOW + 3600;
    samples[first - 1].connection = "{'host':'n1'," SERVICE ",'mt_lead':30}";
    next_round(samples, 2);
    ck_assert_uint_eq(choose_at(NOW + 1800, NOW + 1801), first);
    ck_assert_uint_eq(choose_at(NOW + 1801, 0), 3 - first);
}
END_TEST

START_TEST(test_alone_a_member_stays_to_its_end)
{
    struct sample samples[] = {member(1)};
    samples[0].end = NOW + 10;
    next_round(samples, 1);
    ck_assert_int_eq(mt_services_choose(now, &settings, NOW), 0);
    assert_codes(job(1), ok, ok);
}
END_TEST

/* The card. */

START_TEST(test_the_card_is_of_a_member_with_an_ood_cluster)
{
    static const struct mt_cluster clusters[] = {{"hpc", "deac"}};
    struct sample samples[] = {member(1), member(2)};
    settings.clusters = clusters;
    settings.n_clusters = 1;
    for (uint32_t far = 1; far <= 2; far++) {
        add_stream("hpc", &samples[2 - far], 1);
        add_stream("far", &samples[far - 1], 1);
        next_script(NULL);
        ck_assert_uint_eq(service()->count, 2);
        ck_assert_str_eq(service()->shown->record.cluster, "hpc");
        assert_codes(job(3 - far), ok, ok);
        assert_codes(share_of(now, "far", far), ok, other_member);
    }
    add_stream("far", samples, 2);
    add_stream("hpc", NULL, 0);
    next_script(NULL);
    ck_assert_ptr_null(service()->shown);
    ck_assert_ptr_nonnull(service()->ranked[0]);
    assert_codes(share_of(now, "far", 1), ok, unknown_cluster);
}
END_TEST

START_TEST(test_delivery_method_and_title_are_the_youngest_ones)
{
    struct sample samples[] = {member(1), member(2), member(3)};
    samples[2].connection = "{'host':'n3'," SERVICE ",'mt_title':'New'}";
    samples[2].mtd = "sys/multitenant-delivery_new";
    next_round(samples, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_ptr_eq(mt_service_look(job((uint32_t)i + 1)), &job(3)->message);
    struct mt_card card;
    ck_assert_int_eq(mt_card_render(service()->shown, &card), MT_OK);
    ck_assert_ptr_nonnull(strstr(card.db, "\"title\":\"prof: New\""));
    ck_assert_ptr_nonnull(strstr(card.db, "\"token\":\"sys/multitenant-delivery_new\""));
    ck_assert_ptr_nonnull(strstr(card.mark, "\"service\":\"" SERVICE_KEY "\""));
    ck_assert_ptr_null(strstr(card.connection, "mt_service"));
    mt_card_free(&card);
    samples[2].mtm = "form";
    next_round(samples, 3);
    for (uint32_t id = 1; id <= 3; id++)
        assert_codes(job(id), ok, form_only);
    samples[2].mtm = "card";
    samples[0].mtm = "form";
    next_round(samples, 3);
    ck_assert(service()->shown->wants_card);
}
END_TEST

/* It would be the id of everybody's card who names the same. */
START_TEST(test_the_session_id_of_a_service_is_nobodys)
{
    struct sample samples[] = {member(1), good_sample(2)};
    samples[1].user = "other";
    samples[1].uid = 1002;
    next_round(samples, 2);
    assert_codes(job(2), ok, ok);
    ck_assert_str_eq(job(2)->card_id, SESSION);
}
END_TEST

START_TEST(test_a_dismissal_holds_for_the_service)
{
    struct sample samples[] = {member(1), member(2)};
    struct mt_dismissed list = {0};
    next_round(samples, 1);
    struct mt_dismissal gone = {"hpc", "multitenant", 1, service()->card_id, SERVICE_KEY};
    ck_assert_int_eq(mt_dismissed_add(&list, &gone), MT_OK);
    add_stream("hpc", samples + 1, 1);
    next_script(&list);
    ck_assert(service()->dismissed);
    assert_codes(job(2), ok, dismissed);
    ck_assert(!job(2)->wants_card && job(2)->listed);
    (void)mt_services_choose(now, &settings, NOW);
    assert_codes(job(2), ok, dismissed);
    mt_dismissed_free(&list);
}
END_TEST

START_TEST(test_a_card_that_was_sent_away_does_not_come_back_as_a_services)
{
    struct sample samples[] = {member(1), member(2)};
    struct mt_dismissed list = {0};
    const struct mt_dismissal gone = {"hpc", "multitenant", 1, SESSION, NULL};
    ck_assert_int_eq(mt_dismissed_add(&list, &gone), MT_OK);
    add_stream("hpc", samples, 1);
    next_script(&list);
    assert_codes(job(1), ok, dismissed);
    add_stream("hpc", samples, 2);
    next_script(&list);
    ck_assert(!service()->dismissed);
    mt_dismissed_free(&list);
}
END_TEST

START_TEST(test_dismissed_in_a_round)
{
    struct sample samples[] = {member(1), member(2)};
    next_round(samples, 2);
    ck_assert_ptr_null(mt_service_of_card(now, SESSION));
    mt_service_dismiss(mt_service_of_card(now, job(1)->card_id));
    assert_codes(job(1), ok, dismissed);
    assert_codes(job(2), ok, dismissed);
    ck_assert(!job(1)->wants_card && !job(2)->wants_card);
}
END_TEST

int main(void)
{
    file = json_load_file(VECTORS "/members.json", 0, NULL);
    const json_t *vectors = json_object_get(file, "vectors");
    Suite *suite = suite_create("service");
    TCase *tests = add_case(suite, "members");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_jobs_of_one_service_have_one_card);
    tcase_add_test(tests, test_one_job_is_a_service_too);
    tcase_add_test(tests, test_a_share_without_a_service_is_as_it_was);
    tcase_add_loop_test(tests, test_what_differs_is_no_member, 0, (int)COUNT_OF(others));
    tcase_add_loop_test(tests, test_a_stranger_on_another_cluster_is_no_member, 0, 2);
    tcase_add_test(tests, test_several_clusters_where_a_name_is_one_person);
    tcase_add_test(tests, test_a_key_is_of_the_oldest_member);
    tcase_add_test(tests, test_what_the_viewer_does_not_have_is_no_member);
    tcase_add_test(tests, test_a_member_that_can_not_be_looked_at_stays_one);
    tcase_add_test(tests, test_a_group_that_is_not_there_joins_nothing);
    tcase_add_test(tests, test_a_publisher_has_no_card_of_their_own_service);
    tcase_add_test(tests, test_members_of_a_cluster_that_does_not_answer);
    tcase_add_test(tests, test_a_thousand_members);
    tests = add_case(suite, "choice");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_known_answers, 0, vectors ? (int)json_array_size(vectors) : 1);
    tcase_add_test(tests, test_viewers_spread_over_the_copies);
    tcase_add_test(tests, test_only_the_viewers_of_a_copy_that_has_gone_move);
    tcase_add_test(tests, test_the_order_of_records_has_no_say);
    tcase_add_test(tests, test_a_member_that_is_leaving_is_left);
    tcase_add_test(tests, test_each_member_has_its_own_lead);
    tcase_add_test(tests, test_alone_a_member_stays_to_its_end);
    tests = add_case(suite, "card");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_the_card_is_of_a_member_with_an_ood_cluster);
    tcase_add_test(tests, test_delivery_method_and_title_are_the_youngest_ones);
    tcase_add_test(tests, test_the_session_id_of_a_service_is_nobodys);
    tcase_add_test(tests, test_a_dismissal_holds_for_the_service);
    tcase_add_test(tests, test_a_card_that_was_sent_away_does_not_come_back_as_a_services);
    tcase_add_test(tests, test_dismissed_in_a_round);
    int status = run_suite(suite);
    json_decref(file);
    return status;
}
