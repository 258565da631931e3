/* SPDX-License-Identifier: MIT */
/* Writing and keeping cards. Links: deliver, inventory, card, and all that makes a round. */
#include "delivery.h"

/* Writing. */

START_TEST(test_write)
{
    struct sample sample = good_sample(4711);
    struct mt_card card;
    static const struct {
        const char *(*path)(const char *id);
        size_t offset;
    } files[] = {
        {mark_of, offsetof(struct mt_card, mark)},
        {db_of, offsetof(struct mt_card, db)},
        {connection_of, offsetof(struct mt_card, connection)},
    };
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
    ck_assert_int_eq(mt_card_render(share_of(specs, "hpc", 4711), &card), MT_OK);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char *text = read_text(files[i].path(SESSION));
        ck_assert_str_eq(text, *(char **)((char *)&card + files[i].offset));
        free(text);
    }
    mt_card_free(&card);
}
END_TEST

START_TEST(test_order_of_writing)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_str_eq(steps, "write " SESSION "/" MT_CARD_MARK "\n"
                            "write db/" SESSION "\n"
                            "write " SESSION "/" MT_CARD_CONNECTION "\n");
}
END_TEST

START_TEST(test_data_root_is_made_for_the_first_card)
{
    struct sample sample = good_sample(4711);
    settings.dataroot = at("ondemand/data/sys/dashboard");
    char *root = strdup(settings.dataroot);
    settings.dataroot = root;
    next_round(NULL, 0);
    deliver();
    ck_assert(!exists(root));
    deliver_job(&sample);
    ck_assert(exists(format("%s/batch_connect/db/" SESSION, root)));
    ck_assert_int_eq(mode_of(root), 0700);
    ck_assert_int_eq(mode_of(format("%s/batch_connect", root)), 0700);
    ck_assert_int_eq(mode_of(format("%s/batch_connect/db", root)), 0700);
    free(root);
}
END_TEST

START_TEST(test_modes_whatever_the_umask)
{
    struct sample sample = good_sample(4711);
    mode_t before = umask(_i ? 0777 : 0);
    next_round(&sample, 1);
    enum mt_status status = deliver_as(false);
    (void)umask(before);
    ck_assert_int_eq(status, MT_OK);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_an_output_directory_that_others_could_read)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(chmod(output_of(SESSION), 0755), 0);
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_several_cards)
{
    struct sample samples[] = {good_sample(1), good_sample(2), good_sample(3)};
    samples[1].mti = OTHER_SESSION;
    samples[2].mtm = "form";
    deliver_jobs(samples, COUNT_OF(samples));
    assert_told("written " SESSION "\nwritten " OTHER_SESSION "\n");
    assert_card(SESSION, 1, "n1");
    assert_card(OTHER_SESSION, 2, "n1");
}
END_TEST

START_TEST(test_writing_that_fails_half_way)
{
    struct sample sample = good_sample(4711);
    failing_step = (size_t)_i;
    deliver_job(&sample);
    assert_told("failed " OUTPUTS " %d %d\n", (int)MT_IO, ENOSPC);
    ck_assert_uint_eq(n_steps, failing_step);
    assert_secret_has_a_mark();
    ck_assert(!exists(connection_of(SESSION)));
    failing_step = 0;
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_a_card_that_fails_costs_no_other)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].mti = OTHER_SESSION;
    failing_step = 1;
    deliver_jobs(samples, 2);
    ck_assert_ptr_nonnull(strstr(told, "failed "));
    ck_assert_ptr_nonnull(strstr(told, "written " OTHER_SESSION "\n"));
    assert_card(OTHER_SESSION, 2, "n1");
}
END_TEST

/* Keeping. */

START_TEST(test_kept_the_second_time)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ino_t inodes[] = {inode_of(mark_of(SESSION)), inode_of(db_of(SESSION)),
                      inode_of(connection_of(SESSION))};
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
    ck_assert_str_eq(steps, "");
    ck_assert_uint_eq(inode_of(mark_of(SESSION)), inodes[0]);
    ck_assert_uint_eq(inode_of(db_of(SESSION)), inodes[1]);
    ck_assert_uint_eq(inode_of(connection_of(SESSION)), inodes[2]);
}
END_TEST

/* OOD may write the same in another order or with other spaces. */
START_TEST(test_kept_where_db_says_the_same)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    json_t *db = load(db_of(SESSION));
    char *text = json_dumps(db, JSON_INDENT(2) | JSON_SORT_KEYS);
    write_text(db_of(SESSION), text, 0600);
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
    free(text);
    json_decref(db);
}
END_TEST

static void assert_rewritten(const struct sample *sample)
{
    struct mt_card card;
    deliver_job(sample);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
    ck_assert_int_eq(mt_card_render(share_of(specs, "hpc", 4711), &card), MT_OK);
    char *mark = read_text(mark_of(SESSION));
    char *connection = read_text(connection_of(SESSION));
    ck_assert_str_eq(mark, card.mark);
    ck_assert_str_eq(connection, card.connection);
    free(mark);
    free(connection);
    mt_card_free(&card);
    deliver_job(sample);
    assert_told("kept " SESSION "\n");
}

