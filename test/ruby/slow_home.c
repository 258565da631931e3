/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a process whose home is slow: while the file SLOW_HOME is there, each call on a
 * file takes 20 ms longer.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void)
{
    const struct timespec wait = {.tv_nsec = 20000000};
    const char *slow = getenv("SLOW_HOME");
    if (slow && access(slow, F_OK) == 0)
        (void)nanosleep(&wait, NULL);
}

/* Of open and openat, what a file that is made would have as its mode comes as int does. */
#define SLOW(name, parameters, arguments)              \
    int name parameters;                               \
    int name parameters                                \
    {                                                  \
        static int(*real) parameters;                  \
        wait_for_disk();                               \
        if (!real)                                     \
            *(void **)&real = dlsym(RTLD_NEXT, #name); \
        return real arguments;                         \
    }

SLOW(open, (const char *path, int flags, mode_t mode), (path, flags, mode))
SLOW(openat, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
SLOW(fstat, (int fd, struct stat *out), (fd, out))
SLOW(fstatat, (int dir, const char *path, struct stat *out, int flags), (dir, path, out, flags))
SLOW(lstat, (const char *path, struct stat *out), (path, out))
SLOW(mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
SLOW(fchmod, (int fd, mode_t mode), (fd, mode))
SLOW(fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags))
SLOW(renameat, (int from, const char *path, int to, const char *name), (from, path, to, name))
SLOW(unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
