/* SPDX-License-Identifier: MIT */
/*
 * Links: deliver, inventory, card, and all that makes a round. The store's functions that change
 * something are wrapped: the tests see the order of steps, and let one of them fail.
 */
#include "deliver.h"

#include "card.h"
#include "round.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUTS "batch_connect/" TOKEN "/output"
#define LEFTOVER ".multitenant.new.1.2.3"

static char *top;
static struct mt_settings settings;
static struct mt_specs *specs;
static struct script script;
static size_t fds_before;

/* What was told and what was done since the last delivery, one a line. */
static char told[65536];
static char steps[65536];
static size_t n_steps;
static size_t failing_step; /* counted from 1; 0: none */

static void setup(void)
{
    become_user();
    fds_before = count_fds();
    top = temp_dir_new();
    settings = viewer_settings();
    settings.dataroot = top;
    failing_step = 0;
}

static void teardown(void)
{
    ck_assert(!exists(format("%s/batch_connect/.multitenant.lock", top)));
    mt_specs_free(&specs);
    script_free(&script);
    ck_assert_uint_eq(count_fds(), fds_before);
    temp_dir_free(top);
    become_root();
}

/* The steps. */

/* Notes a step as KIND DIRECTORY/NAME, with the directory's last component; true: it fails. */
static bool step(const char *kind, int dir, const char *name)
{
    char path[4096];
    ssize_t n = readlink(format("/proc/self/fd/%d", dir), path, sizeof path - 1);
    ck_assert_int_gt(n, 0);
    path[n] = '\0';
    append(steps, sizeof steps, "%s %s/%s\n", kind, strrchr(path, '/') + 1, name);
    errno = ENOSPC;
    return ++n_steps == failing_step;
}

enum mt_status __real_mt_store_write(int dir, const char *name, int scratch, const char *text,
                                     size_t len);
enum mt_status __wrap_mt_store_write(int dir, const char *name, int scratch, const char *text,
                                     size_t len);
enum mt_status __wrap_mt_store_write(int dir, const char *name, int scratch, const char *text,
                                     size_t len)
{
    return step("write", dir, name) ? MT_IO : __real_mt_store_write(dir, name, scratch, text, len);
}

enum mt_status __real_mt_store_remove(int dir, const char *name);
enum mt_status __wrap_mt_store_remove(int dir, const char *name);
enum mt_status __wrap_mt_store_remove(int dir, const char *name)
{
    return step("remove", dir, name) ? MT_IO : __real_mt_store_remove(dir, name);
}

enum mt_status __real_mt_store_remove_dir(int dir, const char *name);
enum mt_status __wrap_mt_store_remove_dir(int dir, const char *name);
enum mt_status __wrap_mt_store_remove_dir(int dir, const char *name)
{
    return step("remove_dir", dir, name) ? MT_IO : __real_mt_store_remove_dir(dir, name);
}

/* Deliveries. */

static void note(const struct mt_event *event, void *arg)
{
    static const char *const actions[] = {[MT_WRITTEN] = "written",
                                          [MT_KEPT] = "kept",
                                          [MT_REMOVED] = "removed",
                                          [MT_FAILED] = "failed"};
    ck_assert_ptr_eq(arg, told);
    if (event->action == MT_FAILED)
        ck_assert_int_ne(event->status, MT_OK);
    append(told, sizeof told, "%s %s", actions[event->action], event->id);
    if (event->action == MT_FAILED)
        append(told, sizeof told, " %d %d", (int)event->status, event->error);
    append(told, sizeof told, "\n");
}

static enum mt_status deliver_as(bool dry_run)
{
    *told = *steps = '\0';
    n_steps = 0;
    return mt_deliver(specs, &settings, dry_run, note, told);
}

static void deliver(void)
{
    ck_assert_int_eq(deliver_as(false), MT_OK);
}

/* The next round, with these jobs of hpc. */
static void next_round(const struct sample *samples, size_t count)
{
    struct mt_specs *last = specs;
    specs = round_of_samples(last, samples, count, &settings);
    mt_specs_free(&last);
}

static void deliver_jobs(const struct sample *samples, size_t count)
{
    next_round(samples, count);
    deliver();
}

static void deliver_job(const struct sample *sample)
{
    deliver_jobs(sample, 1);
}

/* The same at the script, which is empty afterwards. */
static void deliver_script(void)
{
    struct mt_specs *last = specs;
    specs = round_of(last, &script, &settings, NULL);
    mt_specs_free(&last);
    script_free(&script);
    deliver();
}

#define assert_told(...) ck_assert_str_eq(told, format(__VA_ARGS__))

/* Paths below the data root. */

static const char *at(const char *path)
{
    return format("%s/%s", top, path);
}

static const char *db_of(const char *id)
{
    return at(format("batch_connect/db/%s", id));
}

static const char *output_of(const char *id)
{
    return at(format(OUTPUTS "/%s", id));
}

static const char *mark_of(const char *id)
{
    return at(format(OUTPUTS "/%s/" MT_CARD_MARK, id));
}

static const char *connection_of(const char *id)
{
    return at(format(OUTPUTS "/%s/" MT_CARD_CONNECTION, id));
}

/* The JSON in a file, which has to be there, private. */
static json_t *load(const char *path)
{
    json_t *json = json_load_file(path, 0, NULL);
    ck_assert_msg(json, "no JSON in %s", path);
    ck_assert_int_eq(mode_of(path), 0600);
    return json;
}

/* A whole card of this job with this host. */
static void assert_card(const char *id, uint32_t job_id, const char *host)
{
    json_t *mark = load(mark_of(id));
    json_t *db = load(db_of(id));
    json_t *connection = load(connection_of(id));
    ck_assert_int_eq(mode_of(output_of(id)), 0700);
    ck_assert_int_eq(json_integer_value(json_object_get(mark, "job")), job_id);
    ck_assert_str_eq(json_string_value(json_object_get(db, "job_id")), format("%u", job_id));
    ck_assert_str_eq(json_string_value(json_object_get(db, "id")), id);
    ck_assert_str_eq(json_string_value(json_object_get(connection, "host")), host);
    json_decref(mark);
    json_decref(db);
    json_decref(connection);
}

