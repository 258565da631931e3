/* SPDX-License-Identifier: MIT */
/* Links: child, buf. */
#include "child.h"

#include "helpers.h"
#include "mt_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUT_MAX 4096
/* Long enough for any machine to do something small, and to do it under valgrind. */
#define PLENTY_MS 20000
/* A deadline that is to pass, and how late its end may be noticed on a busy machine. */
#define DEADLINE_MS 300
#define SLACK_MS 3000

static struct mt_child child;
static size_t fds_before;
static sigset_t mask_before;
static struct sigaction action_before;

/* As SELinux has it where it lets a process write no file in memory. */
static bool memory_is_refused;
static int refusals;

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    char name[64] = "";
    if (!memory_is_refused || readlink(format("/proc/self/fd/%d", fd), name, sizeof name - 1) < 0 ||
        strncmp(name, "/memfd:", strlen("/memfd:")) != 0)
        return __real_write(fd, bytes, len);
    refusals++;
    errno = EACCES;
    return -1;
}

static void setup(void)
{
    memory_is_refused = false;
    child = (struct mt_child){.pid = 0};
    fds_before = count_fds();
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &mask_before), 0);
    ck_assert_int_eq(sigaction(SIGCHLD, NULL, &action_before), 0);
}

/* After every test: no child, no descriptor, and signals as they were. */
static void teardown(void)
{
    sigset_t mask;
    struct sigaction action;
    mt_child_end(&child);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_uint_eq(count_fds(), fds_before);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    ck_assert_int_eq(sigaction(SIGCHLD, NULL, &action), 0);
    for (int signal = 1; signal < SIGRTMAX; signal++)
        ck_assert_int_eq(sigismember(&mask, signal), sigismember(&mask_before, signal));
    ck_assert_ptr_eq(action.sa_handler, action_before.sa_handler);
}

static enum mt_status start_with(const char *const argv[], const struct mt_child_terms *terms)
{
    static char *const envp[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    mt_child_end(&child);
    return mt_child_start(&child, (char *const *)argv, envp, terms);
}

static enum mt_status start_argv(const char *const argv[], int64_t deadline_ms)
{
    struct mt_child_terms terms = {.deadline_ms = deadline_ms, .out_limit = OUT_MAX};
    return start_with(argv, &terms);
}

static void start(const char *command, int64_t deadline_ms)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    ck_assert_int_eq(start_argv(argv, deadline_ms), MT_OK);
}

static enum mt_status run_argv(const char *const argv[])
{
    ck_assert_int_eq(start_argv(argv, PLENTY_MS), MT_OK);
    return mt_child_wait(&child, -1);
}

static enum mt_status run_shell(const char *command, int64_t deadline_ms, int wake_fd)
{
    start(command, deadline_ms);
    return mt_child_wait(&child, wake_fd);
}

static enum mt_status run(const char *command)
{
    return run_shell(command, PLENTY_MS, -1);
}

static const char *text_of(struct mt_buf *buf)
{
    return format("%.*s", (int)buf->len, buf->data ? buf->data : "");
}

#define assert_exit(code)                                       \
    do {                                                        \
        ck_assert(WIFEXITED(child.wait_status));                \
        ck_assert_int_eq(WEXITSTATUS(child.wait_status), code); \
    } while (0)

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Runs a command that has to be stopped at the deadline, not before it and not long after. */
static void assert_late(const char *command)
{
    int64_t begin = now_ms();
    ck_assert_int_eq(run_shell(command, DEADLINE_MS, -1), MT_TIMEOUT);
    int64_t took = now_ms() - begin;
    ck_assert_int_ge(took, DEADLINE_MS - 1);
    ck_assert_int_lt(took, DEADLINE_MS + SLACK_MS);
}

