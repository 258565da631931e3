/* SPDX-License-Identifier: MIT */
/* Links: streams, record, json. */
#include "reading.h"

#include <stdlib.h>
#include <string.h>

/* Reads a stream with one job, whose `key` has the JSON value `value`; NULL: it is missing. */
static void read_with(bool in_header, const char *key, const char *value)
{
    struct sample sample = good_sample(4711);
    json_t *header = json_loads("{\"multitenant\":1,\"generated\":1700000000,\"cluster\":\"hpc\","
                                "\"wckeys\":[\"multitenant\"],\"sees\":\"all\"}",
                                0, NULL);
    json_t *job = record_of(&sample);
    json_t *changed = in_header ? header : job;
    json_t *new = value ? json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    ck_assert_msg(!value || new, "not JSON: %s", value);
    if (new)
        ck_assert_int_eq(json_object_set_new(changed, key, new), 0);
    else
        (void)json_object_del(changed, key);
    char *header_line = json_dumps(header, JSON_COMPACT);
    char *job_line = json_dumps(job, JSON_COMPACT);
    script_line(&script, header_line);
    script_line(&script, job_line);
    script_line(&script, "{\"end\":1}");
    free(header_line);
    free(job_line);
    json_decref(header);
    json_decref(job);
    ck_assert_int_eq(read_script(), MT_OK);
}

/* 256 bytes fit everywhere, 257 nowhere. */
#define BYTES_16 "0123456789abcdef"
#define BYTES_64 BYTES_16 BYTES_16 BYTES_16 BYTES_16
#define BYTES_256 BYTES_64 BYTES_64 BYTES_64 BYTES_64

/* Values of a key, up to the first NULL. */
struct values {
    const char *key;
    const char *values[9];
    bool may_miss;
};

/* clang-format off */
static const struct values good_header[] = {
    {"multitenant", {"1"}, false},
    {"generated", {"0", "1700000000", "9223372036854775807"}, false},
    {"cluster", {"\"hpc\""}, false},
    {"wckeys", {"[\"a\"]", "[\"a\",\"b\"]", "[\"" BYTES_256 "\"]"}, false},
    {"sees", {"\"all\"", "\"own\""}, false},
    {"private_jobs", {"true", "false", "null"}, true},
    {"publishers", {"\"g\"", "\"" BYTES_256 "\""}, true},
    {"undetermined", {"[]", "[7,8]"}, true},
    {"more", {"null", "1", "{\"a\":[]}"}, true},
};

#define NODE "{\"name\":\"n1\",\"host\":\"h1\",\"addr\":\"10.0.0.1\"}"
#define NODE_WITH(addr) "[{\"name\":\"n1\",\"host\":\"h1\",\"addr\":" addr "}]"
#define NODES_5 NODE "," NODE "," NODE "," NODE "," NODE
#define NODES_31 NODES_5 "," NODES_5 "," NODES_5 "," NODES_5 "," NODES_5 "," NODES_5 "," NODE

static const struct values good_job[] = {
    {"cluster", {"\"hpc\""}, false},
    {"job_id", {"1", "4294967295"}, false},
    {"user", {"\"\"", "\"a\"", "\"" BYTES_256 "\"", "\"\\u00fc\""}, false},
    {"uid", {"0", "4294967295"}, false},
    {"name", {"\"\"", "\"x\"", "\"a\\u0000b\""}, false},
    {"start", {"0", "9223372036854775807"}, false},
    {"end", {"0", "9223372036854775807"}, false},
    {"restarts", {"0", "4294967295"}, false},
    {"group_gid", {"null", "-1", "0", "4294967295"}, false},
    {"publisher_in_group", {"true", "false", "null"}, false},
    {"publisher_allowed", {"true", "false", "null"}, true},
    {"wckey", {"\"multitenant\"", "\"" BYTES_256 "\""}, true},
    {"nodes", {"null", "[]", "[{\"name\":\"n1\"}]", "[" NODES_31 "," NODE "]",
               "[{\"name\":\"" BYTES_256 "\",\"host\":null,\"addr\":null}]"}, true},
    {"more", {"null", "1", "{\"a\":[]}"}, true},
};

#define LONG_TEXT "\"" BYTES_256 "x\""
#define NOT_TEXT "null", "1", "true", "[\"a\"]", "\"a\\u0000b\"", LONG_TEXT
#define NOT_A_NAME NOT_TEXT, "\"\""

