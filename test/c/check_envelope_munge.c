/* SPDX-License-Identifier: MIT */
/* Links: envelope and all that opens one. What munged said stands in the record. */
#include "envelope.h"
#include "helpers.h"

#include <string.h>

#define MESSAGE                                                                              \
    "{\"v\":2,\"cluster\":\"hpc\",\"job\":4711,\"group\":\"students\",\"restarts\":0,"       \
    "\"id\":\"" SESSION "\",\"app\":\"App\",\"method\":\"card\",\"delivery\":\"" TOKEN "\"," \
    "\"conn\":{\"host\":\"n1\"}}"

static struct mt_record record;
static struct mt_message message;

static void setup(void)
{
    record = (struct mt_record){
        .cluster = "hpc",
        .job_id = 4711,
        .uid = PUBLISHER,
        .group_known = MT_YES,
        .group_gid = GROUP_GID,
        .munged = {.text = MESSAGE,
                   .text_len = strlen(MESSAGE),
                   .uid = PUBLISHER,
                   .for_uid = -1,
                   .for_gid = GROUP_GID},
    };
}

static void teardown(void)
{
    mt_message_free(&message);
}

static const char *open_it(void)
{
    static const struct mt_message zeroed;
    static const char text[] = "sys/dashboard|students|MUNGE:AwQFAA==:";
    const struct mt_settings settings = {.envelopes = 1u << MT_ENVELOPE_MUNGE};
    struct mt_jobname name;
    enum mt_reason reason;
    ck_assert(mt_jobname_split(text, strlen(text), &name));
    mt_message_free(&message);
    ck_assert_int_eq(mt_envelope_open(&record, &name, &settings, &message, &reason), MT_OK);
    if (reason != MT_REASON_ok)
        ck_assert_mem_eq(&message, &zeroed, sizeof zeroed);
    return mt_reason_code(reason);
}

START_TEST(test_good)
{
    ck_assert_str_eq(open_it(), "ok");
    ck_assert_str_eq(message.app, "App");
    ck_assert_str_eq(message.recipients, MT_WHOLE_GROUP);
}
END_TEST

START_TEST(test_sealed_by_another)
{
    record.munged.uid = PUBLISHER + 1;
    ck_assert_str_eq(open_it(), "wrong_publisher");
    record.munged.uid = 0;
    ck_assert_str_eq(open_it(), "wrong_publisher");
}
END_TEST

START_TEST(test_restriction)
{
    struct mt_munged *munged = &record.munged;
    munged->for_gid = GROUP_GID + 1;
    ck_assert_str_eq(open_it(), "wrong_job");
    munged->for_gid = -1;
    ck_assert_str_eq(open_it(), "wrong_job");
    /* to the publisher alone */
    munged->for_uid = PUBLISHER;
    ck_assert_str_eq(open_it(), "ok");
    munged->for_gid = GROUP_GID + 1;
    ck_assert_str_eq(open_it(), "wrong_job");
    munged->for_gid = -1;
    munged->for_uid = VIEWER;
    ck_assert_str_eq(open_it(), "wrong_job");
}
END_TEST

START_TEST(test_restricted_to_a_group_that_is_not_known)
{
    record.group_gid = 0;
    record.munged.for_gid = 0;
    record.group_known = MT_NO;
    ck_assert_str_eq(open_it(), "wrong_job");
}
END_TEST

START_TEST(test_another_job_or_run)
{
    record.job_id = 4712;
    ck_assert_str_eq(open_it(), "wrong_job");
    record.job_id = 4711;
    record.restarts = 1;
    ck_assert_str_eq(open_it(), "stale");
}
END_TEST

START_TEST(test_not_opened)
{
    record.munged = (struct mt_munged){.text = NULL};
    ck_assert_str_eq(open_it(), "envelope_unavailable");
    record.munged.reason = MT_REASON_bad_cipher;
    ck_assert_str_eq(open_it(), "bad_cipher");
}
END_TEST

START_TEST(test_what_is_inside)
{
    record.munged.text_len--;
    ck_assert_str_eq(open_it(), "bad_message");
    record.munged.text_len = 0;
    ck_assert_str_eq(open_it(), "bad_message");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("envelope_munge");
    TCase *tests = add_case(suite, "munge");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_good);
    tcase_add_test(tests, test_sealed_by_another);
    tcase_add_test(tests, test_restriction);
    tcase_add_test(tests, test_restricted_to_a_group_that_is_not_known);
    tcase_add_test(tests, test_another_job_or_run);
    tcase_add_test(tests, test_not_opened);
    tcase_add_test(tests, test_what_is_inside);
    return run_suite(suite);
}
