/* SPDX-License-Identifier: MIT */
/*
 * Links: specs, coverage, card_id, dismissed, store, and all that reads and opens a record.
 * mt_envelope_open is wrapped: the tests count what is opened.
 */
#include "specs.h"

#include "envelope.h"
#include "round.h"

#include <stdlib.h>
#include <string.h>

static struct mt_settings settings;
static struct mt_specs *last;
static struct mt_specs *now;
static struct script script;
static json_t *hostile;

static size_t opened;
static enum mt_status open_status;

enum mt_status __real_mt_envelope_open(const struct mt_record *record,
                                       const struct mt_settings *its_settings,
                                       const struct mt_opened *unopened, struct mt_message *out,
                                       enum mt_reason *reason);
enum mt_status __wrap_mt_envelope_open(const struct mt_record *record,
                                       const struct mt_settings *its_settings,
                                       const struct mt_opened *unopened, struct mt_message *out,
                                       enum mt_reason *reason);
enum mt_status __wrap_mt_envelope_open(const struct mt_record *record,
                                       const struct mt_settings *its_settings,
                                       const struct mt_opened *unopened, struct mt_message *out,
                                       enum mt_reason *reason)
{
    opened++;
    if (open_status != MT_OK)
        return open_status;
    return __real_mt_envelope_open(record, its_settings, unopened, out, reason);
}

static void setup(void)
{
    settings = viewer_settings();
    opened = 0;
    open_status = MT_OK;
}

static void teardown(void)
{
    mt_specs_free(&now);
    mt_specs_free(&last);
    script_free(&script);
}

/* The round becomes the last one, and a new one is made at these jobs of hpc. */
static void next_round(const struct sample *samples, size_t count)
{
    mt_specs_free(&last);
    last = now;
    now = round_of_samples(last, samples, count, &settings);
}

/* The same at the script, which is empty afterwards. */
static void next_script(void)
{
    mt_specs_free(&last);
    last = now;
    now = round_of(last, &script, &settings, NULL);
    script_free(&script);
}

static struct mt_share *job(uint32_t job_id)
{
    return share_of(now, "hpc", job_id);
}

static struct sample sample_of(uint32_t job_id, const char *user, uint32_t uid)
{
    struct sample sample = good_sample(job_id);
    sample.user = user;
    sample.uid = uid;
    return sample;
}

static void assert_message(const struct mt_share *share, const char *host)
{
    ck_assert_ptr_nonnull(share->message.accounting);
    ck_assert_str_eq(json_string_value(json_object_get(share->message.connection, "host")), host);
}

/* One round. */

START_TEST(test_good_share)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    const struct mt_share *share = job(4711);
    assert_codes(share, ok, ok);
    assert_reason(ok, share->opened);
    ck_assert(share->listed && share->wants_card && share->current);
    ck_assert_str_eq(share->card_id, SESSION);
    ck_assert_str_eq(share->key, "4711");
    ck_assert_str_eq(share->ood_cluster, "deac");
    ck_assert_str_eq(share->wckeys, "multitenant");
    assert_message(share, "n1");
    ck_assert(mt_coverage_tells(&now->coverage, "hpc", "multitenant", 7));
}
END_TEST

START_TEST(test_nothing)
{
    next_round(NULL, 0);
    ck_assert_uint_eq(now->count, 0);
    ck_assert(mt_coverage_has(&now->coverage, "hpc"));
    ck_assert_ptr_null(mt_specs_find(now, "hpc", 1));
}
END_TEST

START_TEST(test_no_stream)
{
    script_line(&script, "");
    next_script();
    ck_assert_uint_eq(now->count, 0);
    ck_assert(!mt_coverage_has(&now->coverage, "hpc"));
}
END_TEST

static bool expects(const json_t *vector, const char *key, enum mt_reason reason)
{
    size_t i;
    json_t *code;
    json_array_foreach(json_object_get(vector, key), i, code)
    {
        if (strcmp(json_string_value(code), mt_reason_code(reason)) == 0)
            return true;
    }
    return false;
}

START_TEST(test_hostile_name)
{
    const json_t *vector = json_array_get(hostile, (size_t)_i);
    struct sample sample =
        good_sample((uint32_t)json_integer_value(json_object_get(vector, "job_id")));
    sample.user = json_string_value(json_object_get(vector, "user"));
    sample.group = json_string_value(json_object_get(vector, "group"));
    sample.name = json_string_value(json_object_get(vector, "job_name"));
    settings.uid = (uint32_t)json_integer_value(json_object_get(vector, "viewer_uid"));
    next_round(&sample, 1);
    const struct mt_share *share = job(sample.job_id);
    ck_assert_msg(expects(vector, "expect", share->specs), "%s: %s",
                  json_string_value(json_object_get(vector, "label")),
                  mt_reason_code(share->specs));
    ck_assert_msg(expects(vector, "expect_card", share->card), "%s: %s",
                  json_string_value(json_object_get(vector, "label")), mt_reason_code(share->card));
    ck_assert_int_eq(share->listed, share->specs == MT_REASON_ok);
}
END_TEST

START_TEST(test_the_gate_comes_before_the_envelope)
{
    struct sample samples[] = {good_sample(1), good_sample(2), good_sample(3), good_sample(4)};
    samples[0].gid = GROUP_GID + 1;
    samples[1].publisher_in_group = json_false();
    samples[2].gid = -2;
    samples[3].name = "no share";
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), not_member, not_member);
    assert_codes(job(2), publisher_not_member, publisher_not_member);
    assert_codes(job(3), lookup_failed, lookup_failed);
    assert_codes(job(4), malformed_name, malformed_name);
    ck_assert_uint_eq(opened, 0);
    for (uint32_t id = 1; id <= 4; id++) {
        ck_assert(!job(id)->listed && !job(id)->wants_card);
        ck_assert_int_eq(job(id)->opened, MT_REASON_UNTRIED);
        ck_assert_ptr_null(job(id)->message.accounting);
    }
}
END_TEST