static const struct values bad_header[] = {
    {"multitenant", {"0", "2", "\"1\"", "true", "null", "1.0"}, false},
    {"generated", {"-1", "null", "\"0\"", "1.5", "true"}, false},
    {"cluster", {NOT_A_NAME}, false},
    {"wckeys", {"null", "[]", "\"a\"", "{\"a\":1}", "[\"\"]", "[1]", "[null]",
                "[" LONG_TEXT "]"}, false},
    {"sees", {"null", "\"none\"", "\"\"", "1", "[\"all\"]", "\"all\\u0000\""}, false},
    {"private_jobs", {"0", "\"true\"", "[true]"}, false},
    {"publishers", {NOT_A_NAME}, false},
    {"undetermined", {"7", "null", "\"7\"", "{}"}, false},
};

static const struct values bad_job[] = {
    {"cluster", {NOT_A_NAME}, false},
    {"job_id", {"0", "-1", "4294967296", "1.0", "\"1\"", "true", "null", "[1]"}, false},
    {"user", {NOT_TEXT}, false},
    {"uid", {"-1", "4294967296", "1.0", "\"1\"", "true", "null", "[1]"}, false},
    {"name", {"null", "1", "true", "[\"a\"]", "{}"}, false},
    {"start", {"-1", "1.0", "\"1\"", "true", "null", "[1]"}, false},
    {"end", {"-1", "1.0", "\"1\"", "true", "null", "[1]"}, false},
    {"restarts", {"-1", "4294967296", "1.0", "\"1\"", "true", "null"}, false},
    {"group_gid", {"-2", "4294967296", "3000.0", "\"3000\"", "true", "[3000]"}, false},
    {"publisher_in_group", {"0", "1", "\"true\"", "[true]"}, false},
    {"publisher_allowed", {"0", "1", "\"true\"", "[true]"}, false},
    {"wckey", {NOT_A_NAME}, false},
    {"nodes", {"1", "\"n1\"", "{}", "[1]", "[{}]", "[null]", "[{\"host\":\"n1\"}]",
               "[" NODES_31 "," NODE "," NODE "]"}, false},
    {"nodes", {"[{\"name\":null}]", "[{\"name\":" LONG_TEXT "}]", "[{\"name\":\"\"}]"}, false},
    {"nodes", {NODE_WITH("1"), NODE_WITH("[]"), NODE_WITH("\"\""), NODE_WITH(LONG_TEXT)}, false},
};
/* clang-format on */

START_TEST(test_good_value_in_header)
{
    for (size_t i = 0; good_header[_i].values[i]; i++) {
        read_with(true, good_header[_i].key, good_header[_i].values[i]);
        ck_assert_msg(bad_line == 0, "%s: %s", good_header[_i].key, good_header[_i].values[i]);
        teardown();
    }
}
END_TEST

START_TEST(test_good_value_in_job)
{
    for (size_t i = 0; good_job[_i].values[i]; i++) {
        read_with(false, good_job[_i].key, good_job[_i].values[i]);
        ck_assert_msg(bad_line == 0, "%s: %s", good_job[_i].key, good_job[_i].values[i]);
        teardown();
    }
}
END_TEST

START_TEST(test_bad_value_in_header)
{
    for (size_t i = 0; bad_header[_i].values[i]; i++) {
        read_with(true, bad_header[_i].key, bad_header[_i].values[i]);
        ck_assert_msg(bad_line == 1, "%s: %s", bad_header[_i].key, bad_header[_i].values[i]);
        teardown();
    }
}
END_TEST

START_TEST(test_bad_value_in_job)
{
    for (size_t i = 0; bad_job[_i].values[i]; i++) {
        read_with(false, bad_job[_i].key, bad_job[_i].values[i]);
        ck_assert_msg(bad_line == 2, "%s: %s", bad_job[_i].key, bad_job[_i].values[i]);
        ck_assert(!streams.items[0].complete);
        teardown();
    }
}
END_TEST

START_TEST(test_missing_key_in_header)
{
    read_with(true, good_header[_i].key, NULL);
    ck_assert_uint_eq(bad_line, good_header[_i].may_miss ? 0 : 1);
}
END_TEST

