/* SPDX-License-Identifier: MIT */
#include "child.h"

#include "clock.h"
#include "mt_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often a child that has closed its output but not ended is asked for. */
#define REAP_MS 2

/* How long one that was killed is waited for. What hangs in a file system dies when that goes on,
 * and is reaped as others start; where HANGING_MAX hang, no other one is. Those that run by then
 * may come to hang, too: one for each cluster of a host, of which none has as many as there are
 * places.
 */
#define KILLED_MS 1000
#define HANGING_MAX 4
static _Atomic pid_t left_over[256]; /* 0: this place is free */
#define LEFT_MAX (sizeof left_over / sizeof *left_over)

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Whether the file holds the text, and is at its beginning. */
static bool fill(int fd, const char *text, size_t len)
{
    return fd >= 0 && mt_write_all(fd, text, len) == MT_OK && lseek(fd, 0, SEEK_SET) == 0;
}

/* The file where all is well with it; else -1, with errno as it is. */
static int file_if(int fd, bool well)
{
    int error = errno;
    if (!well)
        close_fd(&fd);
    errno = error;
    return fd;
}

/* Nobody can change it any more. */
static int file_in_memory(const char *text, size_t len)
{
    const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    int fd = memfd_create("multitenant input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return file_if(fd, fill(fd, text, len) && fcntl(fd, F_ADD_SEALS, seals) == 0);
}

/* This user's alone, and without a name before it holds anything. */
static int file_in_tmp(const char *text, size_t len)
{
    char path[] = "/tmp/multitenant-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    return file_if(fd, fd >= 0 && unlink(path) == 0 && fill(fd, text, len));
}

/*
 * A file at its beginning; -1 with errno. Open OnDemand's SELinux policy lets dashboards make files
 * in /tmp, and write none in memory, which have the type of all tmpfs; as each refusal is a line of
 * the host's audit log, it is asked once. Memory comes first, since users may fill /tmp.
 */
static int input_file(const char *text, size_t len)
{
    static atomic_bool memory_is_refused;
    if (!memory_is_refused) {
        int fd = file_in_memory(text, len);
        if (fd >= 0 || errno != EACCES)
            return fd;
        memory_is_refused = true;
    }
    return file_in_tmp(text, len);
}

/*
 * `fds` become 0 to 2; fds[0] is -1 for /dev/null. dup2 in the child clears close-on-exec of these
 * alone.
 */
static int add_files(posix_spawn_file_actions_t *files, const int fds[3])
{
    int rc = fds[0] < 0 ? posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0)
                        : posix_spawn_file_actions_adddup2(files, fds[0], 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(files, fds[1], 1);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(files, fds[2], 2);
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
static int spawn(char *const argv[], char *const envp[], const int fds[3], pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = add_files(&files, fds);
        if (rc == 0)
            rc = add_attributes(&attributes);
        if (rc == 0)
            rc = posix_spawn(pid, argv[0], &files, &attributes, argv, envp);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Reads what is there; closes *fd at its end. Not `bounded`: what is over the limit is dropped. */
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
    int64_t left = deadline - mt_now();
    if (left <= 0)
        return 0;
    left = left / 1000000 + 1;
    return left > 60000 ? 60000 : (int)left;
}

/* Until both pipes are closed. */
static enum mt_status collect(struct mt_child *child, int wake_fd)
{
    enum mt_status status = MT_OK;
    while (status == MT_OK && (child->out_fd >= 0 || child->err_fd >= 0)) {
        struct pollfd fds[3] = {
            {.fd = child->out_fd, .events = POLLIN},
            {.fd = child->err_fd, .events = POLLIN},
            {.fd = wake_fd, .events = POLLIN},
        };
        int left = left_ms(child->deadline_ns);
        if (left == 0)
            return MT_TIMEOUT;
        if (poll(fds, 3, left) < 0) {
            status = errno == EINTR ? MT_OK : MT_IO;
            continue;
        }
        if (fds[2].revents)
            return MT_CANCELLED;
        if (fds[0].revents)
            status = drain(&child->out_fd, &child->out, true);
        if (fds[1].revents && status == MT_OK)
            status = drain(&child->err_fd, &child->err, false);
    }
    return status;
}

/* Until a child that has closed its output has ended. */
static enum mt_status reap(struct mt_child *child, int wake_fd)
{
    for (;;) {
        pid_t got = waitpid(child->pid, &child->wait_status, WNOHANG);
        bool taken = got < 0 && errno == ECHILD;
        if (taken)
            child->wait_status = 0;
        if (taken || got == child->pid) {
            child->pid = 0;
            return MT_OK;
        }
        struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
        if (left_ms(child->deadline_ns) == 0)
            return MT_TIMEOUT;
        if (poll(&wake, 1, REAP_MS) > 0)
            return MT_CANCELLED;
    }
}

/* Whether that child needs no more care of ours. */
static bool is_reaped(pid_t pid)
{
    int ignored;
    pid_t got = waitpid(pid, &ignored, WNOHANG);
    return got == pid || (got < 0 && errno == ECHILD);
}

/* Whether there is room for one more. */
static bool reap_left_over(void)
{
    size_t hanging = 0;
    for (size_t i = 0; i < LEFT_MAX; i++) {
        pid_t pid = left_over[i];
        if (pid != 0 && is_reaped(pid))
            (void)atomic_compare_exchange_strong(&left_over[i], &pid, 0);
        hanging += left_over[i] != 0;
    }
    return hanging < HANGING_MAX;
}

static void leave(pid_t pid)
{
    for (size_t i = 0; i < LEFT_MAX; i++) {
        pid_t none = 0;
        if (atomic_compare_exchange_strong(&left_over[i], &none, pid))
            return;
    }
}

enum mt_status mt_child_start(struct mt_child *child, char *const argv[], char *const envp[],
                              const struct mt_child_terms *terms)
{
    enum mt_status status = MT_IO;
    int in = -1;
    int out_pipe[2] = {-1, -1};
    int err_pipe[2] = {-1, -1};
    pid_t pid;

    *child = (struct mt_child){
        .out = MT_BUF_INIT(terms->out_limit),
        .err = MT_BUF_INIT(MT_CHILD_ERR_MAX),
        .out_fd = -1,
        .err_fd = -1,
        .start_ns = mt_now(),
    };
    child->deadline_ns = child->start_ns + terms->deadline_ms * 1000000;
    if (!reap_left_over()) {
        child->error = EBUSY;
        return MT_IO;
    }
    if (terms->input_len > 0 && (in = input_file(terms->input, terms->input_len)) < 0)
        goto out;
    if (pipe2(out_pipe, O_CLOEXEC) != 0 || pipe2(err_pipe, O_CLOEXEC) != 0)
        goto out;
    const int fds[3] = {in, out_pipe[1], err_pipe[1]};
    if ((errno = spawn(argv, envp, fds, &pid)) != 0) {
        status = MT_SPAWN;
        goto out;
    }
    child->pid = pid;
    child->out_fd = out_pipe[0];
    child->err_fd = err_pipe[0];
    out_pipe[0] = err_pipe[0] = -1;
    status = MT_OK;
out:
    child->error = errno;
    close_fd(&in);
    close_fd(&out_pipe[0]);
    close_fd(&out_pipe[1]);
    close_fd(&err_pipe[0]);
    close_fd(&err_pipe[1]);
    return status;
}

static void kill_and_reap(struct mt_child *child)
{
    const int64_t until = mt_now() + KILLED_MS * (MT_SECOND / 1000);
    if (child->pid == 0)
        return;
    (void)kill(-child->pid, SIGKILL);
    (void)kill(child->pid, SIGKILL);
    while (!is_reaped(child->pid)) {
        if (mt_now() >= until) {
            leave(child->pid);
            break;
        }
        (void)poll(NULL, 0, REAP_MS);
    }
    child->pid = 0;
    close_fd(&child->out_fd);
    close_fd(&child->err_fd);
}

enum mt_status mt_child_wait(struct mt_child *child, int wake_fd)
{
    enum mt_status status = collect(child, wake_fd);
    if (status == MT_OK)
        status = reap(child, wake_fd);
    child->error = errno;
    if (status != MT_CANCELLED)
        kill_and_reap(child);
    return status;
}

void mt_child_end(struct mt_child *child)
{
    kill_and_reap(child);
    mt_buf_wipe(&child->out);
    mt_buf_wipe(&child->err);
}

int64_t mt_child_age_ns(const struct mt_child *child)
{
    return mt_now() - child->start_ns;
}
