/* SPDX-License-Identifier: MIT */
/* Links: record, json, reason. */
#include "record.h"

#include "helpers.h"

#include <stdlib.h>
#include <string.h>

static struct mt_streams streams;
static struct script script;
static size_t bad_line;

static void setup(void)
{
    memset(&streams, 0, sizeof streams);
}

static void teardown(void)
{
    mt_streams_free(&streams);
    script_free(&script);
}

/* Reads from a block that ends where the text does and is gone afterwards. */
static enum mt_status read_bytes(const char *text, size_t len)
{
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, text, len);
    enum mt_status status = mt_streams_read(&streams, block, len, &bad_line);
    free(block);
    return status;
}

static enum mt_status read_script(void)
{
    return read_bytes(script.text, script.len);
}

/* A stream of one cluster with jobs 1 to `jobs`. */
static void add_stream(const char *cluster, uint32_t jobs)
{
    script_begin(&script, cluster, "all");
    for (uint32_t id = 1; id <= jobs; id++) {
        struct sample sample = good_sample(id);
        sample.cluster = cluster;
        sample.name = "l|g|p";
        script_job(&script, &sample);
    }
    script_end(&script);
}

static void assert_bad_line(size_t line)
{
    ck_assert_int_eq(read_script(), MT_OK);
    ck_assert_uint_eq(bad_line, line);
}

START_TEST(test_good_stream)
{
    struct sample sample = good_sample(4711);
    sample.publisher_allowed = json_false();
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_end(&script);
    assert_bad_line(0);
    ck_assert_uint_eq(streams.count, 1);

    const struct mt_stream *stream = &streams.items[0];
    ck_assert(stream->complete);
    ck_assert(stream->sees_all);
    ck_assert_str_eq(stream->cluster, "hpc");
    ck_assert_int_eq(stream->generated, 1700000000);
    ck_assert_ptr_null(stream->publishers);
    ck_assert_uint_eq(json_array_size(stream->wckeys), 1);
    ck_assert_uint_eq(stream->count, 1);

    const struct mt_record *record = &stream->records[0];
    char *name = name_of(&sample);
    ck_assert_str_eq(record->cluster, "hpc");
    ck_assert_str_eq(record->user, "prof");
    ck_assert_ptr_null(record->wckey);
    ck_assert_uint_eq(record->name_len, strlen(name));
    ck_assert_mem_eq(record->name, name, strlen(name));
    ck_assert(!record->binary);
    ck_assert_uint_eq(record->job_id, 4711);
    ck_assert_uint_eq(record->uid, PUBLISHER);
    ck_assert_uint_eq(record->restarts, 0);
    ck_assert_int_eq(record->start, 5711);
    ck_assert_int_eq(record->end, 0);
    ck_assert_int_eq(record->group_known, MT_YES);
    ck_assert_uint_eq(record->group_gid, GROUP_GID);
    ck_assert_int_eq(record->publisher_in_group, MT_YES);
    ck_assert_int_eq(record->publisher_allowed, MT_NO);
    ck_assert(!record->out_of_time);
    free(name);
}
END_TEST

START_TEST(test_no_text_is_no_stream)
{
    ck_assert_int_eq(read_bytes("", 0), MT_OK);
    ck_assert_uint_eq(bad_line, 0);
    ck_assert_uint_eq(streams.count, 0);
}
END_TEST

START_TEST(test_no_job_is_a_complete_stream)
{
    add_stream("hpc", 0);
    assert_bad_line(0);
    ck_assert(streams.items[0].complete);
    ck_assert_uint_eq(streams.items[0].count, 0);
}
END_TEST

START_TEST(test_last_newline_may_be_missing)
{
    add_stream("hpc", 2);
    script.len--;
    assert_bad_line(0);
    ck_assert(streams.items[0].complete);
}
END_TEST

