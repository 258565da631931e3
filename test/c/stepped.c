/* SPDX-License-Identifier: MIT */
#include "stepped.h"

#include <check.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waits for it to stop; false: it has ended, as it should. */
static bool has_stopped(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(!WIFSIGNALED(status));
    ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) == 0);
    return WIFSTOPPED(status);
}

static bool is_before_a_call(pid_t pid)
{
    struct __ptrace_syscall_info info = {.op = PTRACE_SYSCALL_INFO_NONE};
    ck_assert_int_gt(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info), 0);
    return info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

bool step(pid_t pid)
{
    do {
        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        if (!has_stopped(pid))
            return false;
    } while (!is_before_a_call(pid));
    return true;
}

pid_t stop_before(int (*body)(void), size_t nth)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
            _exit(1);
        (void)body();
        _exit(0);
    }
    ck_assert(has_stopped(pid));
    ck_assert_int_eq(
        ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD), 0);
    for (size_t i = 0; i < nth; i++) {
        if (!step(pid))
            return 0;
    }
    return pid;
}

void kill_stopped(pid_t pid)
{
    int status;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
}

void go_on(pid_t pid)
{
    ck_assert_int_eq(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
    ck_assert(!has_stopped(pid));
}