START_TEST(test_missing_key_in_job)
{
    read_with(false, good_job[_i].key, NULL);
    ck_assert_uint_eq(bad_line, good_job[_i].may_miss ? 0 : 2);
}
END_TEST

START_TEST(test_number_of_wckeys)
{
    char *keys = repeat("\"k\",", MT_WCKEYS_MAX - 1);
    read_with(true, "wckeys", format("[%s\"k\"]", keys));
    ck_assert_uint_eq(bad_line, 0);
    ck_assert_uint_eq(json_array_size(streams.items[0].wckeys), MT_WCKEYS_MAX);
    teardown();
    read_with(true, "wckeys", format("[%s\"k\",\"k\"]", keys));
    ck_assert_uint_eq(bad_line, 1);
    free(keys);
}
END_TEST

START_TEST(test_publishers)
{
    read_with(true, "publishers", "\"faculty\"");
    ck_assert_str_eq(streams.items[0].publishers, "faculty");
}
END_TEST

START_TEST(test_wckey)
{
    read_with(false, "wckey", "\"class\"");
    ck_assert_str_eq(streams.items[0].records[0].wckey, "class");
}
END_TEST

START_TEST(test_no_such_group)
{
    read_with(false, "group_gid", "-1");
    ck_assert_int_eq(streams.items[0].records[0].group_known, MT_NO);
}
END_TEST

START_TEST(test_group_not_learned)
{
    read_with(false, "group_gid", "null");
    ck_assert_int_eq(streams.items[0].records[0].group_known, MT_UNKNOWN);
}
END_TEST

START_TEST(test_largest_gid)
{
    read_with(false, "group_gid", "4294967295");
    ck_assert_int_eq(streams.items[0].records[0].group_known, MT_YES);
    ck_assert_uint_eq(streams.items[0].records[0].group_gid, UINT32_MAX);
}
END_TEST

static const struct {
    const char *value;
    enum mt_answer answer;
} answers[] = {{"true", MT_YES}, {"false", MT_NO}, {"null", MT_UNKNOWN}};

START_TEST(test_answers)
{
    read_with(false, "publisher_in_group", answers[_i].value);
    ck_assert_int_eq(streams.items[0].records[0].publisher_in_group, answers[_i].answer);
    teardown();
    read_with(false, "publisher_allowed", answers[_i].value);
    ck_assert_int_eq(streams.items[0].records[0].publisher_allowed, answers[_i].answer);
}
END_TEST

START_TEST(test_no_answer_about_publishers)
{
    read_with(false, "publisher_allowed", NULL);
    ck_assert_int_eq(streams.items[0].records[0].publisher_allowed, MT_UNKNOWN);
}
END_TEST

START_TEST(test_nodes)
{
    read_with(false, "nodes", NULL);
    ck_assert_ptr_null(streams.items[0].records[0].nodes);
    teardown();
    read_with(false, "nodes", "null");
    ck_assert_ptr_null(streams.items[0].records[0].nodes);
    teardown();
    read_with(false, "nodes", "[" NODE "]");
    const json_t *node = json_array_get(streams.items[0].records[0].nodes, 0);
    ck_assert_str_eq(json_string_value(json_object_get(node, "addr")), "10.0.0.1");
}
END_TEST

START_TEST(test_out_of_time)
{
    read_with(false, "out_of_time", "true");
    ck_assert(streams.items[0].records[0].out_of_time);
}
END_TEST