static void assert_no_card(const char *id)
{
    ck_assert(!exists(db_of(id)));
    ck_assert(!exists(output_of(id)));
}

/* The card id of a job of hpc, as the last delivery settled it. */
static const char *id_of(uint32_t job_id)
{
    return share_of(specs, "hpc", job_id)->card_id;
}

static struct sample sample_of(uint32_t job_id, const char *user, uint32_t uid, const char *host)
{
    struct sample sample = good_sample(job_id);
    sample.user = user;
    sample.uid = uid;
    sample.connection = host;
    return sample;
}

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

static void assert_secret_has_a_mark(void)
{
    ck_assert(!exists(connection_of(SESSION)) || exists(mark_of(SESSION)));
    ck_assert(!exists(db_of(SESSION)) || exists(mark_of(SESSION)));
}

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

static const char *path_of_file(int file)
{
    return file == 0 ? mark_of(SESSION) : file == 1 ? db_of(SESSION) : connection_of(SESSION);
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
    {"title", "\"Ollama_API from profs\""},
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

/* Removing. */

START_TEST(test_removed_when_the_job_has_ended)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(at(OUTPUTS "/" SESSION "/" LEFTOVER), "x", 0600);
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    deliver_jobs(NULL, 0);
    assert_told("%s", "");
}
END_TEST

START_TEST(test_order_of_removal)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(at(OUTPUTS "/" SESSION "/" LEFTOVER), "x", 0600);
    deliver_jobs(NULL, 0);
    ck_assert_str_eq(steps, "remove " SESSION "/" MT_CARD_CONNECTION "\n"
                            "remove db/" SESSION "\n"
                            "remove " SESSION "/" LEFTOVER "\n"
                            "remove " SESSION "/" MT_CARD_MARK "\n"
                            "remove_dir output/" SESSION "\n");
}
END_TEST

START_TEST(test_removal_that_fails_half_way)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    failing_step = (size_t)_i;
    deliver_jobs(NULL, 0);
    assert_told("failed " OUTPUTS " %d %d\n", (int)MT_IO, ENOSPC);
    assert_secret_has_a_mark();
    failing_step = 0;
    deliver_jobs(NULL, 0);
    ck_assert(!exists(db_of(SESSION)));
    ck_assert(!exists(connection_of(SESSION)));
    ck_assert(!exists(mark_of(SESSION)));
}
END_TEST

START_TEST(test_removal_leaves_files_of_others)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(at(OUTPUTS "/" SESSION "/notes.txt"), "mine", 0600);
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    ck_assert(exists(at(OUTPUTS "/" SESSION "/notes.txt")));
    ck_assert(!exists(connection_of(SESSION)));
    ck_assert(!exists(mark_of(SESSION)));
}
END_TEST

/* Looks that do not say that the job has ended. */
static const struct {
    const char *cluster;
    const char *wckeys;
    const char *sees;
    bool complete;
} no_proof[] = {
    {"hpc", "[\"multitenant\"]", "own", true},
    {"hpc", "[\"multitenant\"]", "all", false},
    {"hpc", "[\"other\"]", "all", true},
    {"gpu", "[\"multitenant\"]", "all", true},
};

START_TEST(test_kept_without_proof_of_the_end)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    script_line(&script, format("{\"multitenant\":1,\"generated\":1,\"cluster\":\"%s\","
                                "\"wckeys\":%s,\"sees\":\"%s\"}",
                                no_proof[_i].cluster, no_proof[_i].wckeys, no_proof[_i].sees));
    if (no_proof[_i].complete)
        script_line(&script, "{\"end\":0}");
    deliver_script();
    assert_told("kept " SESSION "\n");
    ck_assert_str_eq(steps, "");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

/* A dashboard that has just started knows nothing of the last round. */
START_TEST(test_kept_without_proof_after_a_new_start)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    mt_specs_free(&specs);
    script_line(&script, "");
    deliver_script();
    assert_told("kept " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

/* Every way to a final reason that a record or its message can take. */
static void make_final(struct sample *sample, int way)
{
    switch (way) {
    case 0:
        sample->gid = GROUP_GID + 1;
        break;
    case 1:
        sample->gid = -1;
        break;
    case 2:
        sample->publisher_in_group = json_false();
        break;
    case 3:
        sample->mtu = "1";
        break;
    case 4:
        sample->name = "sys/dashboard";
        break;
    case 5:
        sample->name = "l|hpcGrp|%%%%";
        break;
    case 6:
        sample->mtm = "form";
        break;
    case 7:
        sample->mtd = "sys/other";
        break;
    case 8:
        sample->connection = "{'view':'x'}";
        break;
    default:
        settings.clusters = &settings.clusters[1];
        settings.n_clusters = 1;
        break;
    }
}

START_TEST(test_removed_for_a_final_reason)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    make_final(&sample, _i);
    deliver_job(&sample);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* Also where others' jobs are hidden: the record is there and speaks for itself. */
START_TEST(test_removed_for_a_final_reason_in_an_own_stream)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    make_final(&sample, _i);
    script_begin(&script, "hpc", "own");
    script_job(&script, &sample);
    script_end(&script);
    deliver_script();
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* A host without any OOD cluster says nothing of the dashboard's cards. */
START_TEST(test_kept_where_no_cluster_is_known)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    settings.n_clusters = 0;
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_kept_for_a_temporary_reason)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    if (_i % 2)
        sample.gid = -2;
    else
        sample.publisher_in_group = json_null();
    if (_i >= 2)
        sample.connection = "{'host':'n2'}";
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_removed_where_another_has_the_job_id_now)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    sample = sample_of(4711, "mallory", 1666, "{'host':'n2'}");
    sample.mti = OTHER_SESSION;
    deliver_job(&sample);
    assert_told("removed " SESSION "\nwritten " OTHER_SESSION "\n");
    assert_no_card(SESSION);
    assert_card(OTHER_SESSION, 4711, "n2");
}
END_TEST