START_TEST(test_streams_of_several_clusters)
{
    add_stream("hpc", 3);
    add_stream("gpu", 0);
    add_stream("big", 2);
    assert_bad_line(0);
    ck_assert_uint_eq(streams.count, 3);
    ck_assert_str_eq(streams.items[2].cluster, "big");
    ck_assert_uint_eq(streams.items[0].count, 3);
    for (size_t i = 0; i < streams.count; i++)
        ck_assert(streams.items[i].complete);
}
END_TEST

START_TEST(test_texts_add_up)
{
    add_stream("hpc", 1);
    assert_bad_line(0);
    script_free(&script);
    add_stream("gpu", 2);
    assert_bad_line(0);
    ck_assert_uint_eq(streams.count, 2);
    ck_assert(streams.items[0].complete && streams.items[1].complete);
}
END_TEST

START_TEST(test_a_cluster_twice_in_two_texts)
{
    add_stream("hpc", 1);
    assert_bad_line(0);
    assert_bad_line(1);
    ck_assert(streams.items[0].complete);
    ck_assert(!streams.items[1].complete);
}
END_TEST

/* The text before may have ended in a header that was not one. */
START_TEST(test_text_after_a_bad_header)
{
    script_line(&script, "{\"multitenant\":1}");
    assert_bad_line(1);
    script_free(&script);
    add_stream("hpc", 1);
    assert_bad_line(0);
    ck_assert(streams.items[streams.count - 1].complete);
}
END_TEST

START_TEST(test_many_jobs)
{
    add_stream("hpc", 1000);
    assert_bad_line(0);
    ck_assert_uint_eq(streams.items[0].count, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(streams.items[0].records[i].job_id, i + 1);
}
END_TEST

START_TEST(test_private_data_shows_own_jobs)
{
    script_begin(&script, "hpc", "own");
    script_end(&script);
    assert_bad_line(0);
    ck_assert(streams.items[0].complete);
    ck_assert(!streams.items[0].sees_all);
}
END_TEST

START_TEST(test_missing_end)
{
    add_stream("hpc", 1);
    script_begin(&script, "gpu", "all");
    assert_bad_line(0);
    ck_assert(streams.items[0].complete);
    ck_assert(!streams.items[1].complete);
}
END_TEST

START_TEST(test_cut_anywhere_is_incomplete)
{
    add_stream("hpc", 2);
    /* Without its last newline the last line is still whole. */
    for (size_t len = 0; len < script.len - 1; len++) {
        ck_assert_int_eq(read_bytes(script.text, len), MT_OK);
        ck_assert(streams.count == 0 || !streams.items[0].complete);
        mt_streams_free(&streams);
    }
}
END_TEST

static const char *const wrong_ends[] = {"{\"end\":1}",   "{\"end\":3}",    "{\"end\":-1}",
                                         "{\"end\":2.0}", "{\"end\":null}", "{\"end\":\"2\"}",
                                         "{\"end\":true}"};

START_TEST(test_wrong_end)
{
    add_stream("gpu", 1);
    add_stream("hpc", 2);
    script.len -= strlen("{\"end\":2}\n");
    script_line(&script, wrong_ends[_i]);
    script_begin(&script, "big", "all");
    script_end(&script);
    assert_bad_line(7);
    ck_assert_uint_eq(streams.count, 2);
    ck_assert(streams.items[0].complete);
    ck_assert(!streams.items[1].complete);
}
END_TEST

static const char *const strange_lines[] = {
    "x",
    "[]",
    "\"text\"",
    "1",
    "null",
    "{",
    "{}",
    "{} {}",
    "{\"cluster\":\"hpc\"}",
    "{\"cluster\":\"hpc\",\"cluster\":\"hpc\"}",
    "{\"cluster\":\"\xff\"}",
    " ",
};

START_TEST(test_strange_line_among_jobs)
{
    add_stream("gpu", 0);
    script_begin(&script, "hpc", "all");
    script_line(&script, strange_lines[_i]);
    script_end(&script);
    add_stream("big", 0);
    assert_bad_line(4);
    ck_assert_uint_eq(streams.count, 2);
    ck_assert(streams.items[0].complete);
    ck_assert(!streams.items[1].complete);
}
END_TEST

START_TEST(test_strange_first_line)
{
    script_line(&script, strange_lines[_i]);
    add_stream("hpc", 0);
    assert_bad_line(1);
    ck_assert_uint_eq(streams.count, 0);
}
END_TEST

START_TEST(test_empty_lines_are_counted)
{
    add_stream("hpc", 0);
    script_line(&script, "");
    script_line(&script, "");
    script_line(&script, "x");
    assert_bad_line(5);
    ck_assert(streams.items[0].complete);
}
END_TEST

START_TEST(test_job_outside_a_stream)
{
    struct sample sample = good_sample(1);
    script_job(&script, &sample);
    assert_bad_line(1);
}
END_TEST

START_TEST(test_job_after_the_end)
{
    struct sample sample = good_sample(7);
    add_stream("hpc", 1);
    script_job(&script, &sample);
    assert_bad_line(4);
    ck_assert(streams.items[0].complete);
    ck_assert_uint_eq(streams.items[0].count, 1);
}
END_TEST

START_TEST(test_end_outside_a_stream)
{
    script_line(&script, "{\"end\":0}");
    assert_bad_line(1);
}
END_TEST

START_TEST(test_header_inside_a_stream)
{
    script_begin(&script, "hpc", "all");
    script_begin(&script, "gpu", "all");
    script_end(&script);
    assert_bad_line(2);
    ck_assert(!streams.items[0].complete);
}
END_TEST

START_TEST(test_second_stream_of_a_cluster)
{
    add_stream("hpc", 1);
    add_stream("gpu", 1);
    add_stream("hpc", 1);
    assert_bad_line(7);
    ck_assert(streams.items[0].complete && streams.items[1].complete);
    for (size_t i = 2; i < streams.count; i++)
        ck_assert(!streams.items[i].complete);
}
END_TEST

START_TEST(test_job_of_another_cluster)
{
    struct sample sample = good_sample(1);
    sample.cluster = "gpu";
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    assert_bad_line(2);
}
END_TEST

START_TEST(test_second_job_of_an_id)
{
    static const uint32_t ids[] = {5, 1, 9, 5};
    script_begin(&script, "hpc", "all");
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct sample sample = good_sample(ids[i]);
        script_job(&script, &sample);
    }
    script_end(&script);
    ck_assert_int_eq(read_script(), MT_OK);
    ck_assert_uint_ne(bad_line, 0);
    ck_assert(!streams.items[0].complete);
}
END_TEST

