/* SPDX-License-Identifier: MIT */
#include "scenes.h"

#include "card.h"
#include "deliver.h"
#include "round.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

char *top;
static struct mt_settings settings;
static struct mt_specs *specs;
static char *old;
static char *new;
static char *repaired;

const char *at(const char *path)
{
    return format("%s/%s", top, path);
}

bool is_long(void)
{
    return getenv("MULTITENANT_LONG");
}

/* Who waits for another process's lock does not have to wait here. */
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)wanted;
    (void)left;
    return 0;
}

static void ignore(const struct mt_event *event, void *arg)
{
    (void)event;
    (void)arg;
}

/* What a dashboard does. In a process that is stepped nothing is asserted: Check would write. */

static int deliver(void)
{
    return (int)mt_deliver(specs, &settings, false, ignore, &settings);
}

static int deliver_writes(void)
{
    return (int)mt_deliver_writes(specs, &settings, ignore, &settings);
}

static int dismiss(void)
{
    bool found;
    return (int)mt_deliver_dismiss(specs, &settings, SESSION, &found, ignore, &settings);
}

static int restore(void)
{
    bool found;
    return (int)mt_deliver_restore(&settings, SESSION, &found, ignore, &settings);
}

static int remove_all(void)
{
    return (int)mt_deliver_nothing(&settings, false, ignore, &settings);
}

/* The rounds of dashboards that have just started. */

static void start(const struct sample *samples, size_t count)
{
    struct mt_dismissed list = {0};
    struct script text = {0};
    script_begin(&text, "hpc", "all");
    for (size_t i = 0; i < count; i++)
        script_job(&text, &samples[i]);
    script_end(&text);
    (void)load_dismissed(top, &list);
    mt_specs_free(&specs);
    specs = round_of(NULL, &text, &settings, &list);
    mt_dismissed_free(&list);
    script_free(&text);
}

static void none(void)
{
    start(NULL, 0);
}

static void one(void)
{
    struct sample sample = good_sample(4711);
    start(&sample, 1);
}

static void changed(void)
{
    struct sample sample = good_sample(4711);
    sample.connection = "{'host':'n2','port':'5433'}";
    start(&sample, 1);
}

static void moved(void)
{
    struct sample sample = good_sample(4711);
    sample.mtd = "sys/multitenant-delivery_other";
    start(&sample, 1);
}

static void two(void)
{
    struct sample samples[] = {good_sample(4711), good_sample(4712), good_sample(4713)};
    samples[1].mti = OTHER_SESSION;
    samples[2].mtm = "form";
    start(samples, COUNT_OF(samples));
}

static void other(void)
{
    struct sample sample = good_sample(4712);
    sample.mti = OTHER_SESSION;
    start(&sample, 1);
}

static void sent_away(void)
{
    one();
    (void)deliver();
    (void)dismiss();
    one();
}

/* A card of the initializer before this one has no mark. */
static void legacy(void)
{
    make_dirs(at("batch_connect/db"));
    make_dirs(at(OUTPUT));
    write_text(at(OUTPUT "/" MT_CARD_CONNECTION), "host: old", 0600);
    write_text(at(DB),
               "{\"id\":\"" SESSION "\",\"job_id\":\"4711\",\"token\":\"" TOKEN "\","
               "\"cache_completed\":null}",
               0600);
    none();
}

const struct scene scenes[N_SCENES] = {
    {"the first card", none, one, deliver, false},
    {"another connection", one, changed, deliver, false},
    {"another app", one, moved, deliver, false},
    {"the job has ended", one, none, deliver, false},
    {"a card is dismissed", one, one, dismiss, true},
    {"all are removed", two, two, remove_all, false},
    {"a card is as it should be", one, one, deliver, false},
    {"another connection, beside a page", one, changed, deliver_writes, false},
    {"several come", none, two, deliver, false},
    {"one comes, one goes", one, other, deliver, false},
    {"several go", two, none, deliver, false},
    {"a card of the old initializer's", legacy, one, deliver, false},
    {"a card is restored", sent_away, one, restore, true},
    {"the job of a dismissed card ends", sent_away, none, deliver, false},
};

static int remove_below(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    return ftw->level == 0 ? 0 : remove(path);
}

void prepare(const struct scene *scene)
{
    ck_assert_int_eq(nftw(top, remove_below, 16, FTW_DEPTH | FTW_PHYS), 0);
    scene->before();
    (void)deliver();
    scene->round();
}

void deliver_too(const struct scene *scene)
{
    scene->round();
    (void)(scene->body == remove_all ? remove_all() : deliver());
}