START_TEST(test_card_codes)
{
    struct sample samples[] = {good_sample(1), good_sample(2), good_sample(3)};
    samples[0].mtm = "form";
    samples[1].uid = VIEWER;
    samples[1].mtu = "";
    samples[2].mtu = "1";
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), ok, form_only);
    assert_codes(job(2), ok, own_session);
    assert_codes(job(3), not_recipient, not_recipient);
    ck_assert(job(1)->listed && job(2)->listed && !job(3)->listed);
    ck_assert(!job(1)->wants_card && !job(2)->wants_card && !job(3)->wants_card);
}
END_TEST

START_TEST(test_dismissed)
{
    struct mt_dismissed dismissed = {0};
    struct mt_dismissal gone = {"hpc", "multitenant", 4711, SESSION, NULL};
    struct sample samples[] = {good_sample(4711), good_sample(4712)};
    samples[1].mti = OTHER_SESSION;
    ck_assert_int_eq(mt_dismissed_add(&dismissed, &gone), MT_OK);
    script_begin(&script, "hpc", "all");
    script_job(&script, &samples[0]);
    script_job(&script, &samples[1]);
    script_end(&script);
    now = round_of(NULL, &script, &settings, &dismissed);
    assert_codes(job(4711), ok, dismissed);
    ck_assert(job(4711)->listed && !job(4711)->wants_card);
    assert_codes(job(4712), ok, ok);
    mt_dismissed_free(&dismissed);
}
END_TEST

START_TEST(test_a_cluster_without_an_ood_cluster)
{
    struct sample sample = good_sample(4711);
    sample.cluster = "big";
    script_begin(&script, "big", "all");
    script_job(&script, &sample);
    script_end(&script);
    next_script();
    const struct mt_share *share = share_of(now, "big", 4711);
    assert_codes(share, ok, unknown_cluster);
    ck_assert(share->listed && !share->wants_card);
    ck_assert_ptr_null(share->ood_cluster);
}
END_TEST

START_TEST(test_wckeys_of_a_job)
{
    struct sample sample = good_sample(1);
    script_line(&script, "{\"multitenant\":1,\"generated\":1,\"cluster\":\"hpc\",\"wckeys\":"
                         "[\"a\",\"b\"],\"sees\":\"all\"}");
    script_job(&script, &sample);
    json_t *record = record_of(&sample);
    ck_assert_int_eq(json_object_set_new(record, "job_id", json_integer(2)), 0);
    ck_assert_int_eq(json_object_set_new(record, "wckey", json_string("b")), 0);
    char *line = json_dumps(record, JSON_COMPACT);
    script_line(&script, line);
    script_line(&script, "{\"end\":2}");
    next_script();
    /* Where the record does not say, it may be any of the stream's. */
    ck_assert_str_eq(job(1)->wckeys, "a,b");
    ck_assert_str_eq(job(2)->wckeys, "b");
    free(line);
    json_decref(record);
}
END_TEST

START_TEST(test_order)
{
    struct sample samples[] = {good_sample(5), good_sample(3), good_sample(4), good_sample(1)};
    samples[0].start = 10;
    samples[1].start = 30;
    samples[2].start = 20;
    samples[3].start = 20;
    next_round(samples, COUNT_OF(samples));
    static const uint32_t by_age[] = {5, 1, 4, 3};
    static const uint32_t by_id[] = {1, 3, 4, 5};
    for (size_t i = 0; i < COUNT_OF(by_age); i++) {
        ck_assert_uint_eq(now->shares[i].record.job_id, by_age[i]);
        ck_assert_uint_eq(now->by_job[i]->record.job_id, by_id[i]);
        ck_assert_ptr_eq(mt_specs_find(now, "hpc", by_id[i]), now->by_job[i]);
    }
    ck_assert_ptr_null(mt_specs_find(now, "hpc", 2));
    ck_assert_ptr_null(mt_specs_find(now, "hpc", 6));
    ck_assert_ptr_null(mt_specs_find(now, "gpu", 1));
}
END_TEST

START_TEST(test_a_failing_library_is_no_reason)
{
    struct mt_streams streams = {0};
    const struct mt_dismissed none = {0};
    struct sample sample = good_sample(4711);
    size_t bad_line;
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_end(&script);
    ck_assert_int_eq(mt_streams_read(&streams, script.text, script.len, &bad_line), MT_OK);
    open_status = MT_CRYPTO;
    const struct mt_opened unopened = {NULL, 0};
    ck_assert_int_eq(mt_specs_begin(NULL, &streams, &settings, &now), MT_OK);
    ck_assert_int_eq(mt_specs_decide(now, NULL, &settings, &unopened, &none, 0), MT_CRYPTO);
    mt_streams_free(&streams);
}
END_TEST

/* Limits. */

START_TEST(test_shares_of_one_publisher)
{
    enum { MANY = MT_SHARES_PER_PUBLISHER + 3 };
    struct sample samples[MANY + 1];
    /* The youngest come first in the stream. */
    for (uint32_t i = 0; i < MANY; i++) {
        samples[i] = good_sample(i + 1);
        samples[i].start = 1000 - i;
        samples[i].mtm = "form";
    }
    samples[MANY] = sample_of(100, "other", 1002);
    samples[MANY].start = 1;
    next_round(samples, COUNT_OF(samples));
    for (uint32_t id = 1; id <= MANY; id++) {
        if (id <= MANY - MT_SHARES_PER_PUBLISHER)
            assert_codes(job(id), too_many, too_many);
        else
            assert_codes(job(id), ok, form_only);
    }
    assert_codes(job(100), ok, ok);
    ck_assert_uint_eq(opened, MT_SHARES_PER_PUBLISHER + 1);
}
END_TEST

/* What the group gate refuses takes no place. */
START_TEST(test_what_is_not_for_the_viewer_does_not_count)
{
    struct sample samples[MT_SHARES_PER_PUBLISHER * 2];
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        samples[i] = good_sample(i + 1);
        samples[i].mtm = "form";
        if (i < MT_SHARES_PER_PUBLISHER)
            samples[i].gid = GROUP_GID + 1;
    }
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), not_member, not_member);
    assert_codes(job(COUNT_OF(samples)), ok, form_only);
}
END_TEST

