/* SPDX-License-Identifier: MIT */
#include "children.h"

#include "buf.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

bool child_begin(pid_t parent, int signal_at_end)
{
    sigset_t none;
    sigemptyset(&none);
    return prctl(PR_SET_PDEATHSIG, signal_at_end) == 0 && getppid() == parent &&
           signal(SIGPIPE, SIG_DFL) != SIG_ERR && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static struct child *free_place(struct children *children, enum child_use use)
{
    static const size_t most[CHILD_USES] = {[FOR_ANYTHING] = MT_GATE_CHILDREN_MAX,
                                            [FOR_LOGIN] = MT_GATE_LOGINS_MAX,
                                            [FOR_LATER] = MT_GATE_LATER_MAX};
    struct child *place = NULL;
    size_t same = 0;
    for (size_t i = 0; i < MT_GATE_CHILDREN_MAX; i++) {
        struct child *child = children->places + i;
        if (child->pid == 0)
            place = child;
        else
            same += child->use == use;
    }
    return same < most[use] ? place : NULL;
}

static _Noreturn void run(const struct children *children, const struct child_terms *terms,
                          const void *question, int out, pid_t parent)
{
    char answer[CHILD_ANSWER_MAX];
    if (!child_begin(parent, SIGKILL) || setpgid(0, 0) != 0)
        _exit(1);
    children->before(children->context);
    size_t len = terms->work(question, answer);
    _exit(len > 0 && mt_write_all(out, answer, len) != MT_OK);
}

bool children_start(struct children *children, const struct child_terms *terms,
                    const void *question)
{
    struct child *place = free_place(children, terms->use);
    int ends[2];
    const pid_t parent = getpid();
    if (!place || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    const pid_t pid = fork();
    if (pid == 0)
        run(children, terms, question, ends[1], parent);
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return false;
    }
    (void)setpgid(pid, pid); /* whoever of both is first */
    *place = (struct child){
        .pid = pid,
        .fd = ends[0],
        .use = terms->use,
        .until = mt_now() + terms->seconds * MT_SECOND,
        .done = terms->done,
        .owner = terms->owner,
    };
    return true;
}

size_t children_watch(const struct children *children, struct pollfd *fds, int64_t *until)
{
    size_t count = 0;
    for (size_t i = 0; i < MT_GATE_CHILDREN_MAX; i++) {
        const struct child *child = children->places + i;
        if (child->pid == 0 || child->fd < 0)
            continue;
        fds[count++] = (struct pollfd){.fd = child->fd, .events = POLLIN};
        if (child->until < *until)
            *until = child->until;
    }
    return count;
}

/* Tells what has come, if that is all that will. */
static bool finish(const struct children *children, struct child *child, bool last)
{
    char answer[CHILD_ANSWER_MAX];
    ssize_t n = read(child->fd, answer, sizeof answer);
    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !last)
        return false;
    (void)close(child->fd);
    child->fd = -1;
    child->done(children->context, child->owner, answer, n > 0 ? (size_t)n : 0);
    explicit_bzero(answer, sizeof answer);
    return true;
}

void children_look(struct children *children, int64_t now)
{
    for (size_t i = 0; i < MT_GATE_CHILDREN_MAX; i++) {
        struct child *child = children->places + i;
        /* One that has answered may hang at its end; one that is late has children of its own. */
        if (child->pid != 0 && child->fd >= 0 && finish(children, child, now >= child->until))
            (void)kill(-child->pid, SIGKILL);
    }
}

void children_reaped(struct children *children, pid_t pid)
{
    for (size_t i = 0; i < MT_GATE_CHILDREN_MAX; i++) {
        struct child *child = children->places + i;
        if (child->pid != pid)
            continue;
        if (child->fd >= 0)
            (void)finish(children, child, true);
        *child = (struct child){.fd = -1};
    }
}
