/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a process whose home is an NFS that another host writes in: of a file whose path
 * NFS_FILES matches it goes on saying what it said first, also that there is none, until the
 * directory that the file is in is opened by its path.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 64

static struct known {
    char path[512];
    int error;
    struct stat st;
} all[FILES];

static int look(int dir, const char *name, struct stat *out, int flags)
{
    static int (*real)(int, const char *, struct stat *, int);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fstatat");
    return real(dir, name, out, flags);
}

/* What is known of a file; NULL: it is none of those. */
static const struct known *known(int dir, const char *name)
{
    const char *files = getenv("NFS_FILES");
    struct known *one = NULL;
    char path[sizeof all[0].path] = "";
    char link[32];
    ssize_t len = 0;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    if (*name != '/' && (len = readlink(link, path, sizeof path - 2)) < 0)
        return NULL;
    if (*name != '/')
        path[len++] = '/';
    (void)snprintf(path + len, sizeof path - (size_t)len, "%s", name);
    if (!files || fnmatch(files, path, FNM_EXTMATCH) != 0)
        return NULL;
    for (size_t i = 0; i < FILES; i++) {
        if (strcmp(all[i].path, path) == 0)
            return &all[i];
        if (!one && !*all[i].path)
            one = &all[i];
    }
    if (one) {
        one->error = look(dir, name, &one->st, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
        memcpy(one->path, path, sizeof path);
    }
    return one;
}

static void ask_anew(const char *directory)
{
    size_t len = strlen(directory);
    for (size_t i = 0; i < FILES; i++) {
        const char *name = strrchr(all[i].path, '/');
        if (name == all[i].path + len && strncmp(all[i].path, directory, len) == 0)
            all[i].path[0] = '\0';
    }
}

static int say(int dir, const char *name, struct stat *out, int flags)
{
    const struct known *one = known(dir, name);
    if (!one)
        return look(dir, name, out, flags);
    *out = one->st;
    errno = one->error;
    return one->error ? -1 : 0;
}

static int open_it(const char *path, int flags, mode_t mode)
{
    static int (*real)(const char *, int, ...);
    const struct known *one = flags & O_CREAT ? NULL : known(AT_FDCWD, path);
    struct stat st;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "open");
    if (one && one->error) {
        errno = one->error;
        return -1;
    }
    int fd = real(path, flags, mode);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        ask_anew(path);
    return fd;
}

/* Of open, what a file that is made would have as its mode comes as int does. */
#define INSTEAD(name, parameters, call)              \
    int instead_of_##name parameters __asm__(#name); \
    int instead_of_##name parameters                 \
    {                                                \
        return call;                                 \
    }

/* Where off_t has 64 bits anyway, a program calls either. */
INSTEAD(stat, (const char *path, struct stat *out), say(AT_FDCWD, path, out, 0))
INSTEAD(stat64, (const char *path, struct stat *out), say(AT_FDCWD, path, out, 0))
INSTEAD(fstatat, (int dir, const char *name, struct stat *out, int flags),
        say(dir, name, out, flags))
INSTEAD(fstatat64, (int dir, const char *name, struct stat *out, int flags),
        say(dir, name, out, flags))
INSTEAD(open, (const char *path, int flags, mode_t mode), open_it(path, flags, mode))
INSTEAD(open64, (const char *path, int flags, mode_t mode), open_it(path, flags, mode))

DIR *opendir(const char *path)
{
    static DIR *(*real)(const char *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "opendir");
    ask_anew(path);
    return real(path);
}