void deliver_no_job(const struct scene *scene)
{
    (void)scene;
    none();
    (void)deliver();
}

void deliver_removal(const struct scene *scene)
{
    (void)scene;
    (void)remove_all();
}

void learn(const struct scene *scene)
{
    prepare(scene);
    old = picture_of(top);
    (void)scene->body();
    new = picture_of(top);
    deliver_too(scene);
    repaired = picture_of(top);
}

/* Pictures have a line for each path. */

/* Files of ours that nobody reads are left by who was killed. */
static bool is_rest(const char *line)
{
    static const char db[] = "/batch_connect/db/";
    static const char lock[] = "/batch_connect/.multitenant.lock ";
    return (strstr(line, "/.multitenant.new.") && strncmp(line, db, strlen(db)) != 0) ||
           strncmp(line, lock, strlen(lock)) == 0;
}

static bool is_directory(const char *line)
{
    return strstr(line, " 40700 ");
}

/* Whether a line of the picture begins with the first `len` bytes of `text`. */
static bool has(const char *picture, const char *text, size_t len)
{
    for (const char *line = picture; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, text, len) == 0)
            return true;
    }
    return false;
}

static bool has_path(const char *picture, const char *line)
{
    return has(picture, line, strcspn(line, " ") + 1);
}

/* What a line is among those of another picture. A card that moves may be away for a moment. */

static bool is_in(const char *picture, const char *line)
{
    return has(picture, line, strlen(line));
}

static bool is_there(const char *now, const char *line)
{
    return has_path(now, line) || !has_path(new, line) || strstr(new, "_other");
}

static bool is_old_or_new(const char *now, const char *line)
{
    (void)now;
    return is_in(old, line) || is_in(new, line);
}

static bool is_listed(const char *now, const char *line)
{
    const char *name = strstr(line, "/" MT_CARD_CONNECTION " ");
    return !name || has_path(now, format("/batch_connect/db/%.36s ", name - 36));
}

/* The first line of a file that is not so, or NULL. The caller frees it. */
static char *odd_one(const char *picture, const char *other,
                     bool (*is_so)(const char *other, const char *line))
{
    char *odd = NULL;
    char *copy = strdup(picture);
    char *rest = copy;
    for (const char *line = strsep(&rest, "\n"); rest && !odd; line = strsep(&rest, "\n")) {
        if (*line && !is_rest(line) && !is_directory(line) && !is_so(other, line))
            odd = strdup(line);
    }
    free(copy);
    return odd;
}

static void assert_none_odd(const char *when, const char *picture, const char *other,
                            bool (*is_so)(const char *other, const char *line))
{
    char *odd = odd_one(picture, other, is_so);
    ck_assert_msg(!odd, "%s: %s", when, odd);
}

void assert_listed(const char *when)
{
    char *now = picture_of(top);
    assert_none_odd(when, now, now, is_listed);
    free(now);
}

void assert_old_or_new(const char *when)
{
    char *now = picture_of(top);
    assert_none_odd(when, old, now, is_there);
    assert_none_odd(when, now, now, is_old_or_new);
    free(now);
    assert_listed(when);
}

void assert_repaired(const struct scene *scene, const char *when)
{
    deliver_too(scene);
    char *now = picture_of(top);
    char *odd = odd_one(now, repaired, is_in);
    bool stays = scene->once && odd;
    free(odd);
    assert_none_odd(when, now, stays ? old : repaired, is_in);
    assert_none_odd(when, stays ? old : repaired, now, is_in);
    free(now);
    (void)remove_all();
    now = picture_of(top);
    for (const char *line = now; *line; line = strchr(line, '\n') + 1)
        ck_assert_msg(has("/batch_connect \n/batch_connect/db \n/batch_connect/sys ", line,
                          strcspn(line, " ") + 1),
                      "%s: left: %s", when, line);
    free(now);
}

/* The suite. */

static void setup(void)
{
    become_user();
    top = temp_dir_new();
    settings = viewer_settings();
    settings.dataroot = top;
}

static void teardown(void)
{
    free(old);
    free(new);
    free(repaired);
    mt_specs_free(&specs);
    temp_dir_free(top);
    become_root();
}

int run_scenes(const char *name, const TTest *test, int count)
{
    Suite *suite = suite_create(name);
    TCase *tests = add_case(suite, "scenes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_tags(tests, "ptrace");
    tcase_set_timeout(tests, is_long() ? 900 : 60);
    tcase_add_loop_test(tests, test, 0, count);
    return run_suite(suite);
}