START_TEST(test_as_many_streams_as_fit)
{
    for (int i = 0; i < MT_STREAMS_MAX; i++)
        add_stream(format("c%d", i), 0);
    assert_bad_line(0);
    ck_assert_uint_eq(streams.count, MT_STREAMS_MAX);
}
END_TEST

START_TEST(test_one_stream_too_many)
{
    for (int i = 0; i <= MT_STREAMS_MAX; i++)
        add_stream(format("c%d", i), 0);
    assert_bad_line(2 * MT_STREAMS_MAX + 1);
    ck_assert_uint_eq(streams.count, MT_STREAMS_MAX);
    for (size_t i = 0; i < streams.count; i++)
        ck_assert(streams.items[i].complete);
}
END_TEST

/* A job whose line has exactly `len` bytes. */
static void add_line_of(size_t len)
{
    struct sample sample = good_sample(1);
    json_t *record = record_of(&sample);
    ck_assert_int_eq(json_object_set_new(record, "more", json_string("")), 0);
    char *line = json_dumps(record, JSON_COMPACT);
    char *pad = repeat("x", len - strlen(line));
    free(line);
    ck_assert_int_eq(json_object_set_new(record, "more", json_string(pad)), 0);
    line = json_dumps(record, JSON_COMPACT);
    ck_assert_uint_eq(strlen(line), len);
    script_begin(&script, "hpc", "all");
    script_line(&script, line);
    script.jobs = 1;
    script_end(&script);
    free(line);
    free(pad);
    json_decref(record);
}

