/* SPDX-License-Identifier: MIT */
/*
 * multitenant-munge: opens MUNGE credentials, one a line on standard input, as the user that it
 * runs as, and writes what is in each. A program of its own, because libmunge waits for munged
 * without a limit.
 */
#include "credential.h"
#include "line.h"
#include "mt_limits.h"
#include "timeout.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#ifndef MT_VERSION
#    define MT_VERSION "unknown"
#endif

#define USAGE "multitenant-munge [--timeout SECONDS] [--socket PATH] [--version]"

struct options {
    double timeout;
    const char *socket; /* NULL: libmunge's default */
    bool version;
};

static int say(int status, const char *sentence, const char *why)
{
    (void)fprintf(stderr, "multitenant-munge: %s%s\n", sentence, why);
    return status;
}

static bool read_options(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"timeout", required_argument, NULL, 't'},
        {"socket", required_argument, NULL, 's'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.timeout = 3};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == '?' || (option == 't' && !mt_timeout_read(optarg, &options->timeout)))
            return false;
        if (option == 's')
            options->socket = optarg;
        options->version |= option == 'V';
    }
    return optind == argc;
}

/*
 * uid_only and gid_only are there where it is restricted. A payload that is not text has no text;
 * of one that is too large, as compressed data can be, that is all that is told.
 */
static json_t *answer_line(const struct mt_credential *credential)
{
    json_t *line = json_object();
    mt_line_add(&line, "status", json_integer(credential->status));
    if (credential->open) {
        mt_line_add(&line, "uid", json_integer(credential->uid));
        if (credential->uid_only != (uid_t)MUNGE_UID_ANY)
            mt_line_add(&line, "uid_only", json_integer(credential->uid_only));
        if (credential->gid_only != (gid_t)MUNGE_GID_ANY)
            mt_line_add(&line, "gid_only", json_integer(credential->gid_only));
        json_t *text = NULL;
        if (credential->len > MT_MUNGE_TEXT_MAX)
            mt_line_add(&line, "too_large", json_true());
        else if ((text = json_stringn(credential->payload ? credential->payload : "",
                                      credential->len)))
            mt_line_add(&line, "text", text);
    }
    return line;
}

static int answer(const char *text, const struct options *options)
{
    struct mt_credential credential;
    int status;
    if (mt_credential_open(text, options->socket, &credential))
        status = mt_line_write(stdout, answer_line(&credential));
    else
        status =
            say(EX_UNAVAILABLE, "munged could not be asked: ", munge_strerror(credential.status));
    mt_credential_free(&credential);
    return status;
}

/* Whether it is time to give up by itself, with what there is. */
static bool is_late(const struct timespec *start, double timeout)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return true;
    double spent =
        (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
    return spent > timeout * 0.85;
}

/* What was not asked in time is not among the answers. */
static int answer_all(const struct options *options)
{
    char *line = NULL;
    size_t size = 0;
    json_int_t count = 0;
    int status = 0;
    bool late = false;
    ssize_t len;
    struct timespec start;

    if (clock_gettime(CLOCK_MONOTONIC, &start) != 0)
        return say(EX_OSERR, "there is no clock: ", strerror(errno));
    while (status == 0 && (len = getline(&line, &size, stdin)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            line[--len] = '\0';
        if (len == 0 || len > MT_JOBNAME_MAX || strlen(line) != (size_t)len ||
            count >= MT_QUESTIONS_MAX)
            status = say(EX_DATAERR, "standard input is not credentials, one a line", "");
        else if ((late = is_late(&start, options->timeout)))
            break;
        else if ((status = answer(line, options)) == 0)
            count++;
    }
    free(line);
    if (status == 0 && ferror(stdin))
        return say(EX_IOERR, "standard input cannot be read: ", strerror(errno));
    json_t *end = json_object();
    mt_line_add(&end, "end", json_integer(count));
    if (status == 0)
        status = mt_line_write(stdout, end);
    else
        json_decref(end);
    if (status == 0 && fflush(stdout) != 0)
        status = say(EX_IOERR, "standard output cannot be written: ", strerror(errno));
    return status == 0 && late ? say(EX_TEMPFAIL, "munged did not answer in time", "") : status;
}

int main(int argc, char **argv)
{
    struct options options;

    if (!read_options(&options, argc, argv))
        return say(EX_USAGE, "usage: ", USAGE);
    if (options.version)
        return printf("multitenant-munge %s\n", MT_VERSION) < 0 ? EX_IOERR : 0;
    if (!mt_timeout_start(options.timeout, "multitenant-munge: munged did not answer in time\n"))
        return say(EX_OSERR, "no timer can be set: ", strerror(errno));
    return answer_all(&options);
}
