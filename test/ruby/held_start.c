/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a process that starts a program from a file system that hangs: makes the directory
 * HELD, and goes on once that is gone. Where it stays, no program is started.
 */
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    const struct timespec wait = {.tv_nsec = 10000000};
    const char *held = getenv("HELD");
    int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                const posix_spawnattr_t *, char *const[], char *const[]);
    if (mkdir(held, 0700) != 0)
        return errno;
    for (int i = 0; access(held, F_OK) == 0; i++) {
        if (i == 2000)
            return ETIMEDOUT;
        (void)nanosleep(&wait, NULL);
    }
    *(void **)&real = dlsym(RTLD_NEXT, "posix_spawn");
    return real(pid, path, files, attributes, argv, envp);
}