/* Whether a process is gone, or a zombie that somebody else has to reap. */
static bool is_dead(pid_t pid)
{
    for (int tries = 0; tries < 200; tries++) {
        char buffer[512] = "";
        int fd = open(format("/proc/%d/stat", (int)pid), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return true;
        ssize_t n = read(fd, buffer, sizeof buffer - 1);
        ck_assert_int_eq(close(fd), 0);
        if (n <= 0 || strstr(buffer, ") Z "))
            return true;
        (void)usleep(10000);
    }
    return false;
}

/* What a child does. */

START_TEST(test_output_and_end)
{
    ck_assert_int_eq(run("echo out; echo err >&2; echo more"), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "out\nmore\n");
    ck_assert_str_eq(text_of(&child.err), "err\n");
    assert_exit(0);
}
END_TEST

START_TEST(test_silence)
{
    ck_assert_int_eq(run(":"), MT_OK);
    ck_assert_uint_eq(child.out.len, 0);
    ck_assert_uint_eq(child.err.len, 0);
    assert_exit(0);
}
END_TEST

START_TEST(test_exit_code)
{
    ck_assert_int_eq(run("echo out; exit 75"), MT_OK);
    assert_exit(75);
    ck_assert_str_eq(text_of(&child.out), "out\n");
}
END_TEST

START_TEST(test_death_by_signal)
{
    ck_assert_int_eq(run("echo out; kill -SEGV $$"), MT_OK);
    ck_assert(WIFSIGNALED(child.wait_status));
    ck_assert_int_eq(WTERMSIG(child.wait_status), SIGSEGV);
    ck_assert_str_eq(text_of(&child.out), "out\n");
}
END_TEST

START_TEST(test_bytes_come_as_they_are)
{
    ck_assert_int_eq(run("printf 'a\\000b\\377\\n'"), MT_OK);
    ck_assert_uint_eq(child.out.len, 5);
    ck_assert_mem_eq(child.out.data, "a\0b\xff\n", 5);
}
END_TEST

/* It ends a while after it has closed its output. */
START_TEST(test_an_end_after_the_output)
{
    ck_assert_int_eq(run("echo out; exec >&- 2>&-; sleep 0.2; exit 3"), MT_OK);
    assert_exit(3);
    ck_assert_str_eq(text_of(&child.out), "out\n");
}
END_TEST

/* What it gets. */

START_TEST(test_input_is_empty)
{
    ck_assert_int_eq(run("cat; echo end"), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "end\n");
}
END_TEST

static enum mt_status run_with_input(const char *command, const char *input, size_t len)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    struct mt_child_terms terms = {
        .input = input, .input_len = len, .deadline_ms = PLENTY_MS, .out_limit = OUT_MAX};
    ck_assert_int_eq(start_with(argv, &terms), MT_OK);
    return mt_child_wait(&child, -1);
}

START_TEST(test_input_comes_as_it_is)
{
    ck_assert_int_eq(run_with_input("cat", "a\0b\xff\n", 5), MT_OK);
    ck_assert_uint_eq(child.out.len, 5);
    ck_assert_mem_eq(child.out.data, "a\0b\xff\n", 5);
    ck_assert_int_eq(run_with_input("cat; echo end", "", 0), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "end\n");
}
END_TEST

/* More than a pipe holds: who does not read it makes nobody wait, and nobody gets SIGPIPE. */
START_TEST(test_much_input)
{
    static char text[1 << 20];
    ck_assert_int_eq(run_with_input("wc -c", text, sizeof text), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "1048576\n");
    ck_assert_int_eq(run_with_input("exec <&-; echo out", text, sizeof text), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "out\n");
}
END_TEST

START_TEST(test_input_can_not_be_changed)
{
    ck_assert_int_eq(run_with_input("{ echo no >/proc/self/fd/0; } 2>&-; cat", "yes\n", 4), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "yes\n");
}
END_TEST

START_TEST(test_input_comes_where_no_file_in_memory_can_be_written)
{
    static char text[1 << 20];
    memory_is_refused = true;
    ck_assert_int_eq(run_with_input("cat", "a\0b\xff\n", 5), MT_OK);
    ck_assert_uint_eq(child.out.len, 5);
    ck_assert_mem_eq(child.out.data, "a\0b\xff\n", 5);
    ck_assert_int_eq(run_with_input("wc -c", text, sizeof text), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "1048576\n");
    ck_assert_int_eq(refusals, 1);
    /* What it holds is for this user alone, and has no name. */
    ck_assert_int_eq(run_with_input("stat -L -c '%a %h' /proc/self/fd/0", "secret", 6), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "600 0\n");
}
END_TEST

