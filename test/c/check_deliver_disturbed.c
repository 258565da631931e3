/* SPDX-License-Identifier: MIT */
/*
 * While cards are written, between what is looked at and what is done, something else stands where
 * a file was, or the user has no right to it any more, or another dashboard is at it. Links: all
 * that delivers a round.
 */
#include "scenes.h"
#include "stepped.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What stands elsewhere, in places of the same names. */
static char *outside;

static const char *there(const char *path)
{
    return format("%s/%s", outside, path);
}

/* Where a path's own file is meanwhile. */
static char *hidden;

static bool is_put; /* something stands in its place */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static bool make_place(const char *path)
{
    char *parent = strdup(at(path));
    *strrchr(parent, '/') = '\0';
    is_put = exists(parent);
    if (exists(at(path)))
        ck_assert_int_eq(rename(at(path), hidden), 0);
    free(parent);
    return is_put;
}

static void put_link(const char *path)
{
    if (make_place(path))
        ck_assert_int_eq(symlink(there(path), at(path)), 0);
}

static void put_fifo(const char *path)
{
    if (make_place(path))
        ck_assert_int_eq(mkfifo(at(path), 0600), 0);
}

static void put_hard_link(const char *path)
{
    if (make_place(path))
        ck_assert_int_eq(link(there(path), at(path)), 0);
}

/* What was there comes back, unless the place is empty now or was written to. */
static void put_back(const char *path)
{
    struct stat st;
    bool stands = is_put && lstat(at(path), &st) == 0 && (!S_ISREG(st.st_mode) || st.st_nlink > 1);
    if (stands)
        ck_assert_int_eq(unlink(at(path)), 0);
    if (stands && exists(hidden))
        ck_assert_int_eq(rename(hidden, at(path)), 0);
    (void)nftw(hidden, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int lock_out(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    return kind == FTW_DP ? chmod(path, 0500) : 0;
}

static int let_in(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    return kind == FTW_D ? chmod(path, 0700) : 0;
}

static int give_away(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return lchown(path, 65534, 65534);
}

static int give_back(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return lchown(path, TEST_UID, (gid_t)-1);
}

static void each_path(__nftw_func_t what, int flags)
{
    become_root();
    ck_assert_int_eq(nftw(top, what, 16, flags | FTW_PHYS), 0);
    become_user();
}

static void take_rights(const char *path)
{
    (void)path;
    each_path(lock_out, FTW_DEPTH);
}

static void return_rights(const char *path)
{
    (void)path;
    each_path(let_in, 0);
}

/* As where the server of the home makes all that is written nobody's. */
static void take_files(const char *path)
{
    (void)path;
    if (can_be_root())
        each_path(give_away, 0);
}

static void return_files(const char *path)
{
    (void)path;
    if (can_be_root())
        each_path(give_back, 0);
}

static const char *const directories[] = {
    "batch_connect", "batch_connect/db", "batch_connect/sys", "batch_connect/" TOKEN, OUTPUTS,
    OUTPUT};

static const char *const files[] = {DB, OUTPUT "/.multitenant", OUTPUT "/connection.yml",
                                    "batch_connect/.multitenant.lock",
                                    "batch_connect/multitenant.dismissed"};

static const struct disturbance {
    const char *name;
    void (*begin)(const char *path);
    void (*end)(const char *path);
    void (*other)(const struct scene *scene);
    void (*assert_then)(const char *when);
    bool of_directories;
    bool of_files;
} disturbances[] = {
    {"a link", put_link, put_back, NULL, NULL, true, true},
    {"a FIFO", put_fifo, put_back, NULL, NULL, true, true},
    {"a hard link", put_hard_link, put_back, NULL, NULL, false, true},
    {"no right to write", take_rights, return_rights, NULL, assert_old_or_new, false, false},
    {"another's files", take_files, return_files, NULL, assert_old_or_new, false, false},
    {"a dashboard that is as far", NULL, NULL, deliver_too, assert_listed, false, false},
    {"a dashboard with another answer", NULL, NULL, deliver_no_job, assert_listed, false, false},
    {"a dashboard that removes all", NULL, NULL, deliver_removal, assert_listed, false, false},
};

/* One disturbance at one call. False: it was over before. */
static bool disturb(const struct scene *scene, const struct disturbance *how, const char *path,
                    size_t call)
{
    char when[256];
    (void)snprintf(when, sizeof when, "%s, before call %zu %s %s", scene->name, call, how->name,
                   path);
    prepare(scene);
    pid_t pid = stop_before(scene->body, call);
    if (pid == 0)
        return false;
    char *before = picture_of(outside);
    if (how->other)
        how->other(scene);
    else
        how->begin(path);
    go_on(pid);
    if (how->end)
        how->end(path);
    char *after = picture_of(outside);
    ck_assert_msg(strcmp(after, before) == 0, "%s: elsewhere there is\n%s", when, after);
    free(before);
    free(after);
    if (how->assert_then)
        how->assert_then(when);
    assert_repaired(scene, when);
    return true;
}

/* All of them at a call; or one, which is another at the next. 0: it was over before. */
#define STRIDE 3
#define N_TURNS 32 /* of all kinds and places */
static size_t disturb_at(const struct scene *scene, size_t call)
{
    size_t turn = 0;
    size_t done = 0;
    for (size_t i = 0; i < COUNT_OF(disturbances); i++) {
        const struct disturbance *how = &disturbances[i];
        const char *paths[COUNT_OF(directories) + COUNT_OF(files)];
        size_t n = 0;
        for (size_t j = 0; how->of_directories && j < COUNT_OF(directories); j++)
            paths[n++] = directories[j];
        for (size_t j = 0; how->of_files && j < COUNT_OF(files); j++)
            paths[n++] = files[j];
        if (n == 0)
            paths[n++] = "";
        for (size_t j = 0; j < n; j++, turn++) {
            if (!is_long() && turn % N_TURNS != call / STRIDE % N_TURNS)
                continue;
            if (!disturb(scene, how, paths[j], call))
                return 0;
            done++;
        }
    }
    ck_assert_uint_eq(turn, N_TURNS);
    return done;
}

static void make_outside(void)
{
    outside = temp_dir_new();
    hidden = strdup(format("%s.hidden", outside));
    for (size_t i = 0; i < COUNT_OF(directories); i++)
        make_dirs(there(directories[i]));
    for (size_t i = 0; i < COUNT_OF(files); i++)
        write_text(there(files[i]), "precious", 0600);
}

START_TEST(test_disturbed_before_each_call)
{
    const struct scene *scene = &scenes[_i];
    size_t all = 0;
    size_t done;
    make_outside();
    learn(scene);
    for (size_t call = 1; (done = disturb_at(scene, call)) > 0; call += is_long() ? 1 : STRIDE)
        all += done;
    ck_assert_uint_gt(all, 10);
    if (is_long())
        (void)printf("%s: disturbed %zu times\n", scene->name, all);
    free(hidden);
    temp_dir_free(outside);
}
END_TEST

int main(void)
{
    return run_scenes("deliver_disturbed", test_disturbed_before_each_call, N_MAIN_SCENES);
}