/* Nor does what can't be opened for its form, or could not in the last round. */
START_TEST(test_what_is_malformed_does_not_count)
{
    static const char *const names[] = {"l|hpcGrp|%%",         "l|hpcGrp|AAAA",
                                        "l|hpcGrp|MTK1:AAAA",  "l|hpcGrp|MTK1:%",
                                        "l|hpcGrp|MUNGE:AAAA", "l|hpcGrp|A==="};
    enum { MANY = MT_SHARES_PER_PUBLISHER };
    struct sample samples[MANY * 2];
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        samples[i] = good_sample(i + 1);
        samples[i].mtm = "form";
        if (i < MANY)
            samples[i].name = names[i % COUNT_OF(names)];
    }
    next_round(samples, COUNT_OF(samples));
    ck_assert_uint_eq(opened, MANY);
    assert_codes(job(1), bad_base64, bad_base64);
    assert_codes(job(2), bad_cipher, bad_cipher);
    assert_codes(job(MANY + 1), ok, form_only);
    assert_codes(job(COUNT_OF(samples)), ok, form_only);
}
END_TEST

START_TEST(test_what_could_not_be_opened_does_not_count_again)
{
    enum { MANY = MT_SHARES_PER_PUBLISHER };
    struct sample samples[MANY + 2];
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        samples[i] = good_sample(i + 1);
        samples[i].mtm = "form";
    }
    samples[0].name = samples[1].name = "l|hpcGrp|AAECAwQFBgcICQoLDA0ODw==";
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), bad_cipher, bad_cipher);
    assert_codes(job(MANY + 1), too_many, too_many);
    for (int round = 0; round < 2; round++) {
        next_round(samples, COUNT_OF(samples));
        assert_codes(job(1), bad_cipher, bad_cipher);
        assert_codes(job(MANY + 2), ok, form_only);
        ck_assert_uint_eq(opened, MANY + 2);
    }
}
END_TEST

START_TEST(test_shares_of_one_viewer)
{
    enum { PUBLISHERS = MT_SHARES_PER_VIEWER / MT_SHARES_PER_PUBLISHER + 1 };
    static struct sample samples[PUBLISHERS * MT_SHARES_PER_PUBLISHER];
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        samples[i] = sample_of(i + 1, "prof", 1001 + i % PUBLISHERS);
        samples[i].start = 5000 - i;
        samples[i].mtm = "form";
    }
    next_round(samples, COUNT_OF(samples));
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        if (i < COUNT_OF(samples) - MT_SHARES_PER_VIEWER)
            assert_codes(job(i + 1), too_many, too_many);
        else
            assert_codes(job(i + 1), ok, form_only);
    }
}
END_TEST

/* Whoever shares much since long ago costs another who shares little their younger ones. */
START_TEST(test_publishers_take_turns)
{
    enum { OTHERS = MT_SHARES_PER_VIEWER };
    static struct sample samples[OTHERS + 2];
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        samples[i] = i < OTHERS
                         ? sample_of(i + 1, "other", 1100 + i % (OTHERS / MT_SHARES_PER_PUBLISHER))
                         : sample_of(i + 1, "prof", PUBLISHER);
        samples[i].mtm = "form";
    }
    next_round(samples, COUNT_OF(samples));
    for (uint32_t id = 1; id <= COUNT_OF(samples); id++) {
        if (id == OTHERS - 1 || id == OTHERS)
            assert_codes(job(id), too_many, too_many);
        else
            assert_codes(job(id), ok, form_only);
    }
}
END_TEST

/* What is opened is kept, as long as a message may be: publishers together have no more of it than
 * few. Also of shares whose app is not installed. */
START_TEST(test_beyond_the_viewers_shares_nothing_is_opened)
{
    static const char *const none[] = {NULL};
    static struct sample samples[MT_SHARES_PER_VIEWER + 2];
    for (uint32_t i = 0; i < COUNT_OF(samples); i++)
        samples[i] = sample_of(i + 1, "prof", 2001 + i);
    settings.installed = _i ? none : NULL;
    for (int round = 0; round < 2; round++) {
        next_round(samples, COUNT_OF(samples));
        ck_assert_uint_eq(opened, MT_SHARES_PER_VIEWER);
        for (uint32_t id = MT_SHARES_PER_VIEWER + 1; id <= COUNT_OF(samples); id++) {
            assert_codes(job(id), too_many, too_many);
            ck_assert_ptr_null(job(id)->message.accounting);
        }
    }
    next_round(samples + 1, COUNT_OF(samples) - 1);
    ck_assert_uint_eq(opened, MT_SHARES_PER_VIEWER + 1);
    assert_reason(ok, job(MT_SHARES_PER_VIEWER + 1)->opened);
    assert_codes(job(MT_SHARES_PER_VIEWER + 2), too_many, too_many);
}
END_TEST

START_TEST(test_what_was_refused_takes_no_place_of_the_viewer)
{
    static struct sample samples[MT_SHARES_PER_VIEWER + 1];
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        samples[i] = sample_of(i + 1, "prof", 1001 + i % 16);
        samples[i].mtm = "form";
    }
    samples[0].mtu = "";
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), not_recipient, not_recipient);
    assert_codes(job(COUNT_OF(samples)), ok, form_only);
}
END_TEST