START_TEST(test_moved_to_another_session_id)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    sample.mti = OTHER_SESSION;
    deliver_job(&sample);
    assert_no_card(SESSION);
    assert_card(OTHER_SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_moved_to_another_delivery)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    sample.mtd = "sys/multitenant-delivery_other";
    deliver_job(&sample);
    ck_assert(!exists(output_of(SESSION)));
    ck_assert(exists(
        at("batch_connect/sys/multitenant-delivery_other/output/" SESSION "/" MT_CARD_CONNECTION)));
    json_t *db = load(db_of(SESSION));
    ck_assert_str_eq(json_string_value(json_object_get(db, "token")), sample.mtd);
    json_decref(db);
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
}
END_TEST

/* The data root per cluster. */

START_TEST(test_per_cluster_data_root)
{
    struct sample sample = good_sample(4711);
    settings.per_cluster_dataroot = true;
    deliver_job(&sample);
    ck_assert(exists(at("batch_connect/deac/" TOKEN "/output/" SESSION "/" MT_CARD_CONNECTION)));
    ck_assert(!exists(output_of(SESSION)));
    ck_assert(exists(db_of(SESSION)));
    deliver_job(&sample);
    assert_told("kept " SESSION "\n");
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    ck_assert(!exists(at("batch_connect/deac/" TOKEN "/output/" SESSION)));
}
END_TEST

START_TEST(test_moved_when_the_site_changes_the_setting)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    settings.per_cluster_dataroot = true;
    deliver_job(&sample);
    ck_assert(!exists(output_of(SESSION)));
    ck_assert(exists(at("batch_connect/deac/" TOKEN "/output/" SESSION "/" MT_CARD_CONNECTION)));
    ck_assert(exists(db_of(SESSION)));
    settings.per_cluster_dataroot = false;
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
    ck_assert(!exists(at("batch_connect/deac/" TOKEN "/output/" SESSION)));
}
END_TEST

/* What the old initializer left. */

static void put_legacy(uint32_t job_id, const char *completed)
{
    make_dirs(output_of(SESSION));
    make_dirs(at("batch_connect/db"));
    write_text(connection_of(SESSION), "host: old\n", 0644);
    write_text(db_of(SESSION),
               format("{\"id\":\"" SESSION "\",\"job_id\":\"%u\",\"token\":\"" TOKEN "\","
                      "\"cache_completed\":%s}",
                      job_id, completed),
               0644);
}

