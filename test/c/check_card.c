/* SPDX-License-Identifier: MIT */
/* Links: card, and all that makes a share from a record. */
#include "card.h"

#include "mt_limits.h"
#include "round.h"

#include <stdlib.h>
#include <string.h>

static struct mt_settings settings;
static struct mt_specs *specs;
static struct mt_card card;

static void setup(void)
{
    settings = viewer_settings();
}

static void teardown(void)
{
    mt_card_free(&card);
    mt_specs_free(&specs);
}

static const struct mt_share *render(const struct sample *sample)
{
    specs = round_of_samples(NULL, sample, 1, &settings);
    const struct mt_share *share = share_of(specs, "hpc", sample->job_id);
    assert_codes(share, ok, ok);
    ck_assert_int_eq(mt_card_render(share, &card), MT_OK);
    return share;
}

/* OOD's own files are written so: nine keys, in this order, and nothing else. */
START_TEST(test_db_is_what_ood_writes)
{
    struct sample sample = good_sample(4711);
    (void)render(&sample);
    ck_assert_str_eq(card.db, "{\"id\":\"" SESSION "\",\"cluster_id\":\"deac\",\"job_id\":\"4711\","
                              "\"created_at\":5711,\"token\":\"" TOKEN "\","
                              "\"title\":\"prof: Language model\",\"script_type\":\"basic\","
                              "\"cache_completed\":null,\"completed_at\":null}");
}
END_TEST

START_TEST(test_types_in_db)
{
    static const struct {
        const char *key;
        json_type type;
    } keys[] = {
        {"id", JSON_STRING},          {"cluster_id", JSON_STRING},    {"job_id", JSON_STRING},
        {"created_at", JSON_INTEGER}, {"token", JSON_STRING},         {"title", JSON_STRING},
        {"script_type", JSON_STRING}, {"cache_completed", JSON_NULL}, {"completed_at", JSON_NULL},
    };
    struct sample sample = good_sample(4711);
    size_t i = 0;
    const char *key;
    json_t *value;
    (void)render(&sample);
    json_t *db = json_loads(card.db, 0, NULL);
    json_object_foreach(db, key, value)
    {
        ck_assert_uint_lt(i, COUNT_OF(keys));
        ck_assert_str_eq(key, keys[i].key);
        ck_assert_int_eq(json_typeof(value), keys[i].type);
        i++;
    }
    ck_assert_uint_eq(i, COUNT_OF(keys));
    json_decref(db);
}
END_TEST

START_TEST(test_db_of_extremes)
{
    struct sample sample = good_sample(UINT32_MAX);
    sample.start = INT64_MAX;
    sample.mta = "K\xc3\xb6nig \xf0\x9f\x98\x80";
    (void)render(&sample);
    json_t *db = json_loads(card.db, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(db, "job_id")), "4294967295");
    ck_assert_int_eq(json_integer_value(json_object_get(db, "created_at")), INT64_MAX);
    ck_assert_str_eq(json_string_value(json_object_get(db, "title")),
                     "prof: K\xc3\xb6nig \xf0\x9f\x98\x80");
    json_decref(db);
}
END_TEST

static void assert_title(const char *title, const struct sample *sample)
{
    (void)render(sample);
    json_t *db = json_loads(card.db, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(db, "title")), title);
    json_decref(db);
}

START_TEST(test_a_name_does_not_say_whose_it_is)
{
    struct sample sample = good_sample(4711);
    sample.user = "mallory";
    sample.mta = "Notes from profsmith";
    assert_title("mallory: Notes from profsmith", &sample);
}
END_TEST

START_TEST(test_title_is_what_its_publisher_calls_it)
{
    struct sample sample = good_sample(4711);
    sample.connection = "{'mt_title':'Spanish\\u0020301','host':'n1'}";
    assert_title("prof: Spanish 301", &sample);
    ck_assert_ptr_null(strstr(card.connection, "mt_title"));
}
END_TEST

START_TEST(test_mark_is_read_back)
{
    struct sample sample = good_sample(4711);
    struct mt_mark mark;
    (void)render(&sample);
    ck_assert_int_eq(mt_mark_parse(card.mark, strlen(card.mark), &mark), MT_OK);
    ck_assert_str_eq(mark.cluster, "hpc");
    ck_assert_str_eq(mark.wckeys, "multitenant");
    ck_assert_uint_eq(mark.job_id, 4711);
    ck_assert_uint_eq(mark.uid, PUBLISHER);
    json_decref(mark.json);
}
END_TEST

START_TEST(test_connection)
{
    struct sample sample = good_sample(4711);
    sample.connection = "{'z':'1','host':'n1','port':5432,'a':''}";
    (void)render(&sample);
    ck_assert_str_eq(card.connection,
                     "{\"z\": \"1\", \"host\": \"n1\", \"port\": \"5432\", \"a\": "
                     "\"\", \"jobid\": \"4711\", \"mt_appname\": \"Ollama_API\"}\n");
}
END_TEST