START_TEST(test_environment_is_the_callers)
{
    static const char *const argv[] = {"/usr/bin/env", NULL};
    ck_assert_int_eq(setenv("MULTITENANT_TEST", "1", 1), 0);
    ck_assert_int_eq(run_argv(argv), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "PATH=/usr/bin:/bin\nLC_ALL=C\n");
}
END_TEST

START_TEST(test_arguments_are_no_shells)
{
    static const char *const argv[] = {"/bin/echo", "$HOME;", "a  b", "*", NULL};
    ck_assert_int_eq(run_argv(argv), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "$HOME; a  b *\n");
}
END_TEST

START_TEST(test_no_other_descriptor)
{
    int fd = open("/dev/null", O_RDONLY); /* NOLINT: without close-on-exec, as some library's */
    ck_assert_int_ge(fd, 3);
    int high = fcntl(fd, F_DUPFD, 50);
    ck_assert_int_eq(
        run(format("for n in 3 4 5 6 7 8 %d %d; do [ -e /proc/$$/fd/$n ] && [ $n != 255 ] && "
                   "echo $n; done; :",
                   fd, high)),
        MT_OK);
    ck_assert_str_eq(text_of(&child.out), "");
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(close(high), 0);
}
END_TEST

START_TEST(test_signals_are_the_defaults)
{
    static const char *const argv[] = {"/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status",
                                       NULL};
    sigset_t some;
    (void)sigemptyset(&some);
    (void)sigaddset(&some, SIGTERM);
    (void)sigaddset(&some, SIGUSR1);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &some, NULL), 0);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    enum mt_status status = run_argv(argv);
    (void)signal(SIGPIPE, before);
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, &mask_before, NULL), 0);
    ck_assert_int_eq(status, MT_OK);
    const char *text = text_of(&child.out);
    ck_assert(strncmp(text, "SigBlk:", 7) == 0 && strstr(text, "SigIgn:"));
    unsigned long long blocked = strtoull(text + 7, NULL, 16);
    unsigned long long ignored = strtoull(strstr(text, "SigIgn:") + 7, NULL, 16);
    ck_assert_uint_eq(blocked, 0);
    /* 32 and 33 are the C library's own. */
    ck_assert_uint_eq(ignored & ~(3ull << 31), 0);
}
END_TEST

START_TEST(test_process_group_of_its_own)
{
    ck_assert_int_eq(run("read pid comm state ppid pgrp rest </proc/$$/stat; "
                         "[ $pgrp = $$ ] && echo own"),
                     MT_OK);
    ck_assert_str_eq(text_of(&child.out), "own\n");
}
END_TEST

/* What can't be started. */

static const struct {
    const char *path;
    int error;
} absent[] = {
    {"/nowhere/program", ENOENT}, {"sh", ENOENT}, {"/dev/null", EACCES}, {"/tmp", EACCES}};

START_TEST(test_what_can_not_be_started)
{
    const char *const argv[] = {absent[_i].path, NULL};
    ck_assert_int_eq(start_argv(argv, PLENTY_MS), MT_SPAWN);
    ck_assert_int_eq(child.error, absent[_i].error);
    ck_assert_int_eq(child.pid, 0);
}
END_TEST

/* Limits of output. */

START_TEST(test_output_at_its_limit)
{
    ck_assert_int_eq(run(format("head -c %d /dev/zero", OUT_MAX)), MT_OK);
    ck_assert_uint_eq(child.out.len, OUT_MAX);
    assert_exit(0);
}
END_TEST

START_TEST(test_output_over_its_limit)
{
    ck_assert_int_eq(run(format("head -c %d /dev/zero; sleep 60", OUT_MAX + 1)), MT_TOO_LARGE);
    ck_assert_uint_le(child.out.len, OUT_MAX);
}
END_TEST

START_TEST(test_output_without_end)
{
    ck_assert_int_eq(run("yes"), MT_TOO_LARGE);
    ck_assert_uint_le(child.out.len, OUT_MAX);
}
END_TEST