START_TEST(test_legacy_is_taken_over)
{
    struct sample sample = good_sample(4711);
    put_legacy(4711, "null");
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_legacy_is_removed_once_completed)
{
    put_legacy(4711, "true");
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* OOD was wrong, the job runs: it is a card again. */
START_TEST(test_legacy_completed_but_running_is_taken_over)
{
    struct sample sample = good_sample(4711);
    put_legacy(4711, "true");
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    assert_card(SESSION, 4711, "n1");
}
END_TEST

/* Runs a delivery that has to leave everything as it is. */
static void assert_untouched(const struct sample *samples, size_t count)
{
    char *before = picture_of(top);
    deliver_jobs(samples, count);
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    ck_assert_str_eq(steps, "");
    free(before);
    free(after);
}

START_TEST(test_legacy_stays_otherwise)
{
    struct sample form = good_sample(4711);
    form.mtm = "form";
    put_legacy(4711, "null");
    assert_untouched(NULL, 0);
    assert_untouched(&form, 1);
    put_legacy(4711, "false");
    assert_untouched(NULL, 0);
}
END_TEST

START_TEST(test_legacy_of_another_job_is_not_taken_over)
{
    struct sample sample = good_sample(4711);
    put_legacy(4712, "null");
    deliver_job(&sample);
    ck_assert_str_ne(id_of(4711), SESSION);
    assert_card(id_of(4711), 4711, "n1");
    char *text = read_text(connection_of(SESSION));
    ck_assert_str_eq(text, "host: old\n");
    ck_assert(!exists(mark_of(SESSION)));
    free(text);
}
END_TEST

/* OOD deletes the db file of a session that has ended, and leaves the secret. */
START_TEST(test_legacy_is_removed_once_ood_forgot_it)
{
    put_legacy(4711, "null");
    ck_assert_int_eq(unlink(db_of(SESSION)), 0);
    deliver_jobs(NULL, 0);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

/* What is called connection.yml but is no file of the user's was never the old initializer's. */
START_TEST(test_legacy_is_a_file)
{
    make_dirs(connection_of(SESSION));
    assert_untouched(NULL, 0);
    ck_assert_int_eq(rmdir(connection_of(SESSION)), 0);
    ck_assert_int_eq(symlink("nowhere", connection_of(SESSION)), 0);
    assert_untouched(NULL, 0);
}
END_TEST

/* Sessions of the user's own. */

/* A session of an app of the user's, with this id. */
static void put_own_session(void)
{
    make_dirs(at("batch_connect/db"));
    make_dirs(at("batch_connect/sys/jupyter/output/" SESSION));
    write_text(at("batch_connect/sys/jupyter/output/" SESSION "/connection.yml"), "host: own",
               0600);
    write_text(db_of(SESSION),
               "{\"id\":\"" SESSION "\",\"job_id\":\"4711\",\"token\":\"sys/jupyter\","
               "\"cache_completed\":null}",
               0600);
}

START_TEST(test_own_session_of_the_same_id)
{
    struct sample sample = good_sample(4711);
    put_own_session();
    char *before = read_text(db_of(SESSION));
    deliver_job(&sample);
    char *id = strdup(id_of(4711));
    ck_assert_str_ne(id, SESSION);
    assert_told("written %s\n", id);
    assert_card(id, 4711, "n1");
    char *after = read_text(db_of(SESSION));
    ck_assert_str_eq(after, before);
    ck_assert(!exists(output_of(SESSION)));
    /* The same the next time, and nothing of it goes with the card. */
    deliver_job(&sample);
    assert_told("kept %s\n", id);
    deliver_jobs(NULL, 0);
    assert_told("removed %s\n", id);
    assert_no_card(id);
    ck_assert(exists(db_of(SESSION)));
    ck_assert(exists(at("batch_connect/sys/jupyter/output/" SESSION "/connection.yml")));
    free(after);
    free(before);
    free(id);
}
END_TEST

START_TEST(test_the_card_gets_its_id_when_the_own_session_has_gone)
{
    struct sample sample = good_sample(4711);
    put_own_session();
    deliver_job(&sample);
    char *id = strdup(id_of(4711));
    ck_assert_int_eq(unlink(db_of(SESSION)), 0);
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
    assert_no_card(id);
    free(id);
}
END_TEST

/* An output directory that some app of the allow-list made for the user himself. */
START_TEST(test_unmarked_directory_of_the_same_id)
{
    struct sample sample = good_sample(4711);
    make_dirs(output_of(SESSION));
    write_text(at(OUTPUTS "/" SESSION "/output.log"), "mine", 0600);
    write_text(connection_of(SESSION), "host: own", 0600);
    deliver_job(&sample);
    ck_assert_str_ne(id_of(4711), SESSION);
    assert_card(id_of(4711), 4711, "n1");
    char *text = read_text(connection_of(SESSION));
    ck_assert_str_eq(text, "host: own");
    ck_assert(!exists(mark_of(SESSION)));
    free(text);
}
END_TEST

START_TEST(test_an_empty_directory_is_nobodys)
{
    struct sample sample = good_sample(4711);
    make_dirs(output_of(SESSION));
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_unmarked_directories_are_untouched)
{
    put_own_session();
    make_dirs(output_of(OTHER_SESSION));
    write_text(connection_of(OTHER_SESSION), "host: own", 0600);
    write_text(at(OUTPUTS "/" OTHER_SESSION "/output.log"), "mine", 0600);
    make_dirs(at(OUTPUTS "/not-an-id"));
    write_text(at(OUTPUTS "/not-an-id/" MT_CARD_MARK), "{}", 0600);
    assert_untouched(NULL, 0);
}
END_TEST

/* One id, two jobs. */

static void assert_both(const struct sample *prof, const struct sample *mallory)
{
    char *ids[] = {strdup(id_of(prof->job_id)), strdup(id_of(mallory->job_id))};
    ck_assert_str_ne(ids[0], ids[1]);
    assert_card(ids[0], prof->job_id, "prof");
    assert_card(ids[1], mallory->job_id, "mallory");
    free(ids[0]);
    free(ids[1]);
}

/* Another publisher names the professor's session id, before or after him, as the older job or the
 * younger: both have their cards, and neither shows the other's connection. */
START_TEST(test_another_publisher_names_the_id)
{
    struct sample samples[] = {sample_of(1, "prof", 1001, "{'host':'prof'}"),
                               sample_of(2, "mallory", 1666, "{'host':'mallory'}")};
    samples[1].start = _i % 2 ? 1 : 5000;
    deliver_jobs(&samples[_i / 2], 1);
    assert_card(SESSION, samples[_i / 2].job_id, _i / 2 ? "mallory" : "prof");
    deliver_jobs(samples, 2);
    assert_both(&samples[0], &samples[1]);
    assert_no_card(SESSION);
    deliver_jobs(samples, 2);
    assert_both(&samples[0], &samples[1]);
    ck_assert_str_eq(steps, "");
    /* Alone again, the professor's card has its own id again. */
    deliver_jobs(samples, 1);
    assert_card(SESSION, 1, "prof");
}
END_TEST

START_TEST(test_another_publisher_names_a_made_id)
{
    struct sample samples[] = {sample_of(1, "prof", 1001, "{'host':'prof'}"),
                               sample_of(2, "mallory", 1666, "{'host':'mallory'}"),
                               sample_of(3, "mallory", 1666, "{'host':'mallory'}")};
    char made[MT_UUID_SIZE];
    deliver_jobs(samples, 2);
    memcpy(made, id_of(1), sizeof made);
    samples[2].mti = made;
    samples[2].start = _i ? 1 : 5000;
    deliver_jobs(samples, 3);
    assert_card(made, 1, "prof");
    assert_both(&samples[0], &samples[2]);
    deliver_jobs(samples, 3);
    assert_card(made, 1, "prof");
    ck_assert_str_eq(steps, "");
}
END_TEST

START_TEST(test_the_same_publisher_names_the_id_twice)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].connection = "{'host':'n2'}";
    deliver_jobs(&samples[1], 1);
    assert_card(SESSION, 2, "n2");
    deliver_jobs(samples, 2);
    assert_card(SESSION, 1, "n1");
    deliver_jobs(samples, 2);
    assert_told("kept " SESSION "\n");
    deliver_jobs(&samples[1], 1);
    assert_card(SESSION, 2, "n2");
}
END_TEST

/* The professor's cluster does not answer while another names his id. */
START_TEST(test_another_publisher_while_the_cluster_is_silent)
{
    struct sample prof = sample_of(1, "prof", 1001, "{'host':'prof'}");
    struct sample mallory = sample_of(2, "mallory", 1666, "{'host':'mallory'}");
    if (_i)
        mallory.start = 1;
    deliver_jobs(&prof, 1);
    mallory.cluster = "gpu";
    script_begin(&script, "gpu", "all");
    script_job(&script, &mallory);
    script_end(&script);
    deliver_script();
    assert_card(SESSION, 1, "prof");
    assert_card(share_of(specs, "gpu", 2)->card_id, 2, "mallory");
    ck_assert_str_ne(share_of(specs, "gpu", 2)->card_id, SESSION);
}
END_TEST

