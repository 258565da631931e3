/* SPDX-License-Identifier: MIT */
/*
 * multitenant-names: what the name service says of users and groups, for sources of records that
 * are not the query program. A program of its own, because a name service may block for minutes.
 */
#include "input.h"
#include "line.h"
#include "members.h"
#include "timeout.h"
#include "viewer.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#ifndef MT_VERSION
#    define MT_VERSION "unknown"
#endif

#define USAGE "multitenant-names [--timeout SECONDS] [--publishers GROUP] [--viewer] [--version]"

struct options {
    double timeout;
    const char *publishers; /* NULL: not asked for */
    bool viewer;
    bool version;
};

static int say(int status, const char *sentence, const char *why)
{
    (void)fprintf(stderr, "multitenant-names: %s%s\n", sentence, why);
    return status;
}

/* Ends the process after `seconds`; at *soft, a little before, the name service is given up. */
static int start_deadline(double seconds, struct timespec *soft)
{
    if (!mt_timeout_start(seconds, "multitenant-names: standard input did not end in time\n") ||
        clock_gettime(CLOCK_MONOTONIC, soft) != 0)
        return say(EX_OSERR, "no timer can be set: ", strerror(errno));
    double until = (double)soft->tv_nsec / 1e9 + seconds * 0.85;
    soft->tv_sec += (time_t)until;
    soft->tv_nsec = (long)((until - (double)(time_t)until) * 1e9);
    return 0;
}

static bool read_options(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"timeout", required_argument, NULL, 't'},
        {"publishers", required_argument, NULL, 'p'},
        {"viewer", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.timeout = 3};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 't' && !mt_timeout_read(optarg, &options->timeout))
            return false;
        if (option == 'p')
            options->publishers = optarg;
        options->viewer |= option == 'v';
        options->version |= option == 'V';
        if (option == '?')
            return false;
    }
    const char *publishers = options->publishers ? options->publishers : "-";
    return optind == argc && *publishers && strlen(publishers) <= MT_NAME_MAX;
}

static json_t *answer_line(uid_t uid, const struct mt_member_answer *answer, bool with_allowed)
{
    json_t *line = json_object();
    mt_line_add(&line, "uid", json_integer(uid));
    mt_line_add(&line, "user", mt_line_text(answer->user ? answer->user : "", NULL));
    mt_line_add_answer(&line, answer, with_allowed);
    return line;
}

/* Question 0 is the viewer's, where that is asked. *done: nothing is missing. */
static int write_all(struct mt_members *members, const struct input *input,
                     const struct options *options, bool *done)
{
    struct mt_member_answer answer;
    size_t first = options->viewer;
    int status = 0;
    json_t *viewer = NULL;
    if (options->viewer) {
        mt_members_answer(members, 0, &answer);
        viewer = mt_viewer_line(getuid(), &answer);
    }
    mt_timeout_says("multitenant-names: standard output was not read in time\n");
    *done = true;
    for (size_t i = 0; i < first + input->count && status == 0; i++) {
        uid_t uid = i < first ? getuid() : input->questions[i - first].uid;
        mt_members_answer(members, i, &answer);
        *done &= answer.done;
        status = mt_line_write(
            stdout, i < first ? viewer : answer_line(uid, &answer, options->publishers != NULL));
    }
    json_t *end = json_object();
    mt_line_add(&end, "end", json_integer((json_int_t)input->count));
    if (status == 0)
        status = mt_line_write(stdout, end);
    if (status == 0 && fflush(stdout) != 0)
        status = EX_IOERR;
    if (status == EX_IOERR)
        return say(status, "standard output cannot be written: ", strerror(errno));
    return status ? say(status, "out of memory", "") : 0;
}

static int answer_all(const struct input *input, const struct options *options,
                      const struct timespec *until)
{
    bool done;
    struct mt_members *members = mt_members_new(input->count + 1, options->publishers);
    bool ok = members && (!options->viewer || mt_members_ask(members, getuid(), NULL, 0, true));
    for (size_t i = 0; ok && i < input->count; i++) {
        const struct question *q = &input->questions[i];
        ok = mt_members_ask(members, q->uid, *q->group ? q->group : NULL, strlen(q->group), true);
    }
    if (!ok)
        return say(EX_OSERR, "out of memory", "");
    mt_timeout_says("multitenant-names: the name service did not answer in time\n");
    bool finished = mt_members_run(members, until);
    int status = write_all(members, input, options, &done);
    if (status == 0 && !(finished && done))
        status = say(EX_TEMPFAIL, "the name service did not answer in time; see that getent ",
                     "passwd is quick on this host");
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct input input;
    struct timespec until;

    if (!read_options(&options, argc, argv))
        return say(EX_USAGE, "usage: ", USAGE);
    if (options.version)
        return printf("multitenant-names %s\n", MT_VERSION) < 0 ? EX_IOERR : 0;
    int status = start_deadline(options.timeout, &until);
    if (status == 0 && (status = input_read(&input, STDIN_FILENO)) != 0)
        say(status, "standard input is not questions of UID NUL GROUP NUL: ", input.error);
    if (status == 0)
        status = answer_all(&input, &options, &until);
    _exit(status); /* a look-up that hangs would keep exit() waiting; all is written */
}