/* What is over the limit of stderr is read and dropped: the child doesn't block on it. */
START_TEST(test_much_on_stderr)
{
    ck_assert_int_eq(run("echo first >&2; head -c 300000 /dev/zero >&2; echo out"), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "out\n");
    ck_assert_uint_eq(child.err.len, MT_CHILD_ERR_MAX);
    ck_assert_mem_eq(child.err.data, "first\n\0", 7);
    assert_exit(0);
}
END_TEST

/* The deadline. */

static const char *const hangs[] = {
    "sleep 60",
    "trap '' TERM INT HUP PIPE; sleep 60",
    "trap '' TERM; while :; do :; done",
    "exec >&- 2>&-; sleep 60",
    "exec >&-; sleep 60",
    "kill -STOP $$",
    /* a grandchild that keeps the pipe */
    "sleep 60 & exit 0",
    "(trap '' TERM HUP; sleep 60) & exit 0",
    /* output that never stops, below every limit */
    "while :; do printf x; sleep 0.05; done",
    "while :; do echo x >&2; done",
};

START_TEST(test_deadline)
{
    assert_late(hangs[_i]);
}
END_TEST

START_TEST(test_what_came_before_the_deadline)
{
    assert_late("echo partial; echo reason >&2; sleep 60");
    ck_assert_str_eq(text_of(&child.out), "partial\n");
    ck_assert_str_eq(text_of(&child.err), "reason\n");
}
END_TEST

START_TEST(test_the_whole_process_group_is_killed)
{
    assert_late("sleep 60 & echo $!; wait");
    pid_t grandchild = (pid_t)strtol(text_of(&child.out), NULL, 10);
    ck_assert_int_gt(grandchild, 1);
    ck_assert(is_dead(grandchild));
}
END_TEST

/* A child that left the process group can't be killed with it; it may keep the pipe, but not us. */
START_TEST(test_a_grandchild_in_a_session_of_its_own)
{
    assert_late("setsid sh -c 'echo $$; exec sleep 60' & exit 0");
    pid_t grandchild = (pid_t)strtol(text_of(&child.out), NULL, 10);
    ck_assert_int_gt(grandchild, 1);
    ck_assert_int_eq(kill(grandchild, SIGKILL), 0);
}
END_TEST

START_TEST(test_no_time_at_all)
{
    ck_assert_int_eq(run_shell("sleep 60", 0, -1), MT_TIMEOUT);
    ck_assert_int_eq(run_shell("sleep 60", -5, -1), MT_TIMEOUT);
}
END_TEST

/* Waking and ending. */

/* The end to be written of a new pipe; the other one in *wake. */
static int open_wake(int *wake)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    *wake = ends[0];
    return ends[1];
}

static void close_wake(int wake, int writer)
{
    ck_assert_int_eq(close(wake), 0);
    ck_assert_int_eq(close(writer), 0);
}

/* A caller who was woken may wait again, each time: the child has gone on. */
START_TEST(test_woken_before_and_waiting_again)
{
    int wake;
    int writer = open_wake(&wake);
    char byte;
    start("sleep 0.2; echo out; exit 3", PLENTY_MS);
    ck_assert_int_eq(write(writer, "x", 1), 1);
    for (int times = 0; times < 3; times++)
        ck_assert_int_eq(mt_child_wait(&child, wake), MT_CANCELLED);
    ck_assert_int_eq(read(wake, &byte, 1), 1);
    ck_assert_int_eq(mt_child_wait(&child, wake), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "out\n");
    assert_exit(3);
    close_wake(wake, writer);
}
END_TEST

START_TEST(test_never_woken)
{
    int wake;
    int writer = open_wake(&wake);
    ck_assert_int_eq(run_shell("echo out", PLENTY_MS, wake), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "out\n");
    close_wake(wake, writer);
}
END_TEST

static void *wake_soon(void *writer)
{
    (void)usleep(200000);
    return write(*(int *)writer, "x", 1) == 1 ? writer : NULL;
}

