/* SPDX-License-Identifier: MIT */
#include "timeout.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

/* A signal handler reads it. */
static const char *volatile late;

static void on_deadline(int number)
{
    (void)number;
    _exit(write(STDERR_FILENO, late, strlen(late)) < 0 ? EX_IOERR : EX_TEMPFAIL);
}

bool mt_timeout_read(const char *text, double *seconds)
{
    char *end = NULL;
    if (strlen(text) > 16 || text[strspn(text, "0123456789.")] != '\0')
        return false;
    *seconds = strtod(text, &end);
    return end != text && *end == '\0' && *seconds >= 0.1 && *seconds <= 3600;
}

bool mt_timeout_start(double seconds, const char *sentence)
{
    struct sigaction action = {.sa_handler = on_deadline};
    struct itimerval timer = {.it_value.tv_sec = (time_t)seconds};
    sigset_t only;

    mt_timeout_says(sentence);
    timer.it_value.tv_usec = (suseconds_t)((seconds - (double)timer.it_value.tv_sec) * 1e6);
    sigemptyset(&only);
    sigaddset(&only, SIGALRM);
    return sigaction(SIGALRM, &action, NULL) == 0 && sigprocmask(SIG_UNBLOCK, &only, NULL) == 0 &&
           setitimer(ITIMER_REAL, &timer, NULL) == 0;
}

void mt_timeout_says(const char *sentence)
{
    late = sentence;
}