/* Its publisher chose how large it is, and of it a name at most is shown. */
START_TEST(test_of_what_is_refused_a_name_is_kept_at_most)
{
    struct sample samples[] = {good_sample(1), good_sample(2), good_sample(3), good_sample(4)};
    samples[0].mta = "<";
    samples[1].mtu = "1";
    samples[1].mta = "DB_Conn";
    samples[1].connection = "{'host':'n1','jdbc_url':'jdbc:mysql:x'}";
    samples[2].mtd = "sys/elsewhere";
    samples[2].connection = "{'host':'n1','mt_title':'<'}";
    samples[3].connection = "{'host':'n1','a-b':''}";
    for (int round = 0; round < 3; round++) {
        next_round(samples, COUNT_OF(samples));
        assert_codes(job(1), bad_app_name, bad_app_name);
        assert_codes(job(2), not_recipient, not_recipient);
        assert_codes(job(3), bad_title, bad_title);
        assert_codes(job(4), bad_connection_key, bad_connection_key);
        ck_assert_uint_eq(opened, COUNT_OF(samples));
        for (uint32_t id = 1; id <= COUNT_OF(samples); id++) {
            assert_reason(ok, job(id)->opened);
            ck_assert_ptr_null(job(id)->message.connection);
            ck_assert_ptr_null(job(id)->message.delivery);
        }
        ck_assert_ptr_null(job(1)->message.accounting);
        ck_assert_str_eq(job(2)->message.app, "DB_Conn");
        ck_assert_str_eq(mt_message_title(&job(2)->message), "Database: MySQL");
        ck_assert_str_eq(job(3)->message.app, "Ollama_API");
        ck_assert_str_eq(mt_message_title(&job(3)->message), "Language model");
    }
}
END_TEST

/* It is not opened again for that. */
START_TEST(test_an_app_that_is_installed_later_lets_it_in)
{
    static const char *const none[] = {NULL};
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].mtd = "sys/elsewhere";
    settings.installed = none;
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), delivery_not_allowed, delivery_not_allowed);
    settings.installed = NULL;
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), ok, ok);
    assert_message(job(1), "n1");
    assert_codes(job(2), delivery_not_allowed, delivery_not_allowed);
    ck_assert_ptr_null(job(2)->message.connection);
    ck_assert_uint_eq(opened, 2);
}
END_TEST

/* One session id. */

START_TEST(test_two_jobs_of_one_user)
{
    /* The older one has the higher job id. */
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[0].start = 2000;
    samples[1].start = 1000;
    next_round(samples, 2);
    assert_codes(job(2), ok, ok);
    assert_codes(job(1), ok, duplicate_session);
    ck_assert(job(1)->listed && job(2)->listed);
    ck_assert(!job(1)->wants_card && job(2)->wants_card);
    ck_assert_str_eq(job(2)->card_id, SESSION);
}
END_TEST

/* Neither can push the other out, whoever was first; each card is found again at the next round. */
START_TEST(test_two_jobs_of_two_users)
{
    struct sample samples[] = {sample_of(1, "prof", 1001), sample_of(2, "mallory", 1666)};
    samples[_i].start = 1;
    next_round(samples, 2);
    char ids[2][MT_UUID_SIZE];
    for (uint32_t i = 0; i < 2; i++) {
        assert_codes(job(i + 1), ok, ok);
        ck_assert(job(i + 1)->wants_card);
        ck_assert_str_ne(job(i + 1)->card_id, SESSION);
        memcpy(ids[i], job(i + 1)->card_id, MT_UUID_SIZE);
    }
    ck_assert_str_ne(ids[0], ids[1]);
    next_round(samples, 2);
    ck_assert_str_eq(job(1)->card_id, ids[0]);
    ck_assert_str_eq(job(2)->card_id, ids[1]);
}
END_TEST

START_TEST(test_two_jobs_of_one_user_and_one_of_another)
{
    struct sample samples[] = {sample_of(1, "prof", 1001), sample_of(2, "mallory", 1666),
                               sample_of(3, "prof", 1001)};
    next_round(samples, 3);
    assert_codes(job(1), ok, ok);
    assert_codes(job(2), ok, ok);
    assert_codes(job(3), ok, duplicate_session);
    ck_assert_str_ne(job(1)->card_id, SESSION);
    ck_assert_str_ne(job(2)->card_id, SESSION);
    ck_assert_str_ne(job(1)->card_id, job(2)->card_id);
}
END_TEST

START_TEST(test_a_job_without_a_card_takes_no_id)
{
    struct sample samples[] = {good_sample(1), good_sample(2), sample_of(3, "mallory", 1666),
                               sample_of(4, "viewer", VIEWER)};
    samples[0].mtm = "form";
    samples[2].mtu = "1";
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), ok, form_only);
    assert_codes(job(2), ok, ok);
    assert_codes(job(3), not_recipient, not_recipient);
    assert_codes(job(4), ok, own_session);
    ck_assert_str_eq(job(2)->card_id, SESSION);
}
END_TEST

/* All that a card's made id is made from is known to the group's members: one could name it. */
START_TEST(test_a_made_id_can_not_be_taken)
{
    struct sample samples[] = {sample_of(1, "prof", 1001), sample_of(2, "mallory", 1666),
                               sample_of(3, "mallory", 1666)};
    next_round(samples, 2);
    char made[MT_UUID_SIZE];
    memcpy(made, job(1)->card_id, sizeof made);
    samples[2].mti = made;
    samples[2].start = 1;
    next_round(samples, 3);
    assert_codes(job(1), ok, ok);
    assert_codes(job(3), ok, ok);
    ck_assert_str_eq(job(1)->card_id, made);
    ck_assert_str_ne(job(3)->card_id, made);
    ck_assert_str_ne(job(3)->card_id, job(2)->card_id);
}
END_TEST

START_TEST(test_an_id_comes_back_when_the_other_has_gone)
{
    struct sample samples[] = {sample_of(1, "prof", 1001), sample_of(2, "mallory", 1666)};
    next_round(samples, 2);
    ck_assert_str_ne(job(1)->card_id, SESSION);
    next_round(samples, 1);
    ck_assert_str_eq(job(1)->card_id, SESSION);
}
END_TEST

/* Temporary reasons. */

/* Ways in which a round may fail to learn what it asks for. */
static void make_temporary(struct sample *sample, int way)
{
    static char *name;
    if (way % 3 == 0)
        sample->gid = -2;
    if (way % 3 == 1)
        sample->publisher_in_group = json_null();
    if (way % 3 == 2) {
        /* The name stays what it was sealed for. */
        free(name);
        name = name_of(sample);
        sample->name = name;
        sample->user = "";
    }
    sample->out_of_time = way >= 3;
}

