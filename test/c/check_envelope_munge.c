/* SPDX-License-Identifier: MIT */
/* Links: envelope and all that opens one. */
#include "envelope.h"
#include "helpers.h"

#include <string.h>

#define MESSAGE                                                                              \
    "{\"v\":2,\"cluster\":\"hpc\",\"job\":4711,\"group\":\"students\",\"restarts\":0,"       \
    "\"id\":\"" SESSION "\",\"app\":\"App\",\"method\":\"card\",\"delivery\":\"" TOKEN "\"," \
    "\"conn\":{\"host\":\"n1\"}}"

#define PAYLOAD "MUNGE:AwQFAA==:"

static struct mt_record record;
static struct mt_munged munged;
static struct mt_opened opened;
static struct mt_message message;

static void setup(void)
{
    record = (struct mt_record){
        .cluster = "hpc",
        .job_id = 4711,
        .uid = PUBLISHER,
        .group_known = MT_YES,
        .group_gid = GROUP_GID,
    };
    munged = (struct mt_munged){.payload = PAYLOAD,
                                .text = MESSAGE,
                                .text_len = strlen(MESSAGE),
                                .uid = PUBLISHER,
                                .uid_only = -1,
                                .gid_only = GROUP_GID};
    opened = (struct mt_opened){.items = &munged, .count = 1};
}

static void teardown(void)
{
    mt_message_free(&message);
}

static const char *open_name(const char *text)
{
    static const struct mt_message zeroed;
    const struct mt_settings settings = {.envelopes = 1u << MT_ENVELOPE_MUNGE};
    enum mt_reason reason;
    ck_assert(mt_jobname_split(text, strlen(text), &record.parts));
    mt_message_free(&message);
    enum mt_status status = mt_envelope_open(&record, &settings, &opened, &message, &reason);
    ck_assert(status == MT_OK || status == MT_REFUSED);
    if (status == MT_OK)
        reason = MT_REASON_ok;
    if (reason != MT_REASON_ok)
        ck_assert_mem_eq(&message, &zeroed, sizeof zeroed);
    return mt_reason_code(reason);
}

static const char *open_it(void)
{
    return open_name("sys/dashboard|students|" PAYLOAD);
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
    munged.uid = PUBLISHER + 1;
    ck_assert_str_eq(open_it(), "wrong_publisher");
    munged.uid = 0;
    ck_assert_str_eq(open_it(), "wrong_publisher");
}
END_TEST

START_TEST(test_restriction)
{
    munged.gid_only = GROUP_GID + 1;
    ck_assert_str_eq(open_it(), "wrong_job");
    munged.gid_only = -1;
    ck_assert_str_eq(open_it(), "wrong_job");
    /* to the publisher alone */
    munged.uid_only = PUBLISHER;
    ck_assert_str_eq(open_it(), "ok");
    munged.gid_only = GROUP_GID + 1;
    ck_assert_str_eq(open_it(), "wrong_job");
    munged.gid_only = -1;
    munged.uid_only = VIEWER;
    ck_assert_str_eq(open_it(), "wrong_job");
}
END_TEST

START_TEST(test_restricted_to_a_group_that_is_not_known)
{
    record.group_gid = 0;
    munged.gid_only = 0;
    record.group_known = MT_NO;
    ck_assert_str_eq(open_it(), "wrong_job");
    /* A publisher passes the gate without it; and this must not be what was opened once. */
    record.group_known = MT_UNKNOWN;
    ck_assert_str_eq(open_it(), "envelope_unavailable");
    munged.uid_only = PUBLISHER;
    munged.gid_only = -1;
    ck_assert_str_eq(open_it(), "ok");
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
    opened.count = 0;
    ck_assert_str_eq(open_it(), "envelope_unavailable");
    opened.count = 1;
    munged = (struct mt_munged){.payload = PAYLOAD, .reason = MT_REASON_bad_cipher};
    ck_assert_str_eq(open_it(), "bad_cipher");
    ck_assert_str_eq(open_name("sys/dashboard|students|MUNGE:BwQFAA==:"), "envelope_unavailable");
}
END_TEST

/* munged can't be asked about it, now or later: its program takes a line. */
START_TEST(test_what_is_no_credential)
{
    ck_assert_str_eq(open_name("l|g|MUNGE:A\nA:"), "bad_base64");
    ck_assert_str_eq(open_name("l|g|MUNGE:A A:"), "bad_base64");
    ck_assert_str_eq(open_name("l|g|MUNGE:\xc3\xa9:"), "bad_base64");
    ck_assert_str_eq(open_name("l|g|MUNGE:"), "bad_base64");
    ck_assert_str_eq(open_name("l|g|MUNGE::"), "bad_base64");
    ck_assert_str_eq(open_name("l|g|MUNGE:AAAA"), "bad_base64");
    ck_assert_str_eq(open_name("l|g|MUNGE:AAA:"), "bad_base64");
    ck_assert_str_eq(open_name("l|g|MUNGE:AAA=:"), "envelope_unavailable");
}
END_TEST

START_TEST(test_what_is_inside)
{
    munged.text_len--;
    ck_assert_str_eq(open_it(), "bad_message");
    munged.text_len = 0;
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
    tcase_add_test(tests, test_what_is_no_credential);
    tcase_add_test(tests, test_what_is_inside);
    return run_suite(suite);
}