/* The same when the dashboard has started anew and has no last round. */
START_TEST(test_another_publisher_after_a_new_start)
{
    struct sample prof = sample_of(1, "prof", 1001, "{'host':'prof'}");
    struct sample mallory = sample_of(2, "mallory", 1666, "{'host':'mallory'}");
    deliver_jobs(&prof, 1);
    mt_specs_free(&specs);
    mallory.cluster = "gpu";
    script_begin(&script, "gpu", "all");
    script_job(&script, &mallory);
    script_end(&script);
    deliver_script();
    assert_card(SESSION, 1, "prof");
    assert_card(share_of(specs, "gpu", 2)->card_id, 2, "mallory");
}
END_TEST

/* Links and strange files in the way. */

START_TEST(test_data_root_behind_links)
{
    struct sample sample = good_sample(4711);
    make_dirs(at("scratch/dashboard"));
    ck_assert_int_eq(symlink(at("scratch"), at("home")), 0);
    char *root = strdup(at("home/dashboard"));
    settings.dataroot = root;
    deliver_job(&sample);
    assert_told("written " SESSION "\n");
    ck_assert(exists(at("scratch/dashboard/batch_connect/db/" SESSION)));
    free(root);
}
END_TEST

/* Links to a directory elsewhere, which has to stay as it is. */
static const char *const linked[] = {
    "batch_connect", "batch_connect/db", "batch_connect/sys", "batch_connect/" TOKEN,
    OUTPUTS,         OUTPUTS "/" SESSION};

START_TEST(test_no_link_is_followed)
{
    struct sample sample = good_sample(4711);
    make_dirs(at(linked[_i]));
    ck_assert_int_eq(rmdir(at(linked[_i])), 0);
    make_dirs(at("elsewhere"));
    ck_assert_int_eq(symlink(at("elsewhere"), at(linked[_i])), 0);
    next_round(&sample, 1);
    (void)deliver_as(false);
    ck_assert_ptr_nonnull(strstr(told, "failed "));
    ck_assert_ptr_null(strstr(told, "written "));
    char *picture = picture_of(at("elsewhere"));
    ck_assert_str_eq(picture, "");
    free(picture);
}
END_TEST

START_TEST(test_no_linked_file_is_written)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(unlink(path_of_file(_i)), 0);
    write_text(at("elsewhere"), "mine", 0600);
    ck_assert_int_eq(symlink(at("elsewhere"), path_of_file(_i)), 0);
    sample.connection = "{'host':'n2'}";
    next_round(&sample, 1);
    (void)deliver_as(false);
    ck_assert_ptr_nonnull(strstr(told, "failed "));
    char *text = read_text(at("elsewhere"));
    ck_assert_str_eq(text, "mine");
    free(text);
}
END_TEST

START_TEST(test_a_data_root_that_can_not_be_used)
{
    struct sample sample = good_sample(4711);
    write_text(at("file"), "x", 0600);
    char *root = strdup(at("file"));
    settings.dataroot = root;
    next_round(&sample, 1);
    ck_assert_int_eq(deliver_as(false), MT_UNSAFE);
    assert_told("failed %s %d 0\n", root, (int)MT_UNSAFE);
    free(root);
}
END_TEST

START_TEST(test_a_data_root_of_another_user)
{
    struct sample sample = good_sample(4711);
    if (!can_be_root())
        return;
    next_round(&sample, 1);
    become_root();
    ck_assert_int_eq(chown(top, 0, 0), 0);
    ck_assert_int_eq(chmod(top, 0777), 0);
    become_user();
    ck_assert_int_eq(deliver_as(false), MT_UNSAFE);
    ck_assert(!exists(at("batch_connect")));
    become_root();
    ck_assert_int_eq(chown(top, TEST_UID, 0), 0);
    become_user();
}
END_TEST

/* A status other than MT_OK never comes alone. */
START_TEST(test_a_list_of_dismissals_that_can_not_be_read_is_told)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(symlink("nowhere", at("batch_connect/multitenant.dismissed")), 0);
    next_round(&sample, 1);
    enum mt_status status = deliver_as(false);
    ck_assert(status == MT_OK || strstr(told, "failed "));
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_a_broken_mark_is_nobodys)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    write_text(mark_of(SESSION), "x", 0600);
    deliver_job(&sample);
    /* There may be two cards; the one that can't be told is not touched. */
    char *text = read_text(mark_of(SESSION));
    ck_assert_str_eq(text, "x");
    free(text);
}
END_TEST

/* The dry run. */

static void assert_dry_run_tells_the_same(void)
{
    char *before = picture_of(top);
    ck_assert_int_eq(deliver_as(true), MT_OK);
    char *dry = strdup(told);
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    ck_assert_str_eq(steps, "");
    deliver();
    ck_assert_str_eq(told, dry);
    free(before);
    free(dry);
    free(after);
}

START_TEST(test_dry_run)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].mti = OTHER_SESSION;
    next_round(samples, 2);
    assert_dry_run_tells_the_same();
    assert_told("written " SESSION "\nwritten " OTHER_SESSION "\n");
    next_round(samples, 2);
    assert_dry_run_tells_the_same();
    assert_told("kept " SESSION "\nkept " OTHER_SESSION "\n");
    samples[0].connection = "{'host':'n2'}";
    next_round(samples, 1);
    assert_dry_run_tells_the_same();
    assert_told("removed " OTHER_SESSION "\nwritten " SESSION "\n");
}
END_TEST

START_TEST(test_dry_run_of_a_mode)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert_int_eq(chmod(db_of(SESSION), 0644), 0);
    next_round(&sample, 1);
    assert_dry_run_tells_the_same();
    assert_told("written " SESSION "\n");
}
END_TEST

START_TEST(test_dry_run_makes_no_data_root)
{
    struct sample sample = good_sample(4711);
    char *root = strdup(at("absent"));
    settings.dataroot = root;
    next_round(&sample, 1);
    ck_assert_int_eq(deliver_as(true), MT_OK);
    assert_told("written " SESSION "\n");
    ck_assert(!exists(root));
    free(root);
}
END_TEST

