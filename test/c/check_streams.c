/* SPDX-License-Identifier: MIT */
/* Links: streams, record, json. */
#include "reading.h"

#include <stdlib.h>
#include <string.h>

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

int main(void)
{
    Suite *suite = suite_create("streams");
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
