/* SPDX-License-Identifier: MIT */
/* Links: store, buf. */
#include "store.h"

#include "helpers.h"
#include "mt_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *top;
static int root;
static struct mt_file file;
static size_t fds_before;

static void setup(void)
{
    become_user();
    fds_before = count_fds();
    top = temp_dir_new();
    file = MT_FILE_INIT;
    ck_assert_int_eq(mt_store_open_root(top, false, &root), MT_OK);
    ck_assert_int_ge(root, 0);
}

static void teardown(void)
{
    mt_buf_wipe(&file.bytes);
    mt_store_close(root);
    ck_assert_uint_eq(count_fds(), fds_before);
    temp_dir_free(top);
    become_root();
}

/* A path below the test's directory. */
static const char *at(const char *path)
{
    return format("%s/%s", top, path);
}

/* Gives a path to root; false where only root could. */
static bool give_away(const char *path)
{
    if (!can_be_root())
        return false;
    become_root();
    ck_assert_int_eq(chown(path, 0, 0), 0);
    ck_assert_int_eq(chmod(path, 0777), 0);
    become_user();
    return true;
}

static void assert_closes(int *fd)
{
    ck_assert_int_ge(*fd, 0);
    ck_assert_int_ne(fcntl(*fd, F_GETFD) & FD_CLOEXEC, 0);
    mt_store_close(*fd);
    *fd = -1;
}

/* The data root. */

START_TEST(test_root_missing)
{
    int fd = 42;
    ck_assert_int_eq(mt_store_open_root(at("absent"), false, &fd), MT_OK);
    ck_assert_int_eq(fd, -1);
    ck_assert(!exists(at("absent")));
}
END_TEST

START_TEST(test_root_is_made)
{
    int fd = -1;
    ck_assert_int_eq(mt_store_open_root(at("a/b/c"), true, &fd), MT_OK);
    assert_closes(&fd);
    ck_assert_int_eq(mode_of(at("a")), 0700);
    ck_assert_int_eq(mode_of(at("a/b/c")), 0700);
}
END_TEST

START_TEST(test_root_through_links)
{
    int fd = -1;
    make_dirs(at("scratch/ondemand"));
    ck_assert_int_eq(symlink(at("scratch"), at("home")), 0);
    ck_assert_int_eq(symlink("ondemand", at("scratch/link")), 0);
    ck_assert_int_eq(mt_store_open_root(at("home/link"), false, &fd), MT_OK);
    assert_closes(&fd);
    ck_assert_int_eq(mt_store_open_root(at("home/link/data/sys"), true, &fd), MT_OK);
    assert_closes(&fd);
    ck_assert(exists(at("scratch/ondemand/data/sys")));
}
END_TEST

START_TEST(test_root_is_a_link_to_nothing)
{
    int fd = 42;
    ck_assert_int_eq(symlink(at("nowhere"), at("link")), 0);
    ck_assert_int_ne(mt_store_open_root(at("link"), true, &fd), MT_OK);
    ck_assert_int_eq(fd, -1);
    ck_assert(!exists(at("nowhere")));
}
END_TEST