#define WAYS 6

static void assert_temporary(const struct mt_share *share, int way)
{
    if (way >= 3)
        assert_codes(share, out_of_time, out_of_time);
    else
        assert_codes(share, lookup_failed, lookup_failed);
}

START_TEST(test_temporary_at_first)
{
    struct sample sample = good_sample(4711);
    make_temporary(&sample, _i);
    next_round(&sample, 1);
    assert_temporary(job(4711), _i);
    ck_assert(!job(4711)->listed && !job(4711)->wants_card);
    ck_assert_uint_eq(opened, 0);
}
END_TEST

START_TEST(test_temporary_keeps_the_last_specs)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    make_temporary(&sample, _i);
    for (int times = 0; times < 2; times++) {
        next_round(&sample, 1);
        assert_temporary(job(4711), _i);
        ck_assert(job(4711)->listed && job(4711)->wants_card);
        assert_message(job(4711), "n1");
        ck_assert_str_eq(job(4711)->card_id, SESSION);
    }
    sample = good_sample(4711);
    next_round(&sample, 1);
    assert_codes(job(4711), ok, ok);
    assert_message(job(4711), "n1");
    ck_assert_uint_eq(opened, 1);
}
END_TEST

START_TEST(test_temporary_drops_a_changed_name)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    sample.connection = "{'host':'n2'}";
    make_temporary(&sample, _i);
    next_round(&sample, 1);
    assert_temporary(job(4711), _i);
    ck_assert(!job(4711)->listed);
    ck_assert_ptr_null(job(4711)->message.accounting);
    sample = good_sample(4711);
    sample.connection = "{'host':'n2'}";
    next_round(&sample, 1);
    assert_codes(job(4711), ok, ok);
    assert_message(job(4711), "n2");
}
END_TEST

START_TEST(test_temporary_does_not_help_what_was_refused)
{
    struct sample sample = good_sample(4711);
    sample.mtu = "1";
    next_round(&sample, 1);
    assert_codes(job(4711), not_recipient, not_recipient);
    make_temporary(&sample, _i);
    next_round(&sample, 1);
    assert_temporary(job(4711), _i);
    ck_assert(!job(4711)->listed);
}
END_TEST

/* The same id and name, but another user's: job ids go round. */
START_TEST(test_temporary_drops_another_users_job)
{
    struct sample sample = good_sample(4711);
    char *name = name_of(&sample);
    next_round(&sample, 1);
    sample.name = name;
    sample.uid = 1666;
    make_temporary(&sample, _i);
    next_round(&sample, 1);
    ck_assert(!job(4711)->listed);
    free(name);
}
END_TEST

START_TEST(test_an_envelope_that_is_not_built_in)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    sample.name = "l|hpcGrp|MUNGE:AwQFAA==:";
    next_round(&sample, 1);
    assert_codes(job(4711), envelope_unavailable, envelope_unavailable);
    ck_assert(!job(4711)->listed);
    /* It may be opened another time, so it is tried again. */
    size_t before = opened;
    next_round(&sample, 1);
    ck_assert_uint_eq(opened, before + 1);
}
END_TEST

#define CREDENTIAL "l|hpcGrp|MUNGE:AwQFAA==:"

/* Of the round that begins, as the binding asks before munged is. */
static size_t payloads_of(const struct sample *samples, size_t count, struct mt_payload *out)
{
    struct mt_streams streams = {0};
    size_t bad_line;
    script_begin(&script, "hpc", "all");
    for (size_t i = 0; i < count; i++)
        script_job(&script, &samples[i]);
    script_end(&script);
    ck_assert_int_eq(mt_streams_read(&streams, script.text, script.len, &bad_line), MT_OK);
    mt_specs_free(&last);
    last = now;
    now = NULL;
    ck_assert_int_eq(mt_specs_begin(last, &streams, &settings, &now), MT_OK);
    mt_streams_free(&streams);
    script_free(&script);
    return mt_specs_payloads(now, last, out);
}

/* munged is asked about nothing that was made for others, and about nothing twice. */
START_TEST(test_payloads)
{
    struct mt_payload payloads[MT_CREDENTIALS_MAX];
    struct sample samples[] = {good_sample(1), good_sample(2), good_sample(3),
                               good_sample(4), good_sample(5), good_sample(6)};
    samples[1].name = CREDENTIAL;
    samples[2].name = CREDENTIAL;
    samples[3].name = "l|hpcGrp|MUNGE:AAAA:";
    samples[4].name = "l|hpcGrp|MUNGE:BBBB:";
    samples[4].gid = GROUP_GID + 1;
    samples[5].name = "l|hpcGrp|MUNGE:AAA:";
    ck_assert_uint_eq(payloads_of(samples, COUNT_OF(samples), payloads), 2);
    ck_assert_uint_eq(payloads[0].len, strlen("MUNGE:AwQFAA==:"));
    ck_assert_mem_eq(payloads[0].text, "MUNGE:AwQFAA==:", payloads[0].len);
    ck_assert_uint_eq(payloads[1].len, strlen("MUNGE:AAAA:"));
    ck_assert_mem_eq(payloads[1].text, "MUNGE:AAAA:", payloads[1].len);
}
END_TEST

START_TEST(test_a_temporary_card_keeps_its_id_from_others)
{
    struct sample samples[] = {sample_of(1, "prof", 1001), sample_of(2, "prof", 1001)};
    next_round(samples, 1);
    make_temporary(&samples[0], _i);
    next_round(samples, 2);
    assert_temporary(job(1), _i);
    ck_assert(job(1)->wants_card);
    assert_codes(job(2), ok, duplicate_session);
}
END_TEST

/* Several rounds. */