/* While the child holds its output, and when it has closed it. */
START_TEST(test_woken_while_waiting)
{
    static const char *const commands[] = {"echo out; sleep 60",
                                           "echo out; exec >&- 2>&-; sleep 60"};
    int wake;
    int writer = open_wake(&wake);
    pthread_t thread;
    void *written = NULL;
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_soon, &writer), 0);
    int64_t begin = now_ms();
    ck_assert_int_eq(run_shell(commands[_i], PLENTY_MS, wake), MT_CANCELLED);
    ck_assert_int_lt(now_ms() - begin, 200 + SLACK_MS);
    ck_assert_int_eq(pthread_join(thread, &written), 0);
    ck_assert_ptr_nonnull(written);
    ck_assert_str_eq(text_of(&child.out), "out\n");
    close_wake(wake, writer);
}
END_TEST

/* The deadline counts from the start, however often the waiting was interrupted. */
START_TEST(test_waking_does_not_move_the_deadline)
{
    int wake;
    int writer = open_wake(&wake);
    int64_t begin = now_ms();
    start("sleep 60", DEADLINE_MS);
    ck_assert_int_eq(write(writer, "x", 1), 1);
    enum mt_status status;
    while ((status = mt_child_wait(&child, wake)) == MT_CANCELLED)
        (void)usleep(1000);
    int64_t took = now_ms() - begin;
    ck_assert_int_eq(status, MT_TIMEOUT);
    ck_assert_int_ge(took, DEADLINE_MS - 1);
    ck_assert_int_lt(took, DEADLINE_MS + SLACK_MS);
    close_wake(wake, writer);
}
END_TEST

/* teardown() looks that nothing is left. */
START_TEST(test_ended_without_waiting)
{
    start("echo $$; trap '' TERM; sleep 60", PLENTY_MS);
    pid_t pid = child.pid;
    int64_t begin = now_ms();
    mt_child_end(&child);
    ck_assert_int_lt(now_ms() - begin, SLACK_MS);
    ck_assert_int_eq(kill(pid, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
}
END_TEST

START_TEST(test_ended_after_its_own_end)
{
    start("echo out", PLENTY_MS);
    (void)usleep(200000);
    mt_child_end(&child);
}
END_TEST

START_TEST(test_ended_twice)
{
    ck_assert_int_eq(run("echo out"), MT_OK);
    mt_child_end(&child);
    mt_child_end(&child);
    ck_assert_uint_eq(child.out.len, 0);
}
END_TEST

START_TEST(test_age)
{
    start("sleep 60", PLENTY_MS);
    int64_t first = mt_child_age_ns(&child);
    (void)usleep(50000);
    int64_t second = mt_child_age_ns(&child);
    ck_assert_int_ge(first, 0);
    ck_assert_int_ge(second, first + 50000000);
    ck_assert_int_lt(second, (int64_t)SLACK_MS * 1000000);
}
END_TEST

/* The caller's signals and threads. */

static void ignore_it(int signal)
{
    (void)signal;
}

/* A handler that interrupts system calls: Ruby's timer, Passenger's signals. */
START_TEST(test_interrupted_calls)
{
    struct sigaction action = {.sa_handler = ignore_it};
    struct sigaction before;
    struct itimerval often = {.it_interval = {.tv_usec = 3000}, .it_value = {.tv_usec = 3000}};
    struct itimerval never = {.it_value = {.tv_usec = 0}};
    ck_assert_int_eq(sigaction(SIGALRM, &action, &before), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    enum mt_status status = run("echo out; sleep 0.3; echo more; exec >&- 2>&-; sleep 0.2; exit 4");
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &before, NULL), 0);
    ck_assert_int_eq(status, MT_OK);
    ck_assert_str_eq(text_of(&child.out), "out\nmore\n");
    assert_exit(4);
}
END_TEST

START_TEST(test_sigchld_of_the_caller_stays)
{
    struct sigaction action = {.sa_handler = ignore_it, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    struct sigaction after;
    ck_assert_int_eq(sigaction(SIGCHLD, &action, NULL), 0);
    ck_assert_int_eq(run("echo out"), MT_OK);
    ck_assert_int_eq(sigaction(SIGCHLD, NULL, &after), 0);
    ck_assert_int_eq(sigaction(SIGCHLD, &action_before, NULL), 0);
    ck_assert_ptr_eq(after.sa_handler, ignore_it);
    ck_assert_int_eq(after.sa_flags & (SA_RESTART | SA_NOCLDSTOP), SA_RESTART | SA_NOCLDSTOP);
    assert_exit(0);
}
END_TEST

/* Where SIGCHLD is ignored the kernel reaps the children: that is no reason to wait for them. */
START_TEST(test_a_child_that_somebody_else_reaped)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    ck_assert_int_eq(sigaction(SIGCHLD, &action, NULL), 0);
    int64_t begin = now_ms();
    enum mt_status status = run("echo out");
    ck_assert_int_eq(sigaction(SIGCHLD, &action_before, NULL), 0);
    ck_assert_int_eq(status, MT_OK);
    ck_assert_int_lt(now_ms() - begin, PLENTY_MS);
    ck_assert_str_eq(text_of(&child.out), "out\n");
}
END_TEST

/* Somebody else's child is not reaped by us. */
START_TEST(test_other_children_are_let_alone)
{
    int status = 0;
    pid_t other = fork();
    ck_assert_int_ge(other, 0);
    if (other == 0)
        _exit(9);
    ck_assert_int_eq(run("sleep 0.1"), MT_OK);
    ck_assert_int_eq(waitpid(other, &status, 0), other);
    ck_assert_int_eq(WEXITSTATUS(status), 9);
}
END_TEST

/* Has a child as a debugger does, until it is killed: while it has it, that is no zombie of ours.
 */
static pid_t hold(pid_t pid)
{
    int ends[2];
    char held = 0;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t holder = fork();
    ck_assert_int_ge(holder, 0);
    if (holder == 0) {
        if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 && write(ends[1], "h", 1) == 1)
            (void)pause();
        _exit(1);
    }
    ck_assert_int_eq(close(ends[1]), 0);
    (void)!read(ends[0], &held, 1);
    ck_assert_int_eq(close(ends[0]), 0);
    if (held)
        return holder;
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
    return 0;
}