/* The lock. */

/* As another process of the user: holds the lock, in *dir and *lock. */
static void take_lock(int *dir, int *lock)
{
    int root = -1;
    ck_assert_int_eq(mt_store_open_root(top, false, &root), MT_OK);
    ck_assert_int_eq(mt_store_open_dir(root, "batch_connect", true, dir), MT_OK);
    ck_assert_int_eq(mt_store_lock(*dir, lock), MT_OK);
    mt_store_close(root);
}

static void end_lock(int dir, int lock)
{
    mt_store_unlock(dir, lock);
    mt_store_close(dir);
}

START_TEST(test_nothing_is_written_beside_another_process)
{
    int dir = -1;
    int lock = -1;
    struct sample sample = good_sample(4711);
    take_lock(&dir, &lock);
    next_round(&sample, 1);
    ck_assert_int_eq(deliver_as(false), MT_BUSY);
    assert_told("failed batch_connect %d 0\n", (int)MT_BUSY);
    ck_assert_str_eq(steps, "");
    assert_no_card(SESSION);
    end_lock(dir, lock);
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_nothing_is_removed_beside_another_process)
{
    int dir = -1;
    int lock = -1;
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    take_lock(&dir, &lock);
    next_round(NULL, 0);
    ck_assert_int_eq(deliver_as(false), MT_BUSY);
    ck_assert_str_eq(steps, "");
    assert_card(SESSION, 4711, "n1");
    *told = '\0';
    ck_assert_int_eq(mt_deliver_nothing(&settings, false, note, told), MT_BUSY);
    assert_told("failed batch_connect %d 0\n", (int)MT_BUSY);
    assert_card(SESSION, 4711, "n1");
    end_lock(dir, lock);
}
END_TEST

/* Most users have no card at all: their dashboards wait for nobody and leave nothing. */
START_TEST(test_no_lock_where_there_is_nothing_to_do)
{
    int dir = -1;
    int lock = -1;
    struct sample form = good_sample(4711);
    form.mtm = "form";
    put_own_session();
    take_lock(&dir, &lock);
    deliver_job(&form);
    assert_told("%s", "");
    end_lock(dir, lock);
}
END_TEST

START_TEST(test_no_lock_for_a_dry_run)
{
    int dir = -1;
    int lock = -1;
    struct sample sample = good_sample(4711);
    take_lock(&dir, &lock);
    next_round(&sample, 1);
    ck_assert_int_eq(deliver_as(true), MT_OK);
    assert_told("written " SESSION "\n");
    end_lock(dir, lock);
}
END_TEST

/* Dismissals. */

static void dismiss(uint32_t job_id)
{
    struct mt_dismissed list;
    struct mt_dismissal gone = {"hpc", "multitenant", job_id, SESSION};
    ck_assert_int_eq(load_dismissed(top, &list), MT_OK);
    ck_assert_int_eq(mt_dismissed_add(&list, &gone), MT_OK);
    ck_assert_int_eq(save_dismissed(top, &list), MT_OK);
    mt_dismissed_free(&list);
}

static bool is_dismissed(uint32_t job_id)
{
    struct mt_dismissed list;
    ck_assert_int_eq(load_dismissed(top, &list), MT_OK);
    bool has = mt_dismissed_has(&list, "hpc", job_id);
    mt_dismissed_free(&list);
    return has;
}

START_TEST(test_a_dismissed_card_goes)
{
    struct sample sample = good_sample(4711);
    struct mt_dismissed list;
    deliver_job(&sample);
    dismiss(4711);
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_end(&script);
    ck_assert_int_eq(load_dismissed(top, &list), MT_OK);
    struct mt_specs *last = specs;
    specs = round_of(last, &script, &settings, &list);
    mt_specs_free(&last);
    mt_dismissed_free(&list);
    deliver();
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    ck_assert(is_dismissed(4711));
}
END_TEST

START_TEST(test_a_dismissal_ends_with_its_job)
{
    struct sample sample = good_sample(4712);
    sample.mtm = "form";
    dismiss(4711);
    dismiss(4712);
    deliver_job(&sample);
    ck_assert(!is_dismissed(4711));
    ck_assert(is_dismissed(4712));
    deliver_jobs(NULL, 0);
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
}
END_TEST

START_TEST(test_a_dismissal_stays_without_proof_of_the_end)
{
    dismiss(4711);
    script_begin(&script, "hpc", "own");
    script_end(&script);
    deliver_script();
    ck_assert(is_dismissed(4711));
    script_begin(&script, "gpu", "all");
    script_end(&script);
    deliver_script();
    ck_assert(is_dismissed(4711));
    next_round(NULL, 0);
    ck_assert_int_eq(deliver_as(true), MT_OK);
    ck_assert(is_dismissed(4711));
}
END_TEST

/* Sending a card away, and bringing it back. */

/* @return whether there was one; what was told and done is noted as for a delivery */
static bool send_away(const char *id)
{
    bool found = true;
    *told = *steps = '\0';
    n_steps = 0;
    ck_assert_int_eq(mt_deliver_dismiss(specs, &settings, id, &found, note, told), MT_OK);
    return found;
}

static bool bring_back(const char *id)
{
    bool found = true;
    *told = '\0';
    ck_assert_int_eq(mt_deliver_restore(&settings, id, &found, note, told), MT_OK);
    assert_told("%s", "");
    return found;
}

START_TEST(test_a_card_is_sent_away)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert(send_away(SESSION));
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    ck_assert(is_dismissed(4711));
    ck_assert_int_eq(specs->shares[0].card, MT_REASON_dismissed);
    ck_assert(!specs->shares[0].wants_card);
    ck_assert(specs->shares[0].listed);
    /* The round was made before, and is delivered after it. */
    ck_assert_int_eq(deliver_as(false), MT_OK);
    assert_no_card(SESSION);
}
END_TEST