START_TEST(test_not_opened_again)
{
    struct sample samples[] = {good_sample(1), good_sample(2), good_sample(3)};
    samples[1].name = "l|hpcGrp|AAECAwQFBgcICQoLDA0ODw==";
    samples[2].mtu = "1";
    next_round(samples, 3);
    ck_assert_uint_eq(opened, 3);
    for (int times = 0; times < 3; times++) {
        next_round(samples, 3);
        assert_codes(job(1), ok, ok);
        assert_codes(job(2), bad_cipher, bad_cipher);
        assert_codes(job(3), not_recipient, not_recipient);
        assert_message(job(1), "n1");
    }
    ck_assert_uint_eq(opened, 3);
}
END_TEST

START_TEST(test_a_changed_name_is_opened)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    sample.connection = "{'host':'n2'}";
    next_round(&sample, 1);
    assert_message(job(4711), "n2");
    ck_assert_uint_eq(opened, 2);
}
END_TEST

/* A requeued job keeps its name; whether that is stale only the envelope knows. */
START_TEST(test_a_restarted_job_is_opened)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    sample.restarts = 1;
    next_round(&sample, 1);
    ck_assert_uint_eq(opened, 2);
    ck_assert_uint_eq(job(4711)->record.restarts, 1);
}
END_TEST

/* What can't be learned of this run is not taken from the last one, whose host is gone. */
START_TEST(test_a_restarted_job_is_not_kept)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    sample.gid = -2;
    next_round(&sample, 1);
    ck_assert(job(4711)->listed);
    sample.restarts = 1;
    next_round(&sample, 1);
    assert_codes(job(4711), lookup_failed, lookup_failed);
    ck_assert(!job(4711)->listed);
}
END_TEST

START_TEST(test_another_job_of_the_same_name_is_opened)
{
    struct sample sample = good_sample(4711);
    char *name = name_of(&sample);
    next_round(&sample, 1);
    sample = good_sample(4712);
    sample.name = name;
    next_round(&sample, 1);
    ck_assert_uint_eq(opened, 2);
    ck_assert_int_ne(job(4712)->specs, MT_REASON_ok);
    free(name);
}
END_TEST

/* The user's name is a part of the key: one that changed opens nothing. */
START_TEST(test_a_job_of_another_user_name_is_opened)
{
    struct sample sample = good_sample(4711);
    char *name = name_of(&sample);
    next_round(&sample, 1);
    sample.name = name;
    sample.user = "professor";
    next_round(&sample, 1);
    ck_assert_uint_eq(opened, 2);
    ck_assert_int_ne(job(4711)->specs, MT_REASON_ok);
    free(name);
}
END_TEST

START_TEST(test_what_was_opened_is_judged_anew)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    settings.uid = 9999;
    next_round(&sample, 1);
    assert_codes(job(4711), not_recipient, not_recipient);
    ck_assert(!job(4711)->listed);
}
END_TEST

START_TEST(test_an_ended_job_is_gone)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    next_round(samples, 2);
    next_round(samples, 1);
    ck_assert_uint_eq(now->count, 1);
    ck_assert_ptr_null(mt_specs_find(now, "hpc", 2));
}
END_TEST

START_TEST(test_the_last_look_stays_and_may_go)
{
    struct sample sample = good_sample(4711);
    next_round(&sample, 1);
    next_round(&sample, 1);
    assert_codes(share_of(last, "hpc", 4711), ok, ok);
    assert_message(share_of(last, "hpc", 4711), "n1");
    mt_specs_free(&last);
    ck_assert_ptr_null(last);
    assert_message(job(4711), "n1");
}
END_TEST

START_TEST(test_an_incomplete_stream_changes_nothing)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    next_round(samples, 1);
    script_begin(&script, "hpc", "all");
    script_job(&script, &samples[1]);
    next_script();
    ck_assert_uint_eq(now->count, 1);
    assert_codes(job(1), ok, ok);
    ck_assert(job(1)->listed && !job(1)->current);
    assert_message(job(1), "n1");
    ck_assert_str_eq(job(1)->key, "1");
    ck_assert(!mt_coverage_has(&now->coverage, "hpc"));
}
END_TEST

START_TEST(test_an_incomplete_stream_brings_nothing)
{
    struct sample sample = good_sample(1);
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    next_script();
    ck_assert_uint_eq(now->count, 0);
    ck_assert_uint_eq(opened, 0);
}
END_TEST

/* Clusters. */

static void add_cluster(const char *cluster, uint32_t job_id, const char *mti)
{
    struct sample sample = good_sample(job_id);
    sample.cluster = cluster;
    sample.mti = mti;
    script_begin(&script, cluster, "all");
    script_job(&script, &sample);
    script_end(&script);
}

static void add_empty_cluster(const char *cluster)
{
    script_begin(&script, cluster, "all");
    script_end(&script);
}

START_TEST(test_two_clusters_with_one_job_id)
{
    /* Whichever answers first, the site's first cluster keeps the plain key. */
    add_cluster(_i ? "gpu" : "hpc", 4711, SESSION);
    add_cluster(_i ? "hpc" : "gpu", 4711, OTHER_SESSION);
    next_script();
    ck_assert_str_eq(share_of(now, "hpc", 4711)->key, "4711");
    ck_assert_str_eq(share_of(now, "gpu", 4711)->key, "4711@gpu");
    assert_codes(share_of(now, "hpc", 4711), ok, ok);
    assert_codes(share_of(now, "gpu", 4711), ok, ok);
}
END_TEST

START_TEST(test_a_cluster_that_the_site_does_not_list_comes_last)
{
    add_cluster("aaa", 4711, OTHER_SESSION);
    add_cluster("gpu", 4711, SESSION);
    next_script();
    ck_assert_str_eq(share_of(now, "gpu", 4711)->key, "4711");
    ck_assert_str_eq(share_of(now, "aaa", 4711)->key, "4711@aaa");
}
END_TEST

START_TEST(test_a_refused_job_keeps_no_key)
{
    struct sample sample = good_sample(4711);
    sample.mtu = "1";
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_end(&script);
    add_cluster("gpu", 4711, SESSION);
    next_script();
    ck_assert_str_eq(share_of(now, "gpu", 4711)->key, "4711");
}
END_TEST