/* Reads a job whose name is written byte by byte. */
static void read_binary_name(const char *json_text)
{
    struct sample sample = good_sample(1);
    json_t *job = record_of(&sample);
    json_t *name = json_loads(json_text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    ck_assert_int_eq(json_object_set_new(job, "name", name), 0);
    ck_assert_int_eq(json_object_set_new(job, "binary", json_true()), 0);
    char *line = json_dumps(job, JSON_COMPACT);
    script_begin(&script, "hpc", "all");
    script_line(&script, line);
    script_line(&script, "{\"end\":1}");
    free(line);
    json_decref(job);
    ck_assert_int_eq(read_script(), MT_OK);
}

START_TEST(test_binary_name_of_every_byte)
{
    char text[256 * 6 + 3] = "\"";
    for (unsigned i = 0; i < 256; i++)
        append(text, sizeof text, "\\u%04x", i);
    append(text, sizeof text, "\"");
    read_binary_name(text);
    ck_assert_uint_eq(bad_line, 0);
    const struct mt_record *record = &streams.items[0].records[0];
    ck_assert(record->binary);
    ck_assert_uint_eq(record->name_len, 256);
    for (unsigned i = 0; i < 256; i++)
        ck_assert_uint_eq((unsigned char)record->name[i], i);
}
END_TEST

START_TEST(test_binary_name_may_be_empty)
{
    read_binary_name("\"\"");
    ck_assert_uint_eq(bad_line, 0);
    ck_assert_uint_eq(streams.items[0].records[0].name_len, 0);
}
END_TEST

static const char *const beyond_bytes[] = {"\"a\\u0100\"", "\"\\u20ac\"", "\"\\ud83d\\ude00\"",
                                           "\"\\u07ff\""};

START_TEST(test_binary_name_beyond_bytes)
{
    read_binary_name(beyond_bytes[_i]);
    ck_assert_uint_eq(bad_line, 2);
}
END_TEST

START_TEST(test_nul_in_a_plain_name)
{
    read_with(false, "name", "\"a\\u0000b\"");
    const struct mt_record *record = &streams.items[0].records[0];
    ck_assert(!record->binary);
    ck_assert_uint_eq(record->name_len, 3);
    ck_assert_mem_eq(record->name, "a\0b", 3);
}
END_TEST

START_TEST(test_parts_of_a_name)
{
    struct sample sample = good_sample(4711);
    sample.name = "sys/dashboard|students|AAAA";
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    sample.job_id = 4712;
    sample.name = "bash";
    script_job(&script, &sample);
    script_end(&script);
    ck_assert_int_eq(read_script(), MT_OK);
    const struct mt_record *records = streams.items[0].records;
    ck_assert(records[0].is_share && !records[1].is_share);
    ck_assert_uint_eq(records[0].parts.group_len, strlen("students"));
    ck_assert_mem_eq(records[0].parts.group, "students", strlen("students"));
    ck_assert_mem_eq(records[0].parts.payload, "AAAA", 4);
    ck_assert_ptr_null(records[1].parts.group);
}
END_TEST

START_TEST(test_a_copy_outlives_its_streams)
{
    read_with(false, "wckey", "\"class\"");
    struct mt_record copy = mt_record_copy(&streams.items[0].records[0]);
    mt_streams_free(&streams);
    ck_assert_uint_eq(streams.count, 0);
    ck_assert_str_eq(copy.wckey, "class");
    ck_assert_str_eq(copy.user, "prof");
    mt_record_free(&copy);
    ck_assert_ptr_null(copy.json);
    mt_record_free(&copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tests = add_case(suite, "values");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, test_good_value_in_header, 0, (int)COUNT_OF(good_header));
    tcase_add_loop_test(tests, test_good_value_in_job, 0, (int)COUNT_OF(good_job));
    tcase_add_loop_test(tests, test_bad_value_in_header, 0, (int)COUNT_OF(bad_header));
    tcase_add_loop_test(tests, test_bad_value_in_job, 0, (int)COUNT_OF(bad_job));
    tcase_add_loop_test(tests, test_missing_key_in_header, 0, (int)COUNT_OF(good_header));
    tcase_add_loop_test(tests, test_missing_key_in_job, 0, (int)COUNT_OF(good_job));
    tcase_add_test(tests, test_publishers);
    tcase_add_test(tests, test_wckey);
    tcase_add_test(tests, test_no_such_group);
    tcase_add_test(tests, test_group_not_learned);
    tcase_add_test(tests, test_largest_gid);
    tcase_add_loop_test(tests, test_answers, 0, (int)COUNT_OF(answers));
    tcase_add_test(tests, test_no_answer_about_publishers);
    tcase_add_test(tests, test_nodes);
    tcase_add_test(tests, test_out_of_time);
    tcase_add_test(tests, test_number_of_wckeys);
    tests = add_case(suite, "name");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_binary_name_of_every_byte);
    tcase_add_test(tests, test_binary_name_may_be_empty);
    tcase_add_loop_test(tests, test_binary_name_beyond_bytes, 0, (int)COUNT_OF(beyond_bytes));
    tcase_add_test(tests, test_nul_in_a_plain_name);
    tcase_add_test(tests, test_a_copy_outlives_its_streams);
    tcase_add_test(tests, test_parts_of_a_name);
    return run_suite(suite);
}
