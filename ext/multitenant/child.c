/* SPDX-License-Identifier: MIT */
#include "child.h"

#include "mt_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often a child that has closed its output but not ended is asked for. */
#define REAP_MS 2

static int64_t now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/*
 * The child's descriptors: 0 to 2 are the pipes and /dev/null. dup2 in the child clears
 * close-on-exec of these alone; whatever else is open without it would leak, so it is closed.
 */
static int add_files(posix_spawn_file_actions_t *files, int out, int err)
{
    int rc = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(files, out, 1);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(files, err, 2);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(files, 3);
#endif
    return rc;
}

static int add_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all;
    sigset_t none;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    int rc = posix_spawnattr_setsigdefault(attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setpgroup(attributes, 0);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETPGROUP);
    return rc;
}

/* 0 or an errno. */
static int spawn(char *const argv[], char *const envp[], int out, int err, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = add_files(&files, out, err);
        if (rc == 0)
            rc = add_attributes(&attributes);
        if (rc == 0)
            rc = posix_spawn(pid, argv[0], &files, &attributes, argv, envp);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Reads what is there; closes *fd at its end. `keep` false: what is over the limit is dropped. */
static enum mt_status drain(int *fd, struct mt_buf *into, bool bounded)
{
    char block[65536];
    ssize_t n = read(*fd, block, sizeof block);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? MT_OK : MT_IO;
    if (n == 0) {
        close_fd(fd);
        return MT_OK;
    }
    size_t room = into->limit - into->len;
    size_t len = bounded || (size_t)n < room ? (size_t)n : room;
    return mt_buf_append(into, block, len);
}

/* Milliseconds to the deadline, rounded up; 0: it has passed. */
static int left_ms(int64_t deadline)
{
    int64_t left = deadline - now_ns();
    if (left <= 0)
        return 0;
    left = left / 1000000 + 1;
    return left > 60000 ? 60000 : (int)left;
}

/* Until both pipes are closed. */
static enum mt_status collect(int *out, int *err, int64_t deadline, int cancel_fd,
                              struct mt_outcome *outcome)
{
    enum mt_status status = MT_OK;
    while (status == MT_OK && (*out >= 0 || *err >= 0)) {
        struct pollfd fds[3] = {
            {.fd = *out, .events = POLLIN},
            {.fd = *err, .events = POLLIN},
            {.fd = cancel_fd, .events = POLLIN},
        };
        int left = left_ms(deadline);
        if (left == 0)
            return MT_TIMEOUT;
        if (poll(fds, 3, left) < 0) {
            status = errno == EINTR ? MT_OK : MT_IO;
            continue;
        }
        if (fds[2].revents)
            return MT_CANCELLED;
        if (fds[0].revents)
            status = drain(out, &outcome->out, true);
        if (fds[1].revents && status == MT_OK)
            status = drain(err, &outcome->err, false);
    }
    return status;
}

/* Waits for the end of a child that has closed its output. */
static enum mt_status reap(pid_t pid, int64_t deadline, int cancel_fd, int *wait_status,
                           bool *reaped)
{
    for (;;) {
        pid_t got = waitpid(pid, wait_status, WNOHANG);
        *reaped = got == pid || (got < 0 && errno == ECHILD);
        if (got == pid)
            return MT_OK;
        if (got < 0 && errno != EINTR)
            return MT_IO;
        struct pollfd cancel = {.fd = cancel_fd, .events = POLLIN};
        if (left_ms(deadline) == 0)
            return MT_TIMEOUT;
        if (poll(&cancel, 1, REAP_MS) > 0)
            return MT_CANCELLED;
    }
}

static void kill_and_reap(pid_t pid)
{
    int ignored;
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, &ignored, 0) < 0 && errno == EINTR)
        continue;
}

enum mt_status mt_child_run(char *const argv[], char *const envp[], int64_t deadline_ms,
                            int cancel_fd, struct mt_outcome *out)
{
    enum mt_status status = MT_IO;
    int out_pipe[2] = {-1, -1};
    int err_pipe[2] = {-1, -1};
    int64_t start = now_ns();
    int64_t deadline = start + deadline_ms * 1000000;
    bool reaped = true;
    pid_t pid = -1;

    out->err = MT_BUF_INIT(MT_CHILD_ERR_MAX);
    if (pipe2(out_pipe, O_CLOEXEC) != 0 || pipe2(err_pipe, O_CLOEXEC) != 0)
        goto out;
    if ((errno = spawn(argv, envp, out_pipe[1], err_pipe[1], &pid)) != 0) {
        status = MT_SPAWN;
        goto out;
    }
    reaped = false;
    close_fd(&out_pipe[1]);
    close_fd(&err_pipe[1]);
    status = collect(&out_pipe[0], &err_pipe[0], deadline, cancel_fd, out);
    if (status == MT_OK)
        status = reap(pid, deadline, cancel_fd, &out->wait_status, &reaped);
out:
    out->error = errno;
    if (!reaped)
        kill_and_reap(pid);
    close_fd(&out_pipe[0]);
    close_fd(&out_pipe[1]);
    close_fd(&err_pipe[0]);
    close_fd(&err_pipe[1]);
    out->nanoseconds = now_ns() - start;
    return status;
}