START_TEST(test_rewritten_where_a_mode_differs)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(chmod(path_of_file(_i), 0644), 0);
    assert_rewritten(&sample);
}
END_TEST

START_TEST(test_rewritten_where_a_file_is_missing)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(unlink(path_of_file(_i + 1)), 0);
    assert_rewritten(&sample);
}
END_TEST

START_TEST(test_rewritten_where_a_file_is_empty)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(path_of_file(_i + 1), "", 0600);
    assert_rewritten(&sample);
}
END_TEST

START_TEST(test_rewritten_where_one_byte_of_the_connection_differs)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    char *text = read_text(connection_of(SESSION));
    for (size_t i = 0; i < strlen(text); i++) {
        text[i] ^= 1;
        write_text(connection_of(SESSION), text, 0600);
        text[i] ^= 1;
        deliver_job(&sample);
        assert_told("written " SESSION "\n");
    }
    assert_card(SESSION, 4711, "n1");
    free(text);
}
END_TEST

/* A mark that still is one; what is none is another test's. */
START_TEST(test_rewritten_where_the_mark_differs)
{
    static const char *const marks[] = {
        "{\"cluster\":\"hpc\",\"wckey\":\"other\",\"job\":4711,\"uid\":1001}",
        "{\"cluster\":\"hpc\",\"wckey\":\"multitenant\",\"job\":4711,\"uid\":1001} ",
    };
    struct sample sample = good_sample(4711);
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        deliver_job(&sample);
        write_text(mark_of(SESSION), marks[i], 0600);
        assert_rewritten(&sample);
    }
}
END_TEST

/* `completed_at` and `cache_completed` are what OOD sets when it takes the job for ended. */
static const struct {
    const char *key;
    const char *value;
} changes[] = {
    {"id", "\"" OTHER_SESSION "\""},
    {"cluster_id", "\"other\""},
    {"job_id", "\"4712\""},
    {"created_at", "5712"},
    {"title", "\"profs: Ollama_API\""},
    {"script_type", "\"vnc\""},
    {"cache_completed", "true"},
    {"cache_completed", "false"},
    {"completed_at", "1700000000"},
    {"more", "null"},
};

START_TEST(test_rewritten_where_db_differs)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    json_t *db = load(db_of(SESSION));
    json_t *value = json_loads(changes[_i].value, JSON_DECODE_ANY, NULL);
    ck_assert_int_eq(json_object_set_new(db, changes[_i].key, value), 0);
    char *text = json_dumps(db, 0);
    write_text(db_of(SESSION), text, 0600);
    free(text);
    json_decref(db);
    assert_rewritten(&sample);
}
END_TEST

START_TEST(test_rewritten_where_db_lacks_a_key)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    json_t *db = load(db_of(SESSION));
    ck_assert_int_eq(json_object_del(db, "completed_at"), 0);
    char *text = json_dumps(db, 0);
    write_text(db_of(SESSION), text, 0600);
    free(text);
    json_decref(db);
    assert_rewritten(&sample);
}
END_TEST

START_TEST(test_rewritten_where_the_share_changed)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    sample.connection = "{'host':'n2'}";
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deliver");
    TCase *tests = add_fixed_case(suite, "write");
    tcase_add_test(tests, test_write);
    tcase_add_test(tests, test_order_of_writing);
    tcase_add_test(tests, test_data_root_is_made_for_the_first_card);
    tcase_add_loop_test(tests, test_modes_whatever_the_umask, 0, 2);
    tcase_add_test(tests, test_an_output_directory_that_others_could_read);
    tcase_add_test(tests, test_several_cards);
    tcase_add_loop_test(tests, test_writing_that_fails_half_way, 1, 4);
    tcase_add_test(tests, test_a_card_that_fails_costs_no_other);
    tests = add_fixed_case(suite, "keep");
    tcase_add_test(tests, test_kept_the_second_time);
    tcase_add_test(tests, test_kept_where_db_says_the_same);
    tcase_add_loop_test(tests, test_rewritten_where_a_mode_differs, 0, 3);
    tcase_add_loop_test(tests, test_rewritten_where_a_file_is_missing, 0, 2);
    tcase_add_loop_test(tests, test_rewritten_where_a_file_is_empty, 0, 2);
    tcase_add_test(tests, test_rewritten_where_one_byte_of_the_connection_differs);
    tcase_add_test(tests, test_rewritten_where_the_mark_differs);
    tcase_add_loop_test(tests, test_rewritten_where_db_differs, 0, (int)COUNT_OF(changes));
    tcase_add_test(tests, test_rewritten_where_db_lacks_a_key);
    tcase_add_test(tests, test_rewritten_where_the_share_changed);
    return run_suite(suite);
}