/* The mark says all that is needed: Slurm need not have answered yet. */
START_TEST(test_a_card_is_sent_away_without_a_round)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    mt_specs_free(&specs);
    ck_assert(send_away(SESSION));
    assert_no_card(SESSION);
    ck_assert(is_dismissed(4711));
}
END_TEST

START_TEST(test_only_that_card_is_sent_away)
{
    struct sample samples[] = {good_sample(4711), good_sample(4712)};
    samples[1].mti = OTHER_SESSION;
    deliver_jobs(samples, 2);
    ck_assert(send_away(OTHER_SESSION));
    assert_card(SESSION, 4711, "n1");
    assert_no_card(OTHER_SESSION);
    ck_assert(!is_dismissed(4711));
}
END_TEST

START_TEST(test_a_card_of_the_old_initializer_is_sent_away)
{
    put_legacy(4711, "null");
    ck_assert(send_away(SESSION));
    assert_no_card(SESSION);
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
}
END_TEST

START_TEST(test_what_is_the_users_own_is_not_sent_away)
{
    put_own_session();
    char *before = picture_of(top);
    ck_assert(!send_away(SESSION));
    ck_assert(!send_away("../../x"));
    ck_assert(!send_away(""));
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}
END_TEST

/* A dismissal that can't be kept would be forgotten at the next round: the card stays. */
START_TEST(test_a_card_stays_where_its_dismissal_can_not_be_kept)
{
    struct sample sample = good_sample(4711);
    bool found = true;
    deliver_job(&sample);
    ck_assert_int_eq(symlink("elsewhere", at("batch_connect/multitenant.dismissed")), 0);
    ck_assert_int_ne(mt_deliver_dismiss(specs, &settings, SESSION, &found, note, told), MT_OK);
    ck_assert(!found);
    assert_card(SESSION, 4711, "n1");
    ck_assert_int_eq(specs->shares[0].card, MT_REASON_ok);
}
END_TEST

START_TEST(test_files_that_stay_are_told)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    for (failing_step = 2; failing_step < 4; failing_step++) { /* the first is the note */
        ck_assert(send_away(SESSION));
        ck_assert_ptr_nonnull(strstr(told, "failed "));
        ck_assert(is_dismissed(4711));
    }
    failing_step = 0;
    ck_assert(send_away(SESSION));
    assert_no_card(SESSION);
}
END_TEST

START_TEST(test_a_card_is_brought_back)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    ck_assert(!bring_back(SESSION));
    ck_assert(send_away(SESSION));
    ck_assert(!bring_back(OTHER_SESSION));
    ck_assert(!bring_back("471"));
    ck_assert(bring_back("4711"));
    deliver_job(&sample);
    ck_assert(send_away(SESSION));
    ck_assert(bring_back(SESSION));
    ck_assert(!is_dismissed(4711));
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
    deliver_job(&sample);
    assert_card(SESSION, 4711, "n1");
}
END_TEST

START_TEST(test_neither_is_done_beside_another_process)
{
    int dir = -1;
    int lock = -1;
    bool found = true;
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    take_lock(&dir, &lock);
    ck_assert_int_eq(mt_deliver_dismiss(specs, &settings, SESSION, &found, note, told), MT_BUSY);
    ck_assert(!found);
    assert_card(SESSION, 4711, "n1");
    ck_assert_int_eq(mt_deliver_restore(&settings, SESSION, &found, note, told), MT_BUSY);
    end_lock(dir, lock);
}
END_TEST

START_TEST(test_neither_makes_a_data_root)
{
    char *root = strdup(at("absent"));
    settings.dataroot = root;
    ck_assert(!send_away(SESSION));
    ck_assert(!bring_back(SESSION));
    ck_assert(!exists(root));
    free(root);
}
END_TEST

/* Removing everything. */

static void deliver_nothing(bool dry_run)
{
    *told = *steps = '\0';
    n_steps = 0;
    ck_assert_int_eq(mt_deliver_nothing(&settings, dry_run, note, told), MT_OK);
}

START_TEST(test_nothing_of_ours_is_left)
{
    struct sample samples[] = {good_sample(1), good_sample(2)};
    samples[1].mti = OTHER_SESSION;
    samples[1].mtd = "sys/multitenant-delivery_other";
    deliver_jobs(samples, 2);
    dismiss(4711);
    deliver_nothing(false);
    ck_assert_ptr_nonnull(strstr(told, "removed " SESSION "\n"));
    ck_assert_ptr_nonnull(strstr(told, "removed " OTHER_SESSION "\n"));
    assert_no_card(SESSION);
    assert_no_card(OTHER_SESSION);
    ck_assert(!exists(at("batch_connect/sys/multitenant-delivery_other/output/" OTHER_SESSION)));
    ck_assert(!exists(at("batch_connect/multitenant.dismissed")));
    deliver_nothing(false);
    assert_told("%s", "");
}
END_TEST

START_TEST(test_nothing_takes_legacy_cards_too)
{
    put_legacy(4711, "null");
    deliver_nothing(false);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
    put_legacy(4711, "null");
    ck_assert_int_eq(unlink(db_of(SESSION)), 0);
    deliver_nothing(false);
    assert_told("removed " SESSION "\n");
    assert_no_card(SESSION);
}
END_TEST

START_TEST(test_nothing_leaves_what_is_the_users_own)
{
    put_own_session();
    make_dirs(output_of(OTHER_SESSION));
    write_text(connection_of(OTHER_SESSION), "host: own", 0600);
    write_text(at(OUTPUTS "/" OTHER_SESSION "/output.log"), "mine", 0600);
    char *before = picture_of(top);
    deliver_nothing(false);
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    assert_told("%s", "");
    free(before);
    free(after);
}
END_TEST

START_TEST(test_nothing_as_a_dry_run)
{
    struct sample sample = good_sample(4711);
    deliver_job(&sample);
    dismiss(4712);
    char *before = picture_of(top);
    deliver_nothing(true);
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    assert_told("removed " SESSION "\n");
    free(before);
    free(after);
}
END_TEST