/* As where a file system hangs: whoever asked goes on, once too many hang no other one starts, and
 * teardown() looks that of those which had started by then none is left. */
START_TEST(test_what_does_not_die_is_waited_for_no_longer)
{
    static char *const argv[] = {"/bin/sleep", "1000", NULL};
    static char *const envp[] = {NULL};
    const struct mt_child_terms terms = {.deadline_ms = 0, .out_limit = OUT_MAX};
    struct mt_child hanging[6] = {{.pid = 0}};
    pid_t holders[COUNT_OF(hanging)];
    for (size_t i = 0; i < COUNT_OF(hanging); i++) {
        ck_assert_int_eq(mt_child_start(&hanging[i], argv, envp, &terms), MT_OK);
        holders[i] = hold(hanging[i].pid);
        if (holders[i] == 0) {
            ck_assert_uint_eq(i, 0);
            (void)fputs(
                "check_child: this kernel lets only root debug a process beside it, so what "
                "does not die is not tried.\n",
                stderr);
            mt_child_end(&hanging[0]);
            return;
        }
    }
    for (size_t i = 0; i < COUNT_OF(hanging); i++)
        ck_assert_int_eq(mt_child_wait(&hanging[i], -1), MT_TIMEOUT);
    ck_assert_int_eq(start_argv((const char *const *)argv, PLENTY_MS), MT_IO);
    ck_assert_int_eq(child.error, EBUSY);
    for (size_t i = 0; i < COUNT_OF(hanging); i++) {
        ck_assert_int_eq(kill(holders[i], SIGKILL), 0);
        ck_assert_int_eq(waitpid(holders[i], NULL, 0), holders[i]);
        mt_child_end(&hanging[i]);
    }
    ck_assert_int_eq(run("echo out"), MT_OK);
    ck_assert_str_eq(text_of(&child.out), "out\n");
}
END_TEST