START_TEST(test_every_value_of_the_connection_is_a_string)
{
    struct sample sample = good_sample(4711);
    const char *key;
    json_t *value;
    sample.connection = "{'a':1,'b':true,'c':'1e5','d':'yes','e':'2024-01-01','f':'@x','g':'~'}";
    (void)render(&sample);
    json_t *connection = json_loads(card.connection, 0, NULL);
    ck_assert_uint_eq(json_object_size(connection), 9);
    json_object_foreach(connection, key, value)
    {
        ck_assert_msg(json_is_string(value), "%s", key);
    }
    json_decref(connection);
}
END_TEST

/* To YAML these are line breaks, which fold; as escapes both JSON and YAML read them back. */
static const struct {
    const char *value;
    const char *written;
} breaks[] = {
    {"a \xe2\x80\xa8 b", "\"a \\u2028 b\""},
    {"a\xe2\x80\xa9", "\"a\\u2029\""},
    {"\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\""},
    {"\xe2\x80\xa7\xe2\x80\xaa", "\"\xe2\x80\xa7\xe2\x80\xaa\""},
    {"\xe2\x80\xa6", "\"\xe2\x80\xa6\""},
    {"\xc3\xa8\xe2\x82\xac", "\"\xc3\xa8\xe2\x82\xac\""},
};

START_TEST(test_line_breaks_of_yaml_are_escaped)
{
    struct sample sample = good_sample(4711);
    sample.connection = format("{'k':'%s'}", breaks[_i].value);
    (void)render(&sample);
    ck_assert_ptr_nonnull(strstr(card.connection, format("\"k\": %s,", breaks[_i].written)));
    json_t *connection = json_loads(card.connection, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(connection, "k")), breaks[_i].value);
    json_decref(connection);
}
END_TEST

START_TEST(test_largest_values)
{
    static const char *const characters[] = {"x", "\"", "\\", "\xe2\x80\xa8", "\xf0\x9f\x98\x80"};
    char key[] = "k00";
    struct mt_share share;
    /* More than a v1 name can carry: the card is made from any message that the policy accepts. */
    struct sample sample = good_sample(4711);
    specs = round_of_samples(NULL, &sample, 1, &settings);
    share = *share_of(specs, "hpc", 4711);
    char *value = repeat(characters[_i], MT_CONN_VALUE_MAX / strlen(characters[_i]));
    share.message.connection = json_object();
    for (int i = 0; i < MT_CONN_KEYS_MAX; i++) {
        key[1] = (char)('0' + i / 10);
        key[2] = (char)('0' + i % 10);
        ck_assert_int_eq(json_object_set_new(share.message.connection, key, json_string(value)), 0);
    }
    ck_assert_int_eq(mt_card_render(&share, &card), MT_OK);
    json_t *connection = json_loads(card.connection, 0, NULL);
    ck_assert_uint_eq(json_object_size(connection), MT_CONN_KEYS_MAX + 2);
    ck_assert_str_eq(json_string_value(json_object_get(connection, "k00")), value);
    ck_assert_str_eq(json_string_value(json_object_get(connection, "k63")), value);
    json_decref(connection);
    json_decref(share.message.connection);
    free(value);
}
END_TEST

START_TEST(test_connection_for_forms_is_new)
{
    struct sample sample = good_sample(4711);
    const struct mt_share *share = render(&sample);
    json_t *connection = mt_card_connection(share);
    ck_assert_uint_eq(json_object_size(connection), 4);
    ck_assert_str_eq(json_string_value(json_object_get(connection, "jobid")), "4711");
    ck_assert_str_eq(json_string_value(json_object_get(connection, "mt_appname")), "Ollama_API");
    ck_assert_uint_eq(json_object_size(share->message.connection), 2);
    json_decref(connection);
}
END_TEST

/* By then OOD's OpenStruct has a method for each of the others. */
START_TEST(test_class_is_the_last_key)
{
    struct sample sample = good_sample(4711);
    sample.connection = format("{'class':'x','display':'y'}");
    (void)render(&sample);
    ck_assert_str_eq(card.connection,
                     "{\"display\": \"y\", \"jobid\": \"4711\", \"mt_appname\": \"Ollama_API\", "
                     "\"class\": \"x\"}\n");
}
END_TEST

static const char *const not_marks[] = {
    "",
    "x",
    "[]",
    "{}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":1}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"uid\":1}",
    "{\"cluster\":\"hpc\",\"job\":1,\"uid\":1}",
    "{\"wckey\":\"k\",\"job\":1,\"uid\":1}",
    "{\"cluster\":1,\"wckey\":\"k\",\"job\":1,\"uid\":1}",
    "{\"cluster\":\"hpc\",\"wckey\":[\"k\"],\"job\":1,\"uid\":1}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":\"1\",\"uid\":1}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":0,\"uid\":1}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":4294967296,\"uid\":1}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":1,\"uid\":-1}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":1,\"uid\":4294967296}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":1,\"uid\":1.0}",
    "{\"cluster\":\"hpc\",\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":1,\"uid\":1}",
    "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":1,\"uid\":1",
};