START_TEST(test_nothing_where_there_is_no_data_root)
{
    char *root = strdup(at("absent"));
    settings.dataroot = root;
    deliver_nothing(false);
    assert_told("%s", "");
    ck_assert(!exists(root));
    free(root);
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
    tests = add_fixed_case(suite, "remove");
    tcase_add_test(tests, test_removed_when_the_job_has_ended);
    tcase_add_test(tests, test_order_of_removal);
    tcase_add_loop_test(tests, test_removal_that_fails_half_way, 1, 5);
    tcase_add_test(tests, test_removal_leaves_files_of_others);
    tcase_add_loop_test(tests, test_kept_without_proof_of_the_end, 0, (int)COUNT_OF(no_proof));
    tcase_add_test(tests, test_kept_without_proof_after_a_new_start);
    tcase_add_loop_test(tests, test_removed_for_a_final_reason, 0, 10);
    tcase_add_loop_test(tests, test_removed_for_a_final_reason_in_an_own_stream, 0, 10);
    tcase_add_test(tests, test_kept_where_no_cluster_is_known);
    tcase_add_loop_test(tests, test_kept_for_a_temporary_reason, 0, 4);
    tcase_add_test(tests, test_removed_where_another_has_the_job_id_now);
    tests = add_fixed_case(suite, "move");
    tcase_add_test(tests, test_moved_to_another_session_id);
    tcase_add_test(tests, test_moved_to_another_delivery);
    tcase_add_test(tests, test_per_cluster_data_root);
    tcase_add_test(tests, test_moved_when_the_site_changes_the_setting);
    tests = add_fixed_case(suite, "legacy");
    tcase_add_test(tests, test_legacy_is_taken_over);
    tcase_add_test(tests, test_legacy_is_removed_once_completed);
    tcase_add_test(tests, test_legacy_completed_but_running_is_taken_over);
    tcase_add_test(tests, test_legacy_stays_otherwise);
    tcase_add_test(tests, test_legacy_of_another_job_is_not_taken_over);
    tcase_add_test(tests, test_legacy_is_removed_once_ood_forgot_it);
    tcase_add_test(tests, test_legacy_is_a_file);
    tests = add_fixed_case(suite, "own sessions");
    tcase_add_test(tests, test_own_session_of_the_same_id);
    tcase_add_test(tests, test_the_card_gets_its_id_when_the_own_session_has_gone);
    tcase_add_test(tests, test_unmarked_directory_of_the_same_id);
    tcase_add_test(tests, test_an_empty_directory_is_nobodys);
    tcase_add_test(tests, test_unmarked_directories_are_untouched);
    tests = add_fixed_case(suite, "one id, two jobs");
    tcase_add_loop_test(tests, test_another_publisher_names_the_id, 0, 4);
    tcase_add_loop_test(tests, test_another_publisher_names_a_made_id, 0, 2);
    tcase_add_test(tests, test_the_same_publisher_names_the_id_twice);
    tcase_add_loop_test(tests, test_another_publisher_while_the_cluster_is_silent, 0, 2);
    tcase_add_test(tests, test_another_publisher_after_a_new_start);
    tests = add_fixed_case(suite, "in the way");
    tcase_add_test(tests, test_data_root_behind_links);
    tcase_add_loop_test(tests, test_no_link_is_followed, 0, (int)COUNT_OF(linked));
    tcase_add_loop_test(tests, test_no_linked_file_is_written, 0, 3);
    tcase_add_test(tests, test_a_data_root_that_can_not_be_used);
    tcase_add_test(tests, test_a_data_root_of_another_user);
    tcase_add_test(tests, test_a_list_of_dismissals_that_can_not_be_read_is_told);
    tcase_add_test(tests, test_a_broken_mark_is_nobodys);
    tests = add_fixed_case(suite, "dry run");
    tcase_add_test(tests, test_dry_run);
    tcase_add_test(tests, test_dry_run_of_a_mode);
    tcase_add_test(tests, test_dry_run_makes_no_data_root);
    tests = add_fixed_case(suite, "lock");
    tcase_add_test(tests, test_nothing_is_written_beside_another_process);
    tcase_add_test(tests, test_nothing_is_removed_beside_another_process);
    tcase_add_test(tests, test_no_lock_where_there_is_nothing_to_do);
    tcase_add_test(tests, test_no_lock_for_a_dry_run);
    tests = add_fixed_case(suite, "dismissals");
    tcase_add_test(tests, test_a_dismissed_card_goes);
    tcase_add_test(tests, test_a_dismissal_ends_with_its_job);
    tcase_add_test(tests, test_a_dismissal_stays_without_proof_of_the_end);
    tests = add_fixed_case(suite, "sending away");
    tcase_add_test(tests, test_a_card_is_sent_away);
    tcase_add_test(tests, test_a_card_is_sent_away_without_a_round);
    tcase_add_test(tests, test_only_that_card_is_sent_away);
    tcase_add_test(tests, test_a_card_of_the_old_initializer_is_sent_away);
    tcase_add_test(tests, test_what_is_the_users_own_is_not_sent_away);
    tcase_add_test(tests, test_a_card_stays_where_its_dismissal_can_not_be_kept);
    tcase_add_test(tests, test_files_that_stay_are_told);
    tcase_add_test(tests, test_a_card_is_brought_back);
    tcase_add_test(tests, test_neither_is_done_beside_another_process);
    tcase_add_test(tests, test_neither_makes_a_data_root);
    tests = add_fixed_case(suite, "nothing");
    tcase_add_test(tests, test_nothing_of_ours_is_left);
    tcase_add_test(tests, test_nothing_takes_legacy_cards_too);
    tcase_add_test(tests, test_nothing_leaves_what_is_the_users_own);
    tcase_add_test(tests, test_nothing_as_a_dry_run);
    tcase_add_test(tests, test_nothing_where_there_is_no_data_root);
    return run_suite(suite);
}
