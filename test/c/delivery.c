/* SPDX-License-Identifier: MIT */
/*
 * The store's functions that change something are wrapped: the tests see the order of steps, and
 * let one of them fail.
 */
#include "delivery.h"

char *top;
struct mt_settings settings;
struct mt_specs *specs;
struct script script;
size_t fds_before;

/* What was told and what was done since the last delivery, one a line. */
char told[65536];
char steps[65536];
size_t n_steps;
size_t failing_step; /* counted from 1; 0: none */

void setup(void)
{
    become_user();
    fds_before = count_fds();
    top = temp_dir_new();
    settings = viewer_settings();
    settings.dataroot = top;
    failing_step = 0;
}

void teardown(void)
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

void note(const struct mt_event *event, void *arg)
{
    static const char *const actions[] = {[MT_WRITTEN] = "written",
                                          [MT_KEPT] = "kept",
                                          [MT_REMOVED] = "removed",
                                          [MT_LEFT] = "left",
                                          [MT_FAILED] = "failed"};
    ck_assert_ptr_eq(arg, told);
    if (event->action == MT_FAILED)
        ck_assert_int_ne(event->status, MT_OK);
    append(told, sizeof told, "%s %s", actions[event->action], event->id);
    if (event->action == MT_FAILED)
        append(told, sizeof told, " %d %d", (int)event->status, event->error);
    append(told, sizeof told, "\n");
}

enum mt_status deliver_as(bool dry_run)
{
    *told = *steps = '\0';
    n_steps = 0;
    return mt_deliver(specs, &settings, dry_run, note, told);
}

void deliver_writes(void)
{
    *told = *steps = '\0';
    n_steps = 0;
    ck_assert_int_eq(mt_deliver_writes(specs, &settings, note, told), MT_OK);
}

void deliver(void)
{
    ck_assert_int_eq(deliver_as(false), MT_OK);
}

/* The next round, with these jobs of hpc. */
void next_round(const struct sample *samples, size_t count)
{
    struct mt_specs *last = specs;
    specs = round_of_samples(last, samples, count, &settings);
    mt_specs_free(&last);
}

void deliver_jobs(const struct sample *samples, size_t count)
{
    next_round(samples, count);
    deliver();
}

void deliver_job(const struct sample *sample)
{
    deliver_jobs(sample, 1);
}

/* The same at the script, which is empty afterwards. */
void deliver_script(void)
{
    struct mt_specs *last = specs;
    specs = round_of(last, &script, &settings, NULL);
    mt_specs_free(&last);
    script_free(&script);
    deliver();
}

/* Paths below the data root. */

const char *at(const char *path)
{
    return format("%s/%s", top, path);
}

const char *db_of(const char *id)
{
    return at(format("batch_connect/db/%s", id));
}

const char *output_of(const char *id)
{
    return at(format(OUTPUTS "/%s", id));
}

const char *mark_of(const char *id)
{
    return at(format(OUTPUTS "/%s/" MT_CARD_MARK, id));
}

const char *connection_of(const char *id)
{
    return at(format(OUTPUTS "/%s/" MT_CARD_CONNECTION, id));
}

/* The JSON in a file, which has to be there, private. */
json_t *load(const char *path)
{
    json_t *json = json_load_file(path, 0, NULL);
    ck_assert_msg(json, "no JSON in %s", path);
    ck_assert_int_eq(mode_of(path), 0600);
    return json;
}

/* A whole card of this job with this host. */
void assert_card(const char *id, uint32_t job_id, const char *host)
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

void assert_no_card(const char *id)
{
    ck_assert(!exists(db_of(id)));
    ck_assert(!exists(output_of(id)));
}

/* The card id of a job of hpc, as the last delivery settled it. */
const char *id_of(uint32_t job_id)
{
    return share_of(specs, "hpc", job_id)->card_id;
}

struct sample sample_of(uint32_t job_id, const char *user, uint32_t uid, const char *host)
{
    struct sample sample = good_sample(job_id);
    sample.user = user;
    sample.uid = uid;
    sample.connection = host;
    return sample;
}

void assert_secret_has_a_mark(void)
{
    ck_assert(!exists(connection_of(SESSION)) || exists(mark_of(SESSION)));
    ck_assert(!exists(db_of(SESSION)) || exists(mark_of(SESSION)));
}

const char *path_of_file(int file)
{
    return file == 0 ? mark_of(SESSION) : file == 1 ? db_of(SESSION) : connection_of(SESSION);
}

void put_legacy(uint32_t job_id, const char *completed)
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

/* Runs a delivery that has to leave everything as it is. */
void assert_untouched(const struct sample *samples, size_t count)
{
    char *before = picture_of(top);
    deliver_jobs(samples, count);
    char *after = picture_of(top);
    ck_assert_str_eq(after, before);
    ck_assert_str_eq(steps, "");
    free(before);
    free(after);
}

/* A session of an app of the user's, with this id. */
void put_own_session(void)
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

/* As another process of the user: holds the lock, in *dir and *lock. */
void take_lock(int *dir, int *lock)
{
    int root = -1;
    ck_assert_int_eq(mt_store_open_root(top, false, &root), MT_OK);
    ck_assert_int_eq(mt_store_open_dir(root, "batch_connect", true, dir), MT_OK);
    ck_assert_int_eq(mt_store_lock(*dir, lock), MT_OK);
    mt_store_close(root);
}

void end_lock(int dir, int lock)
{
    mt_store_unlock(dir, lock);
    mt_store_close(dir);
}

void dismiss(uint32_t job_id)
{
    struct mt_dismissed list;
    struct mt_dismissal gone = {"hpc", "multitenant", job_id, SESSION, NULL};
    ck_assert_int_eq(load_dismissed(top, &list), MT_OK);
    ck_assert_int_eq(mt_dismissed_add(&list, &gone), MT_OK);
    ck_assert_int_eq(save_dismissed(top, &list), MT_OK);
    mt_dismissed_free(&list);
}

bool is_dismissed(uint32_t job_id)
{
    struct mt_dismissed list;
    ck_assert_int_eq(load_dismissed(top, &list), MT_OK);
    bool has = mt_dismissed_has(&list, "hpc", job_id);
    mt_dismissed_free(&list);
    return has;
}

void deliver_nothing(bool dry_run)
{
    *told = *steps = '\0';
    n_steps = 0;
    ck_assert_int_eq(mt_deliver_nothing(&settings, dry_run, note, told), MT_OK);
}

TCase *add_fixed_case(Suite *suite, const char *name)
{
    TCase *tests = add_case(suite, name);
    tcase_add_checked_fixture(tests, setup, teardown);
    return tests;
}
