/* SPDX-License-Identifier: MIT */
/* Links: message, message_v2, policy. */
/* service, until and lead as both messages carry them, door and gate as v2 does, by the answers
 * that the senders are held to, too. */
#include "helpers.h"
#include "json.h"
#include "message_v2.h"
#include "policy.h"

#include <stdlib.h>
#include <string.h>

static json_t *services;
static json_t *gateways;
static struct mt_message message;
static const struct mt_record record = {.cluster = "hpc", .job_id = 4711, .uid = PUBLISHER};

static void teardown(void)
{
    mt_message_free(&message);
}

static const json_t *vector_of(const json_t *file, int i)
{
    return json_array_get(json_object_get(file, "vectors"), (size_t)i);
}

static int count_of(const json_t *file)
{
    const json_t *vectors = json_object_get(file, "vectors");
    return vectors ? (int)json_array_size(vectors) : 1;
}

static enum mt_reason judge(void)
{
    struct mt_settings settings = viewer_settings();
    return mt_policy_message(&record, &message, &settings);
}

/* A number that is told as text in v1. 0: there is none. */
static long long number_of(const json_t *told)
{
    const char *text = json_string_value(told);
    return text ? strtoll(text, NULL, 10) : (long long)json_integer_value(told);
}

/* What was kept is what was told. */
static void assert_kept(const json_t *keys)
{
    ck_assert_int_eq(message.until, number_of(json_object_get(keys, "until")));
    ck_assert_int_eq(message.lead, number_of(json_object_get(keys, "lead")));
    const char *service = json_string_value(json_object_get(keys, "service"));
    if (service)
        ck_assert_str_eq(json_string_value(message.service), service);
    const char *door = json_string_value(json_object_get(keys, "door"));
    if (door)
        ck_assert_str_eq(json_string_value(message.door), door);
    ck_assert_int_eq(message.gate, number_of(json_object_get(keys, "gate")));
    ck_assert_uint_eq(json_object_size(message.connection), 1);
    ck_assert_uint_eq(json_object_size(message.accounting), 5);
}

static void assert_vector(const json_t *vector, const char *key, const char *got)
{
    const char *label = json_string_value(json_object_get(vector, "label"));
    ck_assert_msg(strcmp(got, json_string_value(json_object_get(vector, key))) == 0, "%s: %s",
                  label, got);
    if (strcmp(got, "ok") == 0)
        assert_kept(json_object_get(vector, "keys"));
}

static void assert_v2(const json_t *vector)
{
    static const struct mt_jobname name = {.group = "students", .group_len = 8};
    json_t *whole =
        json_pack("{s:i, s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:{s:s}}", "v", 2, "cluster",
                  "hpc", "job", 4711, "group", "students", "restarts", 0, "id", SESSION, "app",
                  "App", "method", "card", "delivery", TOKEN, "conn", "host", "n1");
    ck_assert_int_eq(json_object_update(whole, json_object_get(vector, "keys")), 0);
    char *text = json_dumps(whole, JSON_COMPACT);
    enum mt_reason reason = MT_REASON_ok;
    enum mt_status status =
        mt_message_v2_open(&record, &name, text, strlen(text), &message, &reason);
    ck_assert(status == MT_OK || status == MT_REFUSED);
    assert_vector(vector, "reason", mt_reason_code(status == MT_OK ? judge() : reason));
    free(text);
    json_decref(whole);
}

START_TEST(test_v2)
{
    assert_v2(vector_of(services, _i));
}
END_TEST

START_TEST(test_a_gateway)
{
    assert_v2(vector_of(gateways, _i));
}
END_TEST

START_TEST(test_v1)
{
    static const char acc[] =
        "{'mtu':'2001','mti':'" SESSION "','mta':'App','mtm':'card','mtd':'" TOKEN "'}";
    const char *key;
    json_t *value;
    json_t *conn = json_pack("{s:s}", "host", "n1");
    json_object_foreach(json_object_get(vector_of(services, _i), "keys"), key, value)
        ck_assert_int_eq(json_object_set(conn, format("mt_%s", key), value), 0);
    char *json = json_dumps(conn, JSON_COMPACT);
    const char *text = format("%s|%s", acc, json);
    enum mt_status status = mt_message_parse_v1(text, strlen(text), &message);
    ck_assert(status == MT_OK || status == MT_MALFORMED);
    assert_vector(vector_of(services, _i), "reason_v1",
                  mt_reason_code(status == MT_OK ? judge() : MT_REASON_bad_message));
    free(json);
    json_decref(conn);
}
END_TEST

START_TEST(test_a_copy_keeps_its_service)
{
    const char *text = "{'mtu':'','mti':'x','mta':'App','mtm':'card','mtd':'d'}"
                       "|{'mt_service':'spanish','mt_until':2000000000,'mt_lead':'15'}";
    ck_assert_int_eq(mt_message_parse_v1(text, strlen(text), &message), MT_OK);
    struct mt_message copy = mt_message_copy(&message);
    mt_message_free(&message);
    ck_assert_str_eq(json_string_value(copy.service), "spanish");
    ck_assert_int_eq(copy.until, 2000000000);
    ck_assert_int_eq(copy.lead, 15);
    ck_assert_uint_eq(json_object_size(copy.connection), 0);
    mt_message_free(&copy);
}
END_TEST

START_TEST(test_a_copy_keeps_its_gateway)
{
    message.door = json_string("AAAA");
    message.gate = 18080;
    struct mt_message copy = mt_message_copy(&message);
    mt_message_free(&message);
    ck_assert_str_eq(json_string_value(copy.door), "AAAA");
    ck_assert_int_eq(copy.gate, 18080);
    mt_message_free(&copy);
}
END_TEST

/* v1 hides nothing: there the words mean nothing of ours. */
START_TEST(test_v1_has_no_gateway)
{
    const char *text = "{'mtu':'','mti':'x','mta':'App','mtm':'card','mtd':'d','gate':'18080'}"
                       "|{'door':'AAAA','gate':18080,'mt_gate':'18080'}";
    ck_assert_int_eq(mt_message_parse_v1(text, strlen(text), &message), MT_OK);
    ck_assert_ptr_null(message.door);
    ck_assert_int_eq(message.gate, 0);
    ck_assert_uint_eq(json_object_size(message.connection), 3);
}
END_TEST

/* In a connection they would be taken for ours. */
START_TEST(test_the_keys_can_not_be_shared)
{
    static const char *const keys[] = {"mt_service", "mt_until", "mt_lead"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        ck_assert(!mt_policy_allows_key(keys[i]));
    ck_assert(mt_policy_allows_key("mt_services"));
}
END_TEST

int main(void)
{
    services = json_load_file(VECTORS "/service.json", JSON_ALLOW_NUL, NULL);
    gateways = json_load_file(VECTORS "/gateway.json", JSON_ALLOW_NUL, NULL);
    Suite *suite = suite_create("service_keys");
    TCase *tests = add_case(suite, "messages");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, test_v2, 0, count_of(services));
    tcase_add_loop_test(tests, test_v1, 0, count_of(services));
    tcase_add_loop_test(tests, test_a_gateway, 0, count_of(gateways));
    tcase_add_test(tests, test_a_copy_keeps_its_service);
    tcase_add_test(tests, test_a_copy_keeps_its_gateway);
    tcase_add_test(tests, test_v1_has_no_gateway);
    tcase_add_test(tests, test_the_keys_can_not_be_shared);
    int status = run_suite(suite);
    json_decref(services);
    json_decref(gateways);
    return status;
}