START_TEST(test_longest_line)
{
    add_line_of(MT_RECORD_LINE_MAX);
    assert_bad_line(0);
    ck_assert(streams.items[0].complete);
}
END_TEST

START_TEST(test_over_long_line)
{
    add_line_of(MT_RECORD_LINE_MAX + 1);
    assert_bad_line(2);
    ck_assert(!streams.items[0].complete);
}
END_TEST

/* That of a snapshot with all its groups. */
START_TEST(test_longest_header)
{
    for (size_t more = 0; more < 2; more++) {
        const char *begin = "{\"multitenant\":1,\"generated\":1,\"cluster\":\"hpc\","
                            "\"wckeys\":[\"a\"],\"sees\":\"all\",\"more\":\"";
        char *line = repeat("x", MT_HEADER_LINE_MAX + more);
        memcpy(line, begin, strlen(begin));
        memcpy(line + strlen(line) - 2, "\"}", 2);
        script_line(&script, line);
        script_end(&script);
        assert_bad_line(more);
        ck_assert_uint_eq(streams.count, 1 - more);
        mt_streams_free(&streams);
        script_free(&script);
        free(line);
    }
}
END_TEST

START_TEST(test_too_much_text)
{
    /* Never touched: the length alone is too much. */
    char *text = calloc(1, MT_RECORDS_MAX + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(mt_streams_read(&streams, text, MT_RECORDS_MAX + 1, &bad_line), MT_TOO_LARGE);
    ck_assert_uint_eq(streams.count, 0);
    free(text);
}
END_TEST

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

START_TEST(test_where_a_line_stands)
{
    struct sample sample = good_sample(4711);
    script_line(&script, "");
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_end(&script);
    ck_assert_int_eq(read_script(), MT_OK);
    const struct mt_record *record = &streams.items[0].records[0];
    ck_assert_uint_eq(streams.items[0].line, 2);
    ck_assert_int_eq(script.text[record->line_at - 1], '\n');
    ck_assert_int_eq(script.text[record->line_at], '{');
    ck_assert_int_eq(script.text[record->line_at + record->line_len - 1], '}');
    ck_assert_int_eq(script.text[record->line_at + record->line_len], '\n');
}
END_TEST

/* Reads what follows in the script as a text of its own, and adds its streams. */
static struct mt_streams others;

static void read_others(void)
{
    mt_streams_free(&others);
    ck_assert_int_eq(mt_streams_read(&others, script.text, script.len, &bad_line), MT_OK);
    ck_assert_uint_eq(bad_line, 0);
    script_free(&script);
}

START_TEST(test_streams_of_another_text)
{
    struct sample sample = good_sample(4711);
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_end(&script);
    read_others();
    ck_assert_int_eq(mt_streams_add(&streams, &others, &bad_line), MT_OK);
    ck_assert_uint_eq(bad_line, 0);
    mt_streams_free(&others);
    ck_assert_uint_eq(streams.count, 1);
    ck_assert(streams.items[0].complete);
    ck_assert_str_eq(streams.items[0].records[0].user, "prof");
}
END_TEST

/* Reads the script, where what `others` holds was read before from `text`. */
static void read_again(const char *text)
{
    struct mt_known known[8];
    size_t n = 0;
    for (size_t i = 0; i < others.items[0].count; i++)
        known[n++] = (struct mt_known){text, &others.items[0].records[i]};
    mt_streams_free(&streams);
    ck_assert_int_eq(mt_streams_read_again(&streams, script.text, script.len, &bad_line, known, n),
                     MT_OK);
}

static json_t *json_of(const struct mt_streams *of, size_t i)
{
    return of->items[0].records[i].json;
}

START_TEST(test_lines_that_are_known_are_not_parsed_again)
{
    add_stream("hpc", 3);
    char *text = strdup(script.text);
    read_others();
    script_begin(&script, "hpc", "all");
    struct sample sample = good_sample(2);
    sample.name = "l|g|p";
    script_job(&script, &sample);
    sample = good_sample(4);
    script_job(&script, &sample);
    sample = good_sample(3);
    sample.name = "l|g|other";
    script_job(&script, &sample);
    script_end(&script);
    read_again(text);
    ck_assert_uint_eq(bad_line, 0);
    ck_assert(streams.items[0].complete);
    ck_assert_uint_eq(streams.items[0].count, 3);
    ck_assert_ptr_eq(json_of(&streams, 0), json_of(&others, 1));
    ck_assert_uint_eq(streams.items[0].records[1].job_id, 4);
    ck_assert_ptr_ne(json_of(&streams, 2), json_of(&others, 2));
    const struct mt_record *record = &streams.items[0].records[0];
    ck_assert_int_eq(script.text[record->line_at - 1], '\n');
    ck_assert_int_eq(script.text[record->line_at], '{');
    ck_assert(!mt_streams_same(&streams, &others));
    mt_streams_free(&others);
    ck_assert_uint_eq(record->job_id, 2);
    free(text);
}
END_TEST

START_TEST(test_the_same_of_the_same_jobs)
{
    add_stream("hpc", 3);
    char *text = strdup(script.text);
    read_others();
    add_stream("hpc", 3);
    char *time = strstr(script.text, "\"generated\":") + strlen("\"generated\":");
    *time = *time == '1' ? '2' : '1';
    read_again(text);
    ck_assert_int_ne(streams.items[0].generated, others.items[0].generated);
    ck_assert(mt_streams_same(&streams, &others));
    streams.items[0].sees_all = false;
    ck_assert(!mt_streams_same(&streams, &others));
    streams.items[0].sees_all = true;
    streams.items[0].publishers = "pub";
    ck_assert(!mt_streams_same(&streams, &others));
    streams.items[0].publishers = NULL;
    streams.items[0].undetermined = streams.items[0].wckeys;
    ck_assert(!mt_streams_same(&streams, &others));
    streams.items[0].undetermined = NULL;
    others.items[0].complete = false;
    ck_assert(!mt_streams_same(&streams, &others));
    read_again(text);
    mt_streams_free(&others);
    free(text);
}
END_TEST

START_TEST(test_a_known_line_belongs_to_its_cluster)
{
    add_stream("hpc", 1);
    char *text = strdup(script.text);
    read_others();
    struct sample sample = good_sample(1);
    sample.name = "l|g|p";
    script_begin(&script, "gpu", "all");
    script_job(&script, &sample);
    script_end(&script);
    read_again(text);
    ck_assert_uint_eq(bad_line, 2);
    ck_assert(!streams.items[0].complete);
    mt_streams_free(&others);
    free(text);
}
END_TEST

/* A line of a job that stands there twice is two jobs of one id. */
START_TEST(test_a_known_line_that_stands_there_twice)
{
    add_stream("hpc", 1);
    char *text = strdup(script.text);
    read_others();
    struct sample sample = good_sample(1);
    sample.name = "l|g|p";
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_job(&script, &sample);
    script_end(&script);
    read_again(text);
    ck_assert(!streams.items[0].complete);
    mt_streams_free(&others);
    free(text);
}
END_TEST

START_TEST(test_a_cluster_that_another_text_had)
{
    script_begin(&script, "hpc", "all");
    script_end(&script);
    read_others();
    ck_assert_int_eq(mt_streams_add(&streams, &others, &bad_line), MT_OK);
    script_begin(&script, "gpu", "all");
    script_end(&script);
    script_begin(&script, "hpc", "all");
    script_end(&script);
    script_begin(&script, "old", "all");
    script_end(&script);
    read_others();
    ck_assert_int_eq(mt_streams_add(&streams, &others, &bad_line), MT_OK);
    ck_assert_uint_eq(bad_line, 3);
    mt_streams_free(&others);
    ck_assert_uint_eq(streams.count, 3);
    ck_assert(streams.items[0].complete && streams.items[1].complete);
    ck_assert(!streams.items[2].complete);
}
END_TEST

START_TEST(test_more_streams_than_fit_from_two_texts)
{
    for (int text = 0; text < 2; text++) {
        for (int i = 0; i < MT_STREAMS_MAX - text * 10; i++) {
            script_begin(&script, format("%c%d", 'a' + text, i), "all");
            script_end(&script);
        }
        read_others();
        ck_assert_int_eq(mt_streams_add(&streams, &others, &bad_line), MT_OK);
        ck_assert_uint_eq(bad_line, (size_t)text);
    }
    mt_streams_free(&others);
    ck_assert_uint_eq(streams.count, MT_STREAMS_MAX);
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
    TCase *tests = add_case(suite, "stream");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_good_stream);
    tcase_add_test(tests, test_no_text_is_no_stream);
    tcase_add_test(tests, test_no_job_is_a_complete_stream);
    tcase_add_test(tests, test_last_newline_may_be_missing);
    tcase_add_test(tests, test_streams_of_several_clusters);
    tcase_add_test(tests, test_texts_add_up);
    tcase_add_test(tests, test_a_cluster_twice_in_two_texts);
    tcase_add_test(tests, test_text_after_a_bad_header);
    tcase_add_test(tests, test_many_jobs);
    tcase_add_test(tests, test_private_data_shows_own_jobs);
    tests = add_case(suite, "incomplete");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_missing_end);
    tcase_add_test(tests, test_cut_anywhere_is_incomplete);
    tcase_add_loop_test(tests, test_wrong_end, 0, (int)COUNT_OF(wrong_ends));
    tcase_add_loop_test(tests, test_strange_line_among_jobs, 0, (int)COUNT_OF(strange_lines));
    tcase_add_loop_test(tests, test_strange_first_line, 0, (int)COUNT_OF(strange_lines));
    tcase_add_test(tests, test_empty_lines_are_counted);
    tcase_add_test(tests, test_job_outside_a_stream);
    tcase_add_test(tests, test_job_after_the_end);
    tcase_add_test(tests, test_end_outside_a_stream);
    tcase_add_test(tests, test_header_inside_a_stream);
    tcase_add_test(tests, test_second_stream_of_a_cluster);
    tcase_add_test(tests, test_job_of_another_cluster);
    tcase_add_test(tests, test_second_job_of_an_id);
    tests = add_case(suite, "limits");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_as_many_streams_as_fit);
    tcase_add_test(tests, test_one_stream_too_many);
    tcase_add_test(tests, test_longest_line);
    tcase_add_test(tests, test_over_long_line);
    tcase_add_test(tests, test_longest_header);
    tcase_add_test(tests, test_too_much_text);
    tcase_add_test(tests, test_number_of_wckeys);
    tests = add_case(suite, "values");
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
    tests = add_case(suite, "name");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_binary_name_of_every_byte);
    tcase_add_test(tests, test_binary_name_may_be_empty);
    tcase_add_loop_test(tests, test_binary_name_beyond_bytes, 0, (int)COUNT_OF(beyond_bytes));
    tcase_add_test(tests, test_nul_in_a_plain_name);
    tcase_add_test(tests, test_a_copy_outlives_its_streams);
    tcase_add_test(tests, test_parts_of_a_name);
    tests = add_case(suite, "several texts");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_where_a_line_stands);
    tcase_add_test(tests, test_streams_of_another_text);
    tcase_add_test(tests, test_lines_that_are_known_are_not_parsed_again);
    tcase_add_test(tests, test_the_same_of_the_same_jobs);
    tcase_add_test(tests, test_a_known_line_belongs_to_its_cluster);
    tcase_add_test(tests, test_a_known_line_that_stands_there_twice);
    tcase_add_test(tests, test_a_cluster_that_another_text_had);
    tcase_add_test(tests, test_more_streams_than_fit_from_two_texts);
    return run_suite(suite);
}