START_TEST(test_the_longest_key_fits)
{
    char *cluster = repeat("c", MT_NAME_MAX);
    add_cluster(cluster, UINT32_MAX, SESSION);
    add_cluster("hpc", UINT32_MAX, OTHER_SESSION);
    next_script();
    ck_assert_str_eq(share_of(now, cluster, UINT32_MAX)->key, format("4294967295@%s", cluster));
    free(cluster);
}
END_TEST

START_TEST(test_a_cluster_that_does_not_answer_keeps_its_shares)
{
    add_cluster("hpc", 1, SESSION);
    add_cluster("gpu", 2, OTHER_SESSION);
    next_script();
    for (int times = 0; times < 3; times++) {
        add_empty_cluster("hpc");
        next_script();
        ck_assert_uint_eq(now->count, 1);
        const struct mt_share *share = share_of(now, "gpu", 2);
        assert_codes(share, ok, ok);
        ck_assert(share->listed && share->wants_card && !share->current);
        ck_assert_str_eq(share->card_id, OTHER_SESSION);
        ck_assert_str_eq(share->ood_cluster, "gpu");
        assert_message(share, "n1");
        ck_assert(!mt_coverage_has(&now->coverage, "gpu"));
    }
    add_cluster("gpu", 2, OTHER_SESSION);
    next_script();
    ck_assert(share_of(now, "gpu", 2)->current);
    ck_assert_uint_eq(opened, 2);
    add_empty_cluster("gpu");
    next_script();
    ck_assert_uint_eq(now->count, 0);
}
END_TEST

START_TEST(test_what_was_refused_is_not_kept)
{
    struct sample sample = good_sample(4711);
    sample.mtu = "1";
    next_round(&sample, 1);
    add_empty_cluster("gpu");
    next_script();
    ck_assert_uint_eq(now->count, 0);
}
END_TEST

START_TEST(test_a_kept_share_keeps_its_card_id)
{
    struct sample sample = sample_of(9, "mallory", 1666);
    add_cluster("gpu", 2, SESSION);
    next_script();
    next_round(&sample, 1);
    ck_assert_str_eq(share_of(now, "gpu", 2)->card_id, SESSION);
    assert_codes(job(9), ok, ok);
    ck_assert_str_ne(job(9)->card_id, SESSION);
}
END_TEST

START_TEST(test_a_kept_share_is_older)
{
    struct sample sample = good_sample(9);
    add_cluster("gpu", 2, SESSION);
    next_script();
    next_round(&sample, 1);
    assert_codes(job(9), ok, duplicate_session);
}
END_TEST

/* Also what is kept from the last round, as its cluster did not answer, or could not tell of it. */
START_TEST(test_what_is_kept_counts)
{
    static struct sample samples[MT_SHARES_PER_PUBLISHER];
    script_begin(&script, "gpu", "all");
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        struct sample sample = good_sample(1000 + i);
        sample.cluster = "gpu";
        sample.mtm = "form";
        script_job(&script, &sample);
        samples[i] = good_sample(2000 + i);
        samples[i].mtm = "form";
    }
    script_end(&script);
    next_script();
    for (int times = 0; times < 2; times++) {
        next_round(samples, COUNT_OF(samples));
        for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
            ck_assert(share_of(now, "gpu", 1000 + i)->listed);
            assert_codes(job(2000 + i), too_many, too_many);
        }
    }
}
END_TEST

START_TEST(test_what_is_kept_goes_where_it_is_one_too_many)
{
    enum { MOST = MT_SHARES_PER_VIEWER, PUBLISHERS = MOST / MT_SHARES_PER_PUBLISHER };
    struct sample newcomer = good_sample(1);
    script_begin(&script, "gpu", "all");
    for (uint32_t i = 0; i < MOST; i++) {
        struct sample sample = sample_of(1000 + i, "other", 1100 + i % PUBLISHERS);
        sample.cluster = "gpu";
        sample.mtm = "form";
        script_job(&script, &sample);
    }
    script_end(&script);
    next_script();
    next_round(&newcomer, 1);
    assert_codes(job(1), ok, ok);
    for (uint32_t i = 0; i < MOST; i++) {
        const struct mt_share *share = share_of(now, "gpu", 1000 + i);
        ck_assert_int_eq(share->listed, i < MOST - 1);
        if (i == MOST - 1)
            assert_codes(share, too_many, too_many);
    }
    next_round(&newcomer, 1);
    ck_assert_uint_eq(now->count, MOST);
}
END_TEST

/* What is in the answer, and can't be looked at. */
START_TEST(test_what_can_not_be_looked_at_counts)
{
    enum { MOST = MT_SHARES_PER_PUBLISHER };
    static struct sample samples[2 * MOST];
    for (uint32_t i = 0; i < COUNT_OF(samples); i++) {
        samples[i] = good_sample(1000 + i);
        samples[i].mtm = "form";
    }
    next_round(samples, MOST);
    for (uint32_t i = 0; i < MOST; i++)
        samples[i].gid = -2;
    for (int times = 0; times < 2; times++) {
        next_round(samples, COUNT_OF(samples));
        for (uint32_t i = 0; i < MOST; i++) {
            ck_assert(job(1000 + i)->listed);
            assert_codes(job(1000 + i), lookup_failed, lookup_failed);
            assert_codes(job(1000 + MOST + i), too_many, too_many);
        }
    }
    /* Those that were one too many are not listed. */
    for (uint32_t i = 0; i < MOST; i++)
        samples[MOST + i].gid = -2;
    next_round(samples, COUNT_OF(samples));
    ck_assert(job(1000)->listed && !job(1000 + MOST)->listed);
}
END_TEST

