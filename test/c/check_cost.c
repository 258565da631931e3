/* SPDX-License-Identifier: MIT */
/*
 * What `rake bench:core` counts the instructions of: here it is only seen that each does what it is
 * measured for. Links: all that makes a round.
 */
#include "envelope.h"
#include "keyring.h"
#include "round.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOBS 200
#define PUBLISHERS 20
#define MESSAGE                                                                              \
    "{\"v\":2,\"cluster\":\"hpc\",\"job\":4711,\"group\":\"students\",\"restarts\":0,"       \
    "\"id\":\"" SESSION "\",\"app\":\"App\",\"method\":\"card\",\"delivery\":\"" TOKEN "\"," \
    "\"conn\":{\"host\":\"n1\"}}"
#define MUNGE_PAYLOAD "MUNGE:AwQFAA==:"

static const struct mt_opened none;

/* Callgrind counts while this runs: all that is done once for a process was done before. */
void measured(void (*step)(void)) __attribute__((noinline));
void measured(void (*step)(void))
{
    step();
}

static void twice(void (*step)(void))
{
    step();
    measured(step);
}

/* One payload. */

static struct mt_record record;
static struct mt_settings settings;
static const struct mt_opened *opened = &none;

static void open_payload(void)
{
    struct mt_message message = {0};
    enum mt_reason reason;
    ck_assert_int_eq(mt_envelope_open(&record, &settings, opened, &message, &reason), MT_OK);
    mt_message_free(&message);
}

static void open_name(const char *name, unsigned envelope)
{
    record.cluster = "hpc";
    record.job_id = 4711;
    record.uid = PUBLISHER;
    record.user = "prof";
    record.group_known = MT_YES;
    record.group_gid = GROUP_GID;
    settings.envelopes = 1u << envelope;
    ck_assert(mt_jobname_split(name, strlen(name), &record.parts));
    twice(open_payload);
}

START_TEST(test_v1)
{
    struct sample sample = good_sample(4711);
    char *name = name_of(&sample);
    open_name(name, MT_ENVELOPE_V1);
    free(name);
}
END_TEST

START_TEST(test_munge)
{
    struct mt_munged munged = {.payload = MUNGE_PAYLOAD,
                               .text = MESSAGE,
                               .text_len = strlen(MESSAGE),
                               .uid = PUBLISHER,
                               .uid_only = -1,
                               .gid_only = GROUP_GID};
    const struct mt_opened one = {&munged, 1};
    opened = &one;
    open_name("sys/dashboard|students|" MUNGE_PAYLOAD, MT_ENVELOPE_MUNGE);
    opened = &none;
}
END_TEST

/* The file of keys has to be root's. */
START_TEST(test_key)
{
    json_t *vectors = json_load_file(VECTORS "/key.json", 0, NULL);
    const json_t *vector = json_array_get(json_object_get(vectors, "vectors"), 0);
    char *keys = temp_dir_new();
    const char *path = format("%s/%d", keys, GROUP_GID);
    ck_assert_int_eq(chmod(keys, 0755), 0);
    write_text(path, json_string_value(json_object_get(vectors, "keys")), 0440);
    ck_assert_int_eq(chown(path, 0, GROUP_GID), 0);
    settings.keys = keys;
    ck_assert_int_eq(json_integer_value(json_object_get(vector, "job_id")), 4711);
    open_name(json_string_value(json_object_get(vector, "job_name")), MT_ENVELOPE_KEY);
    temp_dir_free(keys);
    json_decref(vectors);
}
END_TEST

/* A round of 200 v1 shares. */

static struct script script;

static void decide(void)
{
    struct mt_specs *specs = round_of(NULL, &script, &settings, NULL);
    ck_assert_uint_eq(specs->count, JOBS);
    assert_codes(&specs->shares[JOBS - 1], ok, ok);
    mt_specs_free(&specs);
}

static void begin_round(void)
{
    settings = viewer_settings();
    script_begin(&script, "hpc", "all");
    for (uint32_t i = 0; i < JOBS; i++) {
        struct sample sample = good_sample(4711 + i);
        const char *user = format("prof%u", i % PUBLISHERS);
        const char *session = format("0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e%04x", i);
        sample.user = user;
        sample.uid = PUBLISHER + i % PUBLISHERS;
        sample.mti = session;
        script_job(&script, &sample);
    }
    script_end(&script);
}

START_TEST(test_decide)
{
    begin_round();
    twice(decide);
    script_free(&script);
}
END_TEST

/* The text of a snapshot that says what the last one did: no job is parsed again. */

static struct mt_streams before;
static struct mt_known known[JOBS];

static void read_same(void)
{
    struct mt_streams streams = {0};
    size_t bad_line;
    ck_assert_int_eq(
        mt_streams_read_again(&streams, script.text, script.len, &bad_line, known, JOBS), MT_OK);
    ck_assert(mt_streams_same(&streams, &before));
    mt_streams_free(&streams);
}

START_TEST(test_snapshot)
{
    size_t bad_line;
    begin_round();
    ck_assert_int_eq(mt_streams_read(&before, script.text, script.len, &bad_line), MT_OK);
    for (size_t i = 0; i < JOBS; i++)
        known[i] = (struct mt_known){script.text, &before.items[0].records[i]};
    twice(read_same);
    mt_streams_free(&before);
    script_free(&script);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cost");
    json_object_seed(1); /* the order of a table is the same in each run */
    tcase_add_test(add_case(suite, "v1"), test_v1);
    tcase_add_test(add_case(suite, "munge"), test_munge);
    if (can_be_root())
        tcase_add_test(add_case(suite, "key"), test_key);
    tcase_add_test(add_case(suite, "decide"), test_decide);
    tcase_add_test(add_case(suite, "snapshot"), test_snapshot);
    return run_suite(suite);
}