START_TEST(test_not_a_mark)
{
    struct mt_mark mark;
    ck_assert_int_eq(mt_mark_parse(not_marks[_i], strlen(not_marks[_i]), &mark), MT_MALFORMED);
    json_decref(mark.json);
}
END_TEST

START_TEST(test_mark_of_the_largest_numbers)
{
    static const char text[] =
        "{\"cluster\":\"hpc\",\"wckey\":\"k\",\"job\":4294967295,\"uid\":4294967295,\"more\":[]}";
    struct mt_mark mark;
    ck_assert_int_eq(mt_mark_parse(text, strlen(text), &mark), MT_OK);
    ck_assert_uint_eq(mark.job_id, UINT32_MAX);
    ck_assert_uint_eq(mark.uid, UINT32_MAX);
    json_decref(mark.json);
}
END_TEST

static const struct {
    const char *text;
    bool ok;
    bool completed;
} dbs[] = {
    {"{\"token\":\"sys/x\",\"job_id\":\"1\"}", true, false},
    {"{\"token\":\"sys/x\",\"job_id\":\"1\",\"cache_completed\":null}", true, false},
    {"{\"token\":\"sys/x\",\"job_id\":\"1\",\"cache_completed\":false}", true, false},
    {"{\"token\":\"sys/x\",\"job_id\":\"1\",\"cache_completed\":true}", true, true},
    {"{\"token\":\"sys/x\",\"job_id\":\"1\",\"cache_completed\":1}", true, false},
    {"{\"token\":\"sys/x\"}", false, false},
    {"{\"job_id\":\"1\"}", false, false},
    {"{\"token\":\"sys/x\",\"job_id\":1}", false, false},
    {"{\"token\":null,\"job_id\":\"1\"}", false, false},
    {"[]", false, false},
    {"", false, false},
    {"{", false, false},
};

START_TEST(test_db_parse)
{
    struct mt_db db;
    ck_assert_int_eq(mt_db_parse(dbs[_i].text, strlen(dbs[_i].text), &db),
                     dbs[_i].ok ? MT_OK : MT_MALFORMED);
    ck_assert_int_eq(db.completed, dbs[_i].completed);
    if (dbs[_i].ok) {
        ck_assert_str_eq(db.token, "sys/x");
        ck_assert_str_eq(db.job_id, "1");
    }
    json_decref(db.json);
}
END_TEST

static const struct {
    const char *a;
    const char *b;
    bool same;
} pairs[] = {
    {"{\"a\":1,\"b\":null}", "{ \"b\" : null,\n\"a\" : 1 }", true},
    {"{\"a\":1}", "{\"a\":2}", false},
    {"{\"a\":1}", "{\"a\":\"1\"}", false},
    {"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
    {"{\"a\":1,\"b\":null}", "{\"a\":1}", false},
    {"{\"a\":null}", "{\"a\":true}", false},
    {"{}", "", false},
    {"", "", false},
    {"x", "x", false},
};

START_TEST(test_db_same)
{
    ck_assert_int_eq(mt_db_same(pairs[_i].a, strlen(pairs[_i].a), pairs[_i].b, strlen(pairs[_i].b)),
                     pairs[_i].same);
}
END_TEST

START_TEST(test_free_of_nothing)
{
    struct mt_card none = {0};
    mt_card_free(&none);
    ck_assert_ptr_null(none.db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("card");
    TCase *tests = add_case(suite, "write");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_db_is_what_ood_writes);
    tcase_add_test(tests, test_types_in_db);
    tcase_add_test(tests, test_db_of_extremes);
    tcase_add_test(tests, test_a_name_does_not_say_whose_it_is);
    tcase_add_test(tests, test_title_is_what_its_publisher_calls_it);
    tcase_add_test(tests, test_mark_is_read_back);
    tcase_add_test(tests, test_connection);
    tcase_add_test(tests, test_every_value_of_the_connection_is_a_string);
    tcase_add_loop_test(tests, test_line_breaks_of_yaml_are_escaped, 0, (int)COUNT_OF(breaks));
    tcase_add_loop_test(tests, test_largest_values, 0, 5);
    tcase_add_test(tests, test_connection_for_forms_is_new);
    tcase_add_test(tests, test_class_is_the_last_key);
    tcase_add_test(tests, test_free_of_nothing);
    tests = add_case(suite, "read");
    tcase_add_loop_test(tests, test_not_a_mark, 0, (int)COUNT_OF(not_marks));
    tcase_add_test(tests, test_mark_of_the_largest_numbers);
    tcase_add_loop_test(tests, test_db_parse, 0, (int)COUNT_OF(dbs));
    tcase_add_loop_test(tests, test_db_same, 0, (int)COUNT_OF(pairs));
    return run_suite(suite);
}
