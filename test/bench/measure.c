/* SPDX-License-Identifier: MIT */
/*
 * measure COMMAND...: runs it, and writes on descriptor 3 what that took: ns by the clock, us of
 * CPU of it and of what it ran, and KiB of memory at most. From a small process, as a new program
 * begins with its parent's memory as its most.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t microseconds(struct timeval t)
{
    return t.tv_sec * INT64_C(1000000) + t.tv_usec;
}

int main(int argc, char **argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    struct rusage used;

    if (argc < 2 || posix_spawn_file_actions_init(&actions) ||
        posix_spawn_file_actions_addclose(&actions, 3))
        return 64;
    int64_t start = now();
    if (posix_spawnp(&pid, argv[1], &actions, NULL, argv + 1, environ) ||
        wait4(pid, &status, 0, &used) != pid)
        return 70;
    int64_t taken = now() - start;
    dprintf(3, "%lld %lld %ld\n", (long long)taken,
            (long long)(microseconds(used.ru_utime) + microseconds(used.ru_stime)), used.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 70;
}