static void *run_in_thread(void *number)
{
    static char *const envp[] = {NULL};
    const struct mt_child_terms terms = {.deadline_ms = PLENTY_MS, .out_limit = OUT_MAX};
    const char digit = *(const char *)number;
    for (int i = 0; i < 5; i++) {
        char text[] = "echo 0; exit 0";
        char *const argv[] = {"/bin/sh", "-c", text, NULL};
        struct mt_child mine = {.pid = 0};
        text[5] = text[13] = digit;
        bool ok = mt_child_start(&mine, argv, envp, &terms) == MT_OK &&
                  mt_child_wait(&mine, -1) == MT_OK && mine.out.len == 2 &&
                  mine.out.data[0] == digit && WEXITSTATUS(mine.wait_status) == digit - '0';
        mt_child_end(&mine);
        if (!ok)
            return NULL;
    }
    return number;
}

START_TEST(test_several_threads)
{
    static char numbers[] = "1234";
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_in_thread, &numbers[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *ok = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &ok), 0);
        ck_assert_ptr_nonnull(ok);
    }
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
    Suite *suite = suite_create("child");
    TCase *tests = add_fixed_case(suite, "does");
    tcase_add_test(tests, test_output_and_end);
    tcase_add_test(tests, test_silence);
    tcase_add_test(tests, test_exit_code);
    tcase_add_test(tests, test_death_by_signal);
    tcase_add_test(tests, test_bytes_come_as_they_are);
    tcase_add_test(tests, test_an_end_after_the_output);
    tests = add_fixed_case(suite, "gets");
    tcase_add_test(tests, test_input_is_empty);
    tcase_add_test(tests, test_input_comes_as_it_is);
    tcase_add_test(tests, test_much_input);
    tcase_add_test(tests, test_input_can_not_be_changed);
    tcase_add_test(tests, test_input_comes_where_no_file_in_memory_can_be_written);
    tcase_add_test(tests, test_environment_is_the_callers);
    tcase_add_test(tests, test_arguments_are_no_shells);
    tcase_add_test(tests, test_no_other_descriptor);
    tcase_add_test(tests, test_signals_are_the_defaults);
    tcase_add_test(tests, test_process_group_of_its_own);
    tests = add_fixed_case(suite, "start");
    tcase_set_tags(tests, "vfork");
    tcase_add_loop_test(tests, test_what_can_not_be_started, 0, (int)COUNT_OF(absent));
    tests = add_fixed_case(suite, "limits");
    tcase_add_test(tests, test_output_at_its_limit);
    tcase_add_test(tests, test_output_over_its_limit);
    tcase_add_test(tests, test_output_without_end);
    tcase_add_test(tests, test_much_on_stderr);
    tests = add_fixed_case(suite, "deadline");
    tcase_add_loop_test(tests, test_deadline, 0, (int)COUNT_OF(hangs));
    tcase_add_test(tests, test_what_came_before_the_deadline);
    tcase_add_test(tests, test_the_whole_process_group_is_killed);
    tcase_add_test(tests, test_a_grandchild_in_a_session_of_its_own);
    tcase_add_test(tests, test_no_time_at_all);
    tests = add_fixed_case(suite, "wake and end");
    tcase_add_test(tests, test_woken_before_and_waiting_again);
    tcase_add_test(tests, test_never_woken);
    tcase_add_loop_test(tests, test_woken_while_waiting, 0, 2);
    tcase_add_test(tests, test_waking_does_not_move_the_deadline);
    tcase_add_test(tests, test_ended_without_waiting);
    tcase_add_test(tests, test_ended_after_its_own_end);
    tcase_add_test(tests, test_ended_twice);
    tcase_add_test(tests, test_age);
    tests = add_fixed_case(suite, "caller");
    tcase_add_test(tests, test_interrupted_calls);
    tcase_add_test(tests, test_sigchld_of_the_caller_stays);
    tcase_add_test(tests, test_a_child_that_somebody_else_reaped);
    tcase_add_test(tests, test_other_children_are_let_alone);
    tcase_add_test(tests, test_several_threads);
    tests = add_fixed_case(suite, "does not die");
    tcase_set_tags(tests, "ptrace");
    tcase_add_test(tests, test_what_does_not_die_is_waited_for_no_longer);
    return run_suite(suite);
}