START_TEST(test_root_is_a_file)
{
    int fd = 42;
    write_text(at("file"), "x", 0600);
    ck_assert_int_eq(mt_store_open_root(at("file"), true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_root_of_another_user)
{
    int fd = 42;
    make_dirs(at("dir"));
    if (!give_away(at("dir")))
        return;
    ck_assert_int_eq(mt_store_open_root(at("dir"), true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_root_path_is_too_long)
{
    int fd = 42;
    char *deep = repeat("/x", PATH_MAX);
    ck_assert_int_eq(mt_store_open_root(deep, true, &fd), MT_IO);
    ck_assert_int_eq(fd, -1);
    free(deep);
}
END_TEST

START_TEST(test_root_below_what_can_not_be_written)
{
    int fd = 42;
    make_dirs(at("locked"));
    ck_assert_int_eq(chmod(at("locked"), 0500), 0);
    if (geteuid() == 0)
        return;
    ck_assert_int_eq(mt_store_open_root(at("locked/a"), true, &fd), MT_IO);
    ck_assert_int_eq(errno, EACCES);
    ck_assert_int_eq(fd, -1);
}
END_TEST

/* Directories. */

START_TEST(test_dir_missing)
{
    int fd = 42;
    ck_assert_int_eq(mt_store_open_dir(root, "a", false, &fd), MT_OK);
    ck_assert_int_eq(fd, -1);
    make_dirs(at("a"));
    fd = 42;
    ck_assert_int_eq(mt_store_open_dir(root, "a/b/c", false, &fd), MT_OK);
    ck_assert_int_eq(fd, -1);
    ck_assert(!exists(at("a/b")));
}
END_TEST

START_TEST(test_dir_is_made)
{
    int fd = -1;
    ck_assert_int_eq(mt_store_open_dir(root, "a/b/c", true, &fd), MT_OK);
    assert_closes(&fd);
    ck_assert_int_eq(mode_of(at("a")), 0700);
    ck_assert_int_eq(mode_of(at("a/b")), 0700);
    ck_assert_int_eq(mode_of(at("a/b/c")), 0700);
    ck_assert_int_eq(mt_store_open_dir(root, "a/b/c", false, &fd), MT_OK);
    assert_closes(&fd);
}
END_TEST

START_TEST(test_dir_keeps_the_mode_that_it_has)
{
    int fd = -1;
    make_dirs(at("a"));
    ck_assert_int_eq(chmod(at("a"), 0755), 0);
    ck_assert_int_eq(mt_store_open_dir(root, "a", true, &fd), MT_OK);
    assert_closes(&fd);
    ck_assert_int_eq(mode_of(at("a")), 0755);
}
END_TEST

/* At each place of the path. */
static const char *const linked[] = {"link", "link/b", "a/link", "a/link/b", "a/link/absent"};

START_TEST(test_dir_through_a_link)
{
    int fd = 42;
    make_dirs(at("elsewhere/b"));
    make_dirs(at("a"));
    ck_assert_int_eq(symlink(at("elsewhere"), at("link")), 0);
    ck_assert_int_eq(symlink("../elsewhere", at("a/link")), 0);
    for (int create = 0; create < 2; create++) {
        ck_assert_int_eq(mt_store_open_dir(root, linked[_i], create, &fd), MT_UNSAFE);
        ck_assert_int_eq(fd, -1);
    }
    ck_assert(!exists(at("elsewhere/absent")));
}
END_TEST

START_TEST(test_dir_is_a_link_to_nothing)
{
    int fd = 42;
    ck_assert_int_eq(symlink(at("nowhere"), at("link")), 0);
    ck_assert_int_eq(mt_store_open_dir(root, "link", true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
    ck_assert(!exists(at("nowhere")));
}
END_TEST

START_TEST(test_dir_is_a_file)
{
    int fd = 42;
    write_text(at("file"), "x", 0600);
    ck_assert_int_eq(mt_store_open_dir(root, "file", true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(mt_store_open_dir(root, "file/a", true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_dir_is_a_fifo)
{
    int fd = 42;
    ck_assert_int_eq(mkfifo(at("fifo"), 0600), 0);
    ck_assert_int_eq(mt_store_open_dir(root, "fifo", true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_dir_of_another_user)
{
    int fd = 42;
    make_dirs(at("a/b"));
    if (!give_away(at("a")))
        return;
    ck_assert_int_eq(mt_store_open_dir(root, "a", true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(mt_store_open_dir(root, "a/b", true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
}
END_TEST

static const char *const climbing[] = {"",     ".",       "..",   "/",     "/a",
                                       "a/..", "a/../..", "../a", "a/./b", "a//b"};

START_TEST(test_dir_of_a_path_that_climbs)
{
    int fd = 42;
    make_dirs(at("a/b"));
    ck_assert_int_eq(mt_store_open_dir(root, climbing[_i], true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_dir_of_a_long_name)
{
    int fd = 42;
    char *name = repeat("n", NAME_MAX);
    ck_assert_int_eq(mt_store_open_dir(root, name, true, &fd), MT_OK);
    assert_closes(&fd);
    ck_assert_int_eq(mt_store_open_dir(root, format("%sn", name), true, &fd), MT_UNSAFE);
    ck_assert_int_eq(fd, -1);
    free(name);
}
END_TEST

/* Reading. */

START_TEST(test_read)
{
    write_text(at("file"), "content\n", 0600);
    ck_assert_int_eq(mt_store_read(root, "file", &file), MT_OK);
    ck_assert(file.found && file.is_private);
    ck_assert_uint_eq(file.bytes.len, 8);
    ck_assert_mem_eq(file.bytes.data, "content\n", 8);
}
END_TEST

START_TEST(test_read_missing)
{
    ck_assert_int_eq(mt_store_read(root, "file", &file), MT_OK);
    ck_assert(!file.found);
}
END_TEST

START_TEST(test_read_empty)
{
    write_text(at("file"), "", 0600);
    ck_assert_int_eq(mt_store_read(root, "file", &file), MT_OK);
    ck_assert(file.found);
    ck_assert_uint_eq(file.bytes.len, 0);
}
END_TEST

static const struct {
    mode_t mode;
    bool is_private;
} modes[] = {{0600, true},  {0400, false}, {0640, false}, {0604, false},
             {0644, false}, {0700, false}, {0777, false}, {04600, false}};

START_TEST(test_read_tells_the_mode)
{
    write_text(at("file"), "x", modes[_i].mode);
    ck_assert_int_eq(mt_store_read(root, "file", &file), MT_OK);
    ck_assert_int_eq(file.is_private, modes[_i].is_private);
}
END_TEST

START_TEST(test_read_a_link)
{
    write_text(at("elsewhere"), "secret", 0600);
    ck_assert_int_eq(symlink(at("elsewhere"), at("link")), 0);
    ck_assert_int_eq(mt_store_read(root, "link", &file), MT_UNSAFE);
    ck_assert(!file.found);
    ck_assert_uint_eq(file.bytes.len, 0);
}
END_TEST

START_TEST(test_read_a_link_to_nothing)
{
    ck_assert_int_eq(symlink(at("nowhere"), at("link")), 0);
    ck_assert_int_eq(mt_store_read(root, "link", &file), MT_UNSAFE);
    ck_assert(!file.found);
}
END_TEST

/* Nobody writes to it: opening would wait for ever. */
START_TEST(test_read_a_fifo)
{
    ck_assert_int_eq(mkfifo(at("fifo"), 0600), 0);
    ck_assert_int_eq(mt_store_read(root, "fifo", &file), MT_UNSAFE);
    ck_assert(!file.found);
}
END_TEST

START_TEST(test_read_a_directory)
{
    make_dirs(at("dir"));
    ck_assert_int_eq(mt_store_read(root, "dir", &file), MT_UNSAFE);
    ck_assert(!file.found);
}
END_TEST

START_TEST(test_read_a_file_of_another_user)
{
    write_text(at("file"), "x", 0600);
    if (!give_away(at("file")))
        return;
    ck_assert_int_eq(mt_store_read(root, "file", &file), MT_UNSAFE);
    ck_assert(!file.found);
    ck_assert_uint_eq(file.bytes.len, 0);
}
END_TEST

START_TEST(test_read_what_can_not_be_read)
{
    write_text(at("file"), "x", 0000);
    if (geteuid() == 0)
        return;
    ck_assert_int_eq(mt_store_read(root, "file", &file), MT_IO);
    ck_assert_int_eq(errno, EACCES);
}
END_TEST

START_TEST(test_read_the_largest_file)
{
    write_text(at("file"), "", 0600);
    ck_assert_int_eq(truncate(at("file"), MT_FILE_READ_MAX), 0);
    ck_assert_int_eq(mt_store_read(root, "file", &file), MT_OK);
    ck_assert_uint_eq(file.bytes.len, MT_FILE_READ_MAX);
}
END_TEST

START_TEST(test_read_a_file_over_the_limit)
{
    write_text(at("file"), "", 0600);
    ck_assert_int_eq(truncate(at("file"), MT_FILE_READ_MAX + 1), 0);
    ck_assert_int_eq(mt_store_read(root, "file", &file), MT_TOO_LARGE);
    ck_assert(!file.found);
}
END_TEST

/* Writing. */

static void assert_text(const char *path, const char *expected)
{
    char *text = read_text(path);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, expected);
    free(text);
}

static enum mt_status write_file(const char *name, const char *text)
{
    return mt_store_write(root, name, root, text, strlen(text));
}

/* Looks that nothing of writing is left in a directory. */
static void assert_no_scratch(int dir)
{
    struct mt_names names;
    ck_assert_int_eq(mt_store_list(dir, &names), MT_OK);
    for (size_t i = 0; i < names.count; i++)
        ck_assert_msg(!mt_store_is_scratch(names.items[i]), "%s", names.items[i]);
    mt_names_free(&names);
}

START_TEST(test_write)
{
    ck_assert_int_eq(write_file("file", "content"), MT_OK);
    assert_text(at("file"), "content");
    ck_assert_int_eq(mode_of(at("file")), 0600);
    assert_no_scratch(root);
}
END_TEST

START_TEST(test_write_nothing)
{
    ck_assert_int_eq(write_file("file", ""), MT_OK);
    assert_text(at("file"), "");
}
END_TEST

static const mode_t umasks[] = {0, 0002, 0022, 0077, 0177, 0277, 0777};

START_TEST(test_write_under_umask)
{
    mode_t before = umask(umasks[_i]);
    enum mt_status status = write_file("file", "x");
    mode_t after = umask(before);
    ck_assert_int_eq(status, MT_OK);
    ck_assert_int_eq(mode_of(at("file")), 0600);
    ck_assert_int_eq(after, umasks[_i]);
}
END_TEST

START_TEST(test_dir_under_umask)
{
    int fd = -1;
    mode_t before = umask(umasks[_i]);
    enum mt_status status = mt_store_open_dir(root, "a/b", true, &fd);
    mode_t after = umask(before);
    ck_assert_int_eq(status, MT_OK);
    assert_closes(&fd);
    ck_assert_int_eq(mode_of(at("a")), 0700);
    ck_assert_int_eq(mode_of(at("a/b")), 0700);
    ck_assert_int_eq(after, umasks[_i]);
}
END_TEST

START_TEST(test_root_under_umask)
{
    int fd = -1;
    mode_t before = umask(umasks[_i]);
    enum mt_status status = mt_store_open_root(at("a/b"), true, &fd);
    mode_t after = umask(before);
    ck_assert_int_eq(status, MT_OK);
    assert_closes(&fd);
    ck_assert_int_eq(mode_of(at("a")), 0700);
    ck_assert_int_eq(mode_of(at("a/b")), 0700);
    ck_assert_int_eq(after, umasks[_i]);
}
END_TEST

START_TEST(test_restrict)
{
    static const mode_t modes_before[] = {0700, 0755, 0777, 0500, 02755};
    int dir = -1;
    make_dirs(at("dir"));
    ck_assert_int_eq(mt_store_open_dir(root, "dir", false, &dir), MT_OK);
    for (size_t i = 0; i < COUNT_OF(modes_before); i++) {
        ck_assert_int_eq(chmod(at("dir"), modes_before[i]), 0);
        ck_assert_int_eq(mt_store_restrict(dir), MT_OK);
        ck_assert_int_eq(mode_of(at("dir")), 0700);
    }
    mt_store_close(dir);
}
END_TEST

START_TEST(test_write_replaces_in_one_step)
{
    write_text(at("file"), "old", 0644);
    ino_t old = inode_of(at("file"));
    int reader = open(at("file"), O_RDONLY | O_CLOEXEC);
    char bytes[8] = "";
    ck_assert_int_eq(write_file("file", "new"), MT_OK);
    assert_text(at("file"), "new");
    ck_assert_int_eq(mode_of(at("file")), 0600);
    ck_assert_uint_ne(inode_of(at("file")), old);
    /* Who had the old one open reads it to its end. */
    ck_assert_int_eq(read(reader, bytes, sizeof bytes), 3);
    ck_assert_str_eq(bytes, "old");
    ck_assert_int_eq(close(reader), 0);
}
END_TEST

/* What inotify saw in a directory: the names, one after the other. */
static void read_names(int watch, char *out, size_t size)
{
    char events[4096] __attribute__((aligned(8)));
    ssize_t n = read(watch, events, sizeof events);
    *out = '\0';
    for (char *next = events; n > 0 && next < events + n;) {
        const struct inotify_event *event = (const struct inotify_event *)next;
        (void)snprintf(out + strlen(out), size - strlen(out), "%s ", event->name);
        next += sizeof *event + event->len;
    }
}

/* OOD reads every file in db/: nothing half-written, and no other name, is ever there. */
START_TEST(test_write_begins_in_scratch)
{
    int dir = -1;
    char names[256];
    make_dirs(at("db"));
    ck_assert_int_eq(mt_store_open_dir(root, "db", false, &dir), MT_OK);
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(watch, at("db"), IN_ALL_EVENTS & ~(unsigned)IN_ATTRIB), 0);
    ck_assert_int_eq(mt_store_write(dir, "file", root, "x", 1), MT_OK);
    read_names(watch, names, sizeof names);
    ck_assert_str_eq(names, "file ");
    ck_assert_int_eq(close(watch), 0);
    assert_text(at("db/file"), "x");
    assert_no_scratch(root);
    mt_store_close(dir);
}
END_TEST

START_TEST(test_leftovers_are_told)
{
    ck_assert(mt_store_is_scratch(".multitenant.new.1.2.3"));
    ck_assert(!mt_store_is_scratch(".multitenant"));
    ck_assert(!mt_store_is_scratch("connection.yml"));
    ck_assert(!mt_store_is_scratch(SESSION));
    ck_assert(!mt_store_is_scratch(""));
}
END_TEST

START_TEST(test_write_beside_a_leftover)
{
    write_text(at(".multitenant.new.1.2.3"), "what a crash left behind", 0400);
    ck_assert_int_eq(write_file("file", "x"), MT_OK);
    assert_text(at("file"), "x");
    assert_text(at(".multitenant.new.1.2.3"), "what a crash left behind");
}
END_TEST

/* Two dashboards of one user: each writing succeeds, and the file is always one text or the other.
 */
START_TEST(test_write_from_two_processes)
{
    static const char *const texts[] = {"aaaaaaaaaaaaaaaa", "bbbb"};
    enum { TIMES = 300 };
    int ended = 0;
    pid_t other = fork();
    ck_assert_int_ge(other, 0);
    for (int i = 0; i < TIMES; i++) {
        enum mt_status status = write_file("file", texts[other == 0]);
        if (other == 0 && status != MT_OK)
            _exit(1);
        ck_assert_int_eq(status, MT_OK);
        char *text = other == 0 ? NULL : read_text(at("file"));
        ck_assert(other == 0 || strcmp(text, texts[0]) == 0 || strcmp(text, texts[1]) == 0);
        free(text);
    }
    if (other == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(other, &ended, 0), other);
    ck_assert_int_eq(ended, 0);
    assert_no_scratch(root);
}
END_TEST

START_TEST(test_write_over_a_link)
{
    write_text(at("elsewhere"), "mine", 0644);
    ck_assert_int_eq(symlink(at("elsewhere"), at("file")), 0);
    ck_assert_int_eq(write_file("file", "x"), MT_OK);
    assert_text(at("elsewhere"), "mine");
    assert_text(at("file"), "x");
    ck_assert(inode_of(at("file")) != inode_of(at("elsewhere")));
}
END_TEST

START_TEST(test_write_over_a_directory)
{
    make_dirs(at("file"));
    ck_assert_int_eq(write_file("file", "x"), MT_IO);
    ck_assert_int_eq(errno, EISDIR);
    assert_no_scratch(root);
}
END_TEST

START_TEST(test_write_where_nothing_can_be_written)
{
    ck_assert_int_eq(chmod(top, 0500), 0);
    if (geteuid() == 0)
        return;
    enum mt_status status = write_file("file", "x");
    int error = errno;
    ck_assert_int_eq(chmod(top, 0700), 0);
    ck_assert_int_eq(status, MT_IO);
    ck_assert_int_eq(error, EACCES);
}
END_TEST

/* A full disk: the old file stays, and nothing is left of the new one. */
START_TEST(test_write_cut_short)
{
    struct rlimit before;
    struct rlimit little;
    write_text(at("file"), "old", 0600);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    little.rlim_cur = 4;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    enum mt_status status = write_file("file", "new and longer");
    int error = errno;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    ck_assert_int_eq(status, MT_IO);
    ck_assert_int_eq(error, EFBIG);
    assert_text(at("file"), "old");
    assert_no_scratch(root);
}
END_TEST

/* Removing. */

START_TEST(test_remove)
{
    write_text(at("file"), "x", 0600);
    ck_assert_int_eq(mt_store_remove(root, "file"), MT_OK);
    ck_assert(!exists(at("file")));
    ck_assert_int_eq(mt_store_remove(root, "file"), MT_OK);
}
END_TEST

START_TEST(test_remove_a_link)
{
    write_text(at("elsewhere"), "mine", 0600);
    ck_assert_int_eq(symlink(at("elsewhere"), at("link")), 0);
    ck_assert_int_eq(mt_store_remove(root, "link"), MT_OK);
    ck_assert(!exists(at("link")));
    assert_text(at("elsewhere"), "mine");
}
END_TEST

START_TEST(test_remove_a_directory)
{
    make_dirs(at("dir"));
    ck_assert_int_eq(mt_store_remove(root, "dir"), MT_IO);
    ck_assert(exists(at("dir")));
}
END_TEST

START_TEST(test_remove_dir)
{
    make_dirs(at("dir"));
    ck_assert_int_eq(mt_store_remove_dir(root, "dir"), MT_OK);
    ck_assert(!exists(at("dir")));
    ck_assert_int_eq(mt_store_remove_dir(root, "dir"), MT_OK);
}
END_TEST

START_TEST(test_remove_a_full_directory)
{
    make_dirs(at("dir"));
    write_text(at("dir/file"), "mine", 0600);
    ck_assert_int_eq(mt_store_remove_dir(root, "dir"), MT_OK);
    assert_text(at("dir/file"), "mine");
}
END_TEST

START_TEST(test_remove_dir_of_a_file)
{
    write_text(at("file"), "mine", 0600);
    ck_assert_int_eq(mt_store_remove_dir(root, "file"), MT_IO);
    assert_text(at("file"), "mine");
}
END_TEST

START_TEST(test_remove_what_can_not_be_removed)
{
    make_dirs(at("locked/dir"));
    write_text(at("locked/file"), "x", 0600);
    ck_assert_int_eq(chmod(at("locked"), 0500), 0);
    int dir = -1;
    ck_assert_int_eq(mt_store_open_dir(root, "locked", false, &dir), MT_OK);
    if (geteuid() != 0) {
        ck_assert_int_eq(mt_store_remove(dir, "file"), MT_IO);
        ck_assert_int_eq(mt_store_remove_dir(dir, "dir"), MT_IO);
    }
    ck_assert_int_eq(chmod(at("locked"), 0700), 0);
    mt_store_close(dir);
}
END_TEST

/* Listing. */

START_TEST(test_list)
{
    struct mt_names names;
    make_dirs(at("dir"));
    write_text(at("file"), "", 0600);
    write_text(at(".hidden"), "", 0600);
    ck_assert_int_eq(symlink("nowhere", at("link")), 0);
    /* Twice: a listing leaves nothing behind in the descriptor. */
    for (int times = 0; times < 2; times++) {
        int seen = 0;
        ck_assert_int_eq(mt_store_list(root, &names), MT_OK);
        ck_assert_uint_eq(names.count, 4);
        for (size_t i = 0; i < names.count; i++)
            seen += exists(at(names.items[i])) && strcmp(names.items[i], ".") != 0 &&
                    strcmp(names.items[i], "..") != 0;
        ck_assert_int_eq(seen, 4);
        mt_names_free(&names);
    }
}
END_TEST

START_TEST(test_list_of_nothing)
{
    struct mt_names names;
    ck_assert_int_eq(mt_store_list(root, &names), MT_OK);
    ck_assert_uint_eq(names.count, 0);
    mt_names_free(&names);
    mt_names_free(&names);
}
END_TEST

START_TEST(test_list_of_what_can_not_be_read)
{
    struct mt_names names;
    int dir = -1;
    make_dirs(at("dir"));
    ck_assert_int_eq(mt_store_open_dir(root, "dir", false, &dir), MT_OK);
    ck_assert_int_eq(chmod(at("dir"), 0), 0);
    if (geteuid() != 0)
        ck_assert_int_eq(mt_store_list(dir, &names), MT_IO);
    ck_assert_int_eq(chmod(at("dir"), 0700), 0);
    mt_store_close(dir);
}
END_TEST

START_TEST(test_close_of_nothing)
{
    errno = ENOENT;
    mt_store_close(-1);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* The lock. */

#define LOCK ".multitenant.lock"
/* How long it is waited for, and how late that may be noticed on a busy machine. */
#define WAIT_MS 330
#define SLACK_MS 3000

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

START_TEST(test_no_time_is_set_through_a_link)
{
    struct stat before;
    struct stat after;
    write_text(at("far"), "x", 0600);
    ck_assert_int_eq(symlink("far", at("link")), 0);
    ck_assert_int_eq(stat(at("far"), &before), 0);
    mt_store_set_time(root, "link", 1000);
    ck_assert_int_eq(stat(at("far"), &after), 0);
    ck_assert_int_eq(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
    ck_assert_int_eq(lstat(at("link"), &after), 0);
    ck_assert_int_eq(after.st_mtim.tv_sec, 1000);
}
END_TEST

START_TEST(test_lock)
{
    int lock = -1;
    for (int times = 0; times < 3; times++) {
        ck_assert_int_eq(mt_store_lock(root, &lock), MT_OK);
        ck_assert_int_eq(mode_of(at(LOCK)), 0600);
        mt_store_unlock(root, lock);
        ck_assert(!exists(at(LOCK)));
    }
}
END_TEST

START_TEST(test_lock_is_for_one)
{
    int lock = -1;
    int other = 42;
    ck_assert_int_eq(mt_store_lock(root, &lock), MT_OK);
    int64_t begin = now_ms();
    ck_assert_int_eq(mt_store_lock(root, &other), MT_BUSY);
    ck_assert_int_lt(now_ms() - begin, WAIT_MS + SLACK_MS);
    ck_assert_int_eq(other, -1);
    /* Who did not get it takes it from nobody. */
    mt_store_unlock(root, other);
    ck_assert(exists(at(LOCK)));
    mt_store_unlock(root, lock);
    ck_assert_int_eq(mt_store_lock(root, &other), MT_OK);
    mt_store_unlock(root, other);
}
END_TEST

START_TEST(test_lock_that_a_crash_left_behind)
{
    int lock = -1;
    int ended = 0;
    pid_t other = fork();
    ck_assert_int_ge(other, 0);
    if (other == 0)
        _exit(mt_store_lock(root, &lock) == MT_OK ? 0 : 1);
    ck_assert_int_eq(waitpid(other, &ended, 0), other);
    ck_assert_int_eq(ended, 0);
    ck_assert(exists(at(LOCK)));
    ck_assert_int_eq(mt_store_lock(root, &lock), MT_OK);
    mt_store_unlock(root, lock);
    ck_assert(!exists(at(LOCK)));
}
END_TEST

/* Reads a number, adds one, writes it: without the lock two processes lose some. */
static bool count_up(void)
{
    int lock = -1;
    enum mt_status status;
    while ((status = mt_store_lock(root, &lock)) == MT_BUSY)
        continue;
    char *text = read_text(at("count"));
    long count = text ? strtol(text, NULL, 10) : -1;
    write_text(at("count"), format("%ld", count + 1), 0600);
    free(text);
    mt_store_unlock(root, lock);
    return status == MT_OK;
}

START_TEST(test_lock_keeps_two_processes_apart)
{
    enum { TIMES = 200 };
    int ended = 0;
    bool ok = true;
    write_text(at("count"), "0", 0600);
    pid_t other = fork();
    ck_assert_int_ge(other, 0);
    for (int i = 0; i < TIMES; i++)
        ok = count_up() && ok;
    if (other == 0)
        _exit(ok ? 0 : 1);
    ck_assert_int_eq(waitpid(other, &ended, 0), other);
    ck_assert(ok);
    ck_assert_int_eq(ended, 0);
    assert_text(at("count"), format("%d", 2 * TIMES));
}
END_TEST

START_TEST(test_lock_is_a_link)
{
    int lock = 42;
    ck_assert_int_eq(symlink(at("elsewhere"), at(LOCK)), 0);
    ck_assert_int_eq(mt_store_lock(root, &lock), MT_UNSAFE);
    ck_assert_int_eq(lock, -1);
    ck_assert(!exists(at("elsewhere")));
}
END_TEST

START_TEST(test_lock_is_a_fifo)
{
    int lock = 42;
    ck_assert_int_eq(mkfifo(at(LOCK), 0600), 0);
    ck_assert_int_eq(mt_store_lock(root, &lock), MT_UNSAFE);
    ck_assert_int_eq(lock, -1);
}
END_TEST

START_TEST(test_lock_is_a_directory)
{
    int lock = 42;
    make_dirs(at(LOCK));
    ck_assert_int_ne(mt_store_lock(root, &lock), MT_OK);
    ck_assert_int_eq(lock, -1);
}
END_TEST

START_TEST(test_lock_of_another_user)
{
    int lock = 42;
    write_text(at(LOCK), "", 0600);
    if (!give_away(at(LOCK)))
        return;
    ck_assert_int_eq(mt_store_lock(root, &lock), MT_UNSAFE);
    ck_assert_int_eq(lock, -1);
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
    Suite *suite = suite_create("store");
    TCase *tests = add_fixed_case(suite, "root");
    tcase_add_test(tests, test_root_missing);
    tcase_add_test(tests, test_root_is_made);
    tcase_add_test(tests, test_root_through_links);
    tcase_add_test(tests, test_root_is_a_link_to_nothing);
    tcase_add_test(tests, test_root_is_a_file);
    tcase_add_test(tests, test_root_of_another_user);
    tcase_add_test(tests, test_root_path_is_too_long);
    tcase_add_test(tests, test_root_below_what_can_not_be_written);
    tests = add_fixed_case(suite, "dir");
    tcase_add_test(tests, test_dir_missing);
    tcase_add_test(tests, test_dir_is_made);
    tcase_add_test(tests, test_dir_keeps_the_mode_that_it_has);
    tcase_add_loop_test(tests, test_dir_through_a_link, 0, (int)COUNT_OF(linked));
    tcase_add_test(tests, test_dir_is_a_link_to_nothing);
    tcase_add_test(tests, test_dir_is_a_file);
    tcase_add_test(tests, test_dir_is_a_fifo);
    tcase_add_test(tests, test_dir_of_another_user);
    tcase_add_loop_test(tests, test_dir_of_a_path_that_climbs, 0, (int)COUNT_OF(climbing));
    tcase_add_test(tests, test_dir_of_a_long_name);
    tcase_add_loop_test(tests, test_dir_under_umask, 0, (int)COUNT_OF(umasks));
    tcase_add_loop_test(tests, test_root_under_umask, 0, (int)COUNT_OF(umasks));
    tcase_add_test(tests, test_restrict);
    tests = add_fixed_case(suite, "read");
    tcase_add_test(tests, test_read);
    tcase_add_test(tests, test_read_missing);
    tcase_add_test(tests, test_read_empty);
    tcase_add_loop_test(tests, test_read_tells_the_mode, 0, (int)COUNT_OF(modes));
    tcase_add_test(tests, test_read_a_link);
    tcase_add_test(tests, test_read_a_link_to_nothing);
    tcase_add_test(tests, test_read_a_fifo);
    tcase_add_test(tests, test_read_a_directory);
    tcase_add_test(tests, test_read_a_file_of_another_user);
    tcase_add_test(tests, test_read_what_can_not_be_read);
    tcase_add_test(tests, test_read_the_largest_file);
    tcase_add_test(tests, test_read_a_file_over_the_limit);
    tests = add_fixed_case(suite, "write");
    tcase_add_test(tests, test_write);
    tcase_add_test(tests, test_write_nothing);
    tcase_add_loop_test(tests, test_write_under_umask, 0, (int)COUNT_OF(umasks));
    tcase_add_test(tests, test_write_replaces_in_one_step);
    tcase_add_test(tests, test_write_begins_in_scratch);
    tcase_add_test(tests, test_leftovers_are_told);
    tcase_add_test(tests, test_no_time_is_set_through_a_link);
    tcase_add_test(tests, test_write_beside_a_leftover);
    tcase_add_test(tests, test_write_from_two_processes);
    tcase_add_test(tests, test_write_over_a_link);
    tcase_add_test(tests, test_write_over_a_directory);
    tcase_add_test(tests, test_write_where_nothing_can_be_written);
    tcase_add_test(tests, test_write_cut_short);
    tests = add_fixed_case(suite, "remove");
    tcase_add_test(tests, test_remove);
    tcase_add_test(tests, test_remove_a_link);
    tcase_add_test(tests, test_remove_a_directory);
    tcase_add_test(tests, test_remove_dir);
    tcase_add_test(tests, test_remove_a_full_directory);
    tcase_add_test(tests, test_remove_dir_of_a_file);
    tcase_add_test(tests, test_remove_what_can_not_be_removed);
    tests = add_fixed_case(suite, "list");
    tcase_add_test(tests, test_list);
    tcase_add_test(tests, test_list_of_nothing);
    tcase_add_test(tests, test_list_of_what_can_not_be_read);
    tcase_add_test(tests, test_close_of_nothing);
    tests = add_fixed_case(suite, "lock");
    tcase_add_test(tests, test_lock);
    tcase_add_test(tests, test_lock_is_for_one);
    tcase_add_test(tests, test_lock_that_a_crash_left_behind);
    tcase_add_test(tests, test_lock_keeps_two_processes_apart);
    tcase_add_test(tests, test_lock_is_a_link);
    tcase_add_test(tests, test_lock_is_a_fifo);
    tcase_add_test(tests, test_lock_is_a_directory);
    tcase_add_test(tests, test_lock_of_another_user);
    return run_suite(suite);
}
