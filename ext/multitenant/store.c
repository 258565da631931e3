/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIR_MODE 0700
#define FILE_MODE 0600
#define LOCK ".multitenant.lock"
#define LOCK_TRIES 11 /* 0.1 s in all: a page waits for it */
#define LOCK_WAIT_NS 10000000
#define SCRATCH ".multitenant.new"
#define SCRATCH_SIZE (sizeof SCRATCH + 3 * 17)
#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* The status of a failed call on a path: what a link or another kind of file gives is unsafe. */
static enum mt_status path_error(void)
{
    return errno == ELOOP || errno == ENOTDIR ? MT_UNSAFE : MT_IO;
}

static enum mt_status check_owner(int fd, mode_t kind, struct stat *st)
{
    if (fstat(fd, st) != 0)
        return MT_IO;
    return (st->st_mode & S_IFMT) == kind && st->st_uid == geteuid() ? MT_OK : MT_UNSAFE;
}

void mt_store_close(int dir)
{
    int saved = errno;
    if (dir >= 0)
        (void)close(dir);
    errno = saved;
}

static enum mt_status take_dir(int fd, int *out)
{
    struct stat st;
    enum mt_status status = check_owner(fd, S_IFDIR, &st);
    if (status == MT_OK)
        *out = fd;
    else
        mt_store_close(fd);
    return status;
}

/* Makes the directories of an absolute path; links on the way are the user's own affair. */
static enum mt_status make_root(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part) {
        errno = ENAMETOOLONG;
        return MT_IO;
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        part[i] = '\0';
        int rc = mkdir(part, DIR_MODE);
        if (rc == 0)
            rc = chmod(part, DIR_MODE);
        if (rc != 0 && errno != EEXIST)
            return MT_IO;
        part[i] = path[i];
    }
    return MT_OK;
}

enum mt_status mt_store_open_root(const char *path, bool create, int *out)
{
    *out = -1;
    int fd = open(path, OPEN_DIR);
    if (fd < 0 && errno == ENOENT) {
        enum mt_status status = create ? make_root(path) : MT_OK;
        if (status != MT_OK || !create)
            return status;
        fd = open(path, OPEN_DIR);
    }
    return fd < 0 ? path_error() : take_dir(fd, out);
}

/* One step: the directory `name` in `dir`. */
static enum mt_status step(int dir, const char *name, bool create, int *out)
{
    *out = -1;
    int fd = openat(dir, name, OPEN_DIR | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        if (!create)
            return MT_OK;
        int rc = mkdirat(dir, name, DIR_MODE);
        /* The mode went through the umask. */
        if (rc == 0)
            rc = fchmodat(dir, name, DIR_MODE, 0);
        if (rc != 0 && errno != EEXIST)
            return MT_IO;
        fd = openat(dir, name, OPEN_DIR | O_NOFOLLOW);
    }
    return fd < 0 ? path_error() : take_dir(fd, out);
}

enum mt_status mt_store_open_dir(int root, const char *path, bool create, int *out)
{
    enum mt_status status = MT_OK;
    int at = -1;
    *out = -1;
    do {
        char name[NAME_MAX + 1];
        size_t len = strcspn(path, "/");
        if (len == 0 || len > NAME_MAX)
            status = MT_UNSAFE;
        memcpy(name, path, status == MT_OK ? len : 0);
        name[status == MT_OK ? len : 0] = '\0';
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            status = MT_UNSAFE;
        int next = -1;
        if (status == MT_OK)
            status = step(at < 0 ? root : at, name, create, &next);
        mt_store_close(at);
        at = next;
        path += len + (path[len] == '/');
    } while (*path && at >= 0);
    *out = at;
    return status;
}

enum mt_status mt_store_read(int dir, const char *name, struct mt_file *out)
{
    struct stat st = {0};
    out->found = false;
    /* O_NONBLOCK: opening a FIFO that someone put here must not wait. */
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? MT_OK : path_error();
    enum mt_status status = check_owner(fd, S_IFREG, &st);
    if (status == MT_OK)
        status = mt_buf_read(&out->bytes, fd);
    mt_store_close(fd);
    out->found = status == MT_OK;
    out->is_private = (st.st_mode & 07777) == FILE_MODE;
    out->time = st.st_mtime;
    return status;
}

void mt_store_set_time(int dir, const char *name, int64_t time)
{
    const struct timespec times[] = {{.tv_sec = time}, {.tv_sec = time}};
    (void)utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
}

bool mt_store_is_scratch(const char *name)
{
    return strncmp(name, SCRATCH, sizeof SCRATCH - 1) == 0;
}