START_TEST(test_what_can_not_be_looked_at_goes_where_it_is_one_too_many)
{
    enum { MOST = MT_SHARES_PER_VIEWER, PUBLISHERS = MOST / MT_SHARES_PER_PUBLISHER };
    static struct sample samples[1 + MOST];
    samples[0] = good_sample(1);
    for (uint32_t i = 0; i < MOST; i++) {
        samples[1 + i] = sample_of(1000 + i, "other", 1100 + i % PUBLISHERS);
        samples[1 + i].mtm = "form";
    }
    next_round(samples + 1, MOST);
    for (uint32_t i = 0; i < MOST; i++)
        samples[1 + i].gid = -2;
    next_round(samples, COUNT_OF(samples));
    assert_codes(job(1), ok, ok);
    for (uint32_t i = 0; i < MOST - 1; i++)
        ck_assert(job(1000 + i)->listed);
    ck_assert(!job(1000 + MOST - 1)->listed);
    assert_codes(job(1000 + MOST - 1), too_many, too_many);
}
END_TEST

START_TEST(test_free_of_nothing)
{
    struct mt_specs *none = NULL;
    mt_specs_free(&none);
    ck_assert_ptr_null(none);
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
    json_t *file = json_load_file(VECTORS "/hostile.json", 0, NULL);
    hostile = json_object_get(file, "vectors");
    Suite *suite = suite_create("specs");
    TCase *tests = add_fixed_case(suite, "one round");
    tcase_add_test(tests, test_good_share);
    tcase_add_test(tests, test_nothing);
    tcase_add_test(tests, test_no_stream);
    tcase_add_loop_test(tests, test_hostile_name, 0, hostile ? (int)json_array_size(hostile) : 1);
    tcase_add_test(tests, test_the_gate_comes_before_the_envelope);
    tcase_add_test(tests, test_card_codes);
    tcase_add_test(tests, test_dismissed);
    tcase_add_test(tests, test_a_cluster_without_an_ood_cluster);
    tcase_add_test(tests, test_wckeys_of_a_job);
    tcase_add_test(tests, test_order);
    tcase_add_test(tests, test_a_failing_library_is_no_reason);
    tests = add_fixed_case(suite, "limits");
    tcase_add_test(tests, test_shares_of_one_publisher);
    tcase_add_test(tests, test_what_is_not_for_the_viewer_does_not_count);
    tcase_add_test(tests, test_what_is_malformed_does_not_count);
    tcase_add_test(tests, test_what_could_not_be_opened_does_not_count_again);
    tcase_add_test(tests, test_shares_of_one_viewer);
    tcase_add_test(tests, test_publishers_take_turns);
    tcase_add_loop_test(tests, test_beyond_the_viewers_shares_nothing_is_opened, 0, 2);
    tcase_add_test(tests, test_what_was_refused_takes_no_place_of_the_viewer);
    tcase_add_test(tests, test_of_what_is_refused_a_name_is_kept_at_most);
    tcase_add_test(tests, test_an_app_that_is_installed_later_lets_it_in);
    tests = add_fixed_case(suite, "one session id");
    tcase_add_test(tests, test_two_jobs_of_one_user);
    tcase_add_loop_test(tests, test_two_jobs_of_two_users, 0, 2);
    tcase_add_test(tests, test_two_jobs_of_one_user_and_one_of_another);
    tcase_add_test(tests, test_a_job_without_a_card_takes_no_id);
    tcase_add_test(tests, test_a_made_id_can_not_be_taken);
    tcase_add_test(tests, test_an_id_comes_back_when_the_other_has_gone);
    tests = add_fixed_case(suite, "temporary");
    tcase_add_loop_test(tests, test_temporary_at_first, 0, WAYS);
    tcase_add_loop_test(tests, test_temporary_keeps_the_last_specs, 0, WAYS);
    tcase_add_loop_test(tests, test_temporary_drops_a_changed_name, 0, WAYS);
    tcase_add_loop_test(tests, test_temporary_does_not_help_what_was_refused, 0, WAYS);
    tcase_add_loop_test(tests, test_temporary_drops_another_users_job, 0, WAYS);
    tcase_add_test(tests, test_an_envelope_that_is_not_built_in);
    tcase_add_test(tests, test_payloads);
    tcase_add_loop_test(tests, test_a_temporary_card_keeps_its_id_from_others, 0, WAYS);
    tests = add_fixed_case(suite, "several rounds");
    tcase_add_test(tests, test_not_opened_again);
    tcase_add_test(tests, test_a_changed_name_is_opened);
    tcase_add_test(tests, test_a_restarted_job_is_opened);
    tcase_add_test(tests, test_a_restarted_job_is_not_kept);
    tcase_add_test(tests, test_another_job_of_the_same_name_is_opened);
    tcase_add_test(tests, test_a_job_of_another_user_name_is_opened);
    tcase_add_test(tests, test_what_was_opened_is_judged_anew);
    tcase_add_test(tests, test_an_ended_job_is_gone);
    tcase_add_test(tests, test_the_last_look_stays_and_may_go);
    tcase_add_test(tests, test_an_incomplete_stream_changes_nothing);
    tcase_add_test(tests, test_an_incomplete_stream_brings_nothing);
    tests = add_fixed_case(suite, "clusters");
    tcase_add_loop_test(tests, test_two_clusters_with_one_job_id, 0, 2);
    tcase_add_test(tests, test_a_cluster_that_the_site_does_not_list_comes_last);
    tcase_add_test(tests, test_a_refused_job_keeps_no_key);
    tcase_add_test(tests, test_the_longest_key_fits);
    tcase_add_test(tests, test_a_cluster_that_does_not_answer_keeps_its_shares);
    tcase_add_test(tests, test_what_was_refused_is_not_kept);
    tcase_add_test(tests, test_a_kept_share_keeps_its_card_id);
    tcase_add_test(tests, test_a_kept_share_is_older);
    tcase_add_test(tests, test_what_is_kept_counts);
    tcase_add_test(tests, test_what_is_kept_goes_where_it_is_one_too_many);
    tcase_add_test(tests, test_what_can_not_be_looked_at_counts);
    tcase_add_test(tests, test_what_can_not_be_looked_at_goes_where_it_is_one_too_many);
    tcase_add_test(tests, test_free_of_nothing);
    int status = run_suite(suite);
    json_decref(file);
    return status;
}
