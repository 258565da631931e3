/* SPDX-License-Identifier: MIT */
#include "nginx.h"

#include "children.h"
#include "clock.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define GRACE (3 * MT_SECOND)
#define LOOK_EVERY_NS 20000000

static _Noreturn void run(char *const argv[], pid_t parent)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (setpgid(0, 0) == 0 && child_begin(parent, SIGTERM) && null >= 0 &&
        dup2(null, STDIN_FILENO) == STDIN_FILENO)
        (void)execv(argv[0], argv);
    mt_say(0, "%s can't be run (%s)", argv[0], strerror(errno));
    _exit(127);
}

int nginx_start(char *const argv[], pid_t *out)
{
    const pid_t parent = getpid();
    *out = fork();
    if (*out == 0)
        run(argv, parent);
    if (*out < 0)
        return mt_say(EX_OSERR, "no process can be started (%s)", strerror(errno));
    (void)setpgid(*out, *out);
    return 0;
}

void nginx_end(pid_t nginx, bool ended)
{
    const int64_t until = mt_now() + GRACE;
    const struct timespec wait = {.tv_nsec = LOOK_EVERY_NS};
    if (nginx <= 0)
        return;
    (void)kill(-nginx, SIGTERM);
    while (!ended && mt_now() < until) {
        ended = waitpid(nginx, NULL, WNOHANG) == nginx;
        if (!ended)
            (void)nanosleep(&wait, NULL);
    }
    (void)kill(-nginx, SIGKILL);
    if (!ended)
        (void)waitpid(nginx, NULL, 0);
}