/* Opens a new file whose name no other process has, on this host or another. */
static int open_scratch(int dir, char name[SCRATCH_SIZE])
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(name, SCRATCH_SIZE, SCRATCH ".%lx.%lx.%lx", (unsigned long)getpid(),
                   (unsigned long)now.tv_sec, (unsigned long)now.tv_nsec);
    return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
}

enum mt_status mt_store_write(int dir, const char *name, int scratch, const char *text, size_t len)
{
    char temporary[SCRATCH_SIZE];
    int fd = open_scratch(scratch, temporary);
    if (fd < 0)
        return MT_IO;
    enum mt_status status = mt_write_all(fd, text, len);
    /* The mode that open gave went through the umask. */
    if (status == MT_OK && fchmod(fd, FILE_MODE) != 0)
        status = MT_IO;
    int saved = errno;
    if (close(fd) != 0 && status == MT_OK) {
        saved = errno;
        status = MT_IO;
    }
    if (status == MT_OK && renameat(scratch, temporary, dir, name) != 0) {
        saved = errno;
        status = MT_IO;
    }
    if (status != MT_OK)
        (void)unlinkat(scratch, temporary, 0);
    errno = saved;
    return status;
}

enum mt_status mt_store_remove(int dir, const char *name)
{
    return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? MT_OK : MT_IO;
}

/* Whether the open file is still the one of that name: its last owner may have removed it. */
static bool is_current(int dir, int fd)
{
    struct stat open_file;
    struct stat named;
    return fstat(fd, &open_file) == 0 && fstatat(dir, LOCK, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

/*
 * MT_BUSY: another has it. Any other failure to lock means that there are no locks here; where
 * there is no room for one, files can still be removed.
 */
static enum mt_status try_lock(int dir, int *out)
{
    struct stat st;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = openat(dir, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? MT_OK : path_error();
    enum mt_status status = check_owner(fd, S_IFREG, &st);
    if (status == MT_OK && fcntl(fd, F_OFD_SETLK, &whole) != 0 &&
        (errno == EAGAIN || errno == EACCES))
        status = MT_BUSY;
    if (status == MT_OK && !is_current(dir, fd))
        status = MT_BUSY;
    if (status == MT_OK)
        *out = fd;
    else
        mt_store_close(fd);
    return status;
}

enum mt_status mt_store_lock(int dir, int *out)
{
    enum mt_status status = MT_BUSY;
    *out = -1;
    for (int i = 0; i < LOCK_TRIES && status == MT_BUSY; i++) {
        const struct timespec wait = {.tv_nsec = i ? LOCK_WAIT_NS : 0};
        (void)nanosleep(&wait, NULL);
        status = try_lock(dir, out);
    }
    return status;
}

void mt_store_unlock(int dir, int lock)
{
    if (lock >= 0)
        (void)unlinkat(dir, LOCK, 0);
    mt_store_close(lock);
}

enum mt_status mt_store_restrict(int dir)
{
    struct stat st;
    if (fstat(dir, &st) != 0)
        return MT_IO;
    if ((st.st_mode & 07777) == DIR_MODE)
        return MT_OK;
    return fchmod(dir, DIR_MODE) == 0 ? MT_OK : MT_IO;
}

enum mt_status mt_store_remove_dir(int dir, const char *name)
{
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
        return MT_OK;
    return errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST ? MT_OK : MT_IO;
}

enum mt_status mt_names_add(struct mt_names *names, const char *name)
{
    char **items = realloc(names->items, (names->count + 1) * sizeof *items);
    if (!items)
        return MT_NOMEM;
    names->items = items;
    items[names->count] = strdup(name);
    return items[names->count] && ++names->count ? MT_OK : MT_NOMEM;
}

enum mt_status mt_store_list(int dir, struct mt_names *out)
{
    enum mt_status status = MT_OK;
    memset(out, 0, sizeof *out);
    /* A descriptor of its own: fdopendir takes it over, and its position is not shared. */
    int fd = openat(dir, ".", OPEN_DIR);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        mt_store_close(fd);
        return MT_IO;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if ((status = mt_names_add(out, entry->d_name)) != MT_OK)
            break;
    }
    if (status == MT_OK && errno != 0)
        status = MT_IO;
    int saved = errno;
    (void)closedir(stream);
    errno = saved;
    if (status != MT_OK)
        mt_names_free(out);
    return status;
}

void mt_names_free(struct mt_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    memset(names, 0, sizeof *names);
}
