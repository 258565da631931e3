/* SPDX-License-Identifier: MIT */
#include "program.h"

#include "deadline.h"
#include "lines.h"
#include "mt_limits.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static void fill_standard_descriptors(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO)
        close(fd);
}

int mt_usage(const char *format, ...)
{
    char what[MT_SENTENCE_MAX];
    va_list values;
    va_start(values, format);
    int n = vsnprintf(what, sizeof what, format, values);
    va_end(values);
    return mt_say(EX_USAGE, "%s; see " MT_PROGRAM " --help", n < 0 ? "wrong usage" : what);
}

bool mt_program_number(const char *text, uint32_t *out)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 10 || text[len] != '\0')
        return false;
    unsigned long long number = strtoull(text, NULL, 10);
    *out = (uint32_t)number;
    return number <= UINT32_MAX;
}

/* Plain decimals alone: strtod also takes "inf", "nan" and hexadecimals. */
static int read_timeout(const char *text, double *seconds)
{
    char *end = NULL;
    if (strlen(text) <= 16 && text[strspn(text, "0123456789.")] == '\0') {
        *seconds = strtod(text, &end);
        if (end != text && *end == '\0' && *seconds >= MT_TIMEOUT_MIN && *seconds <= MT_TIMEOUT_MAX)
            return 0;
    }
    return mt_usage("--timeout is not a number of seconds from %g to %g", MT_TIMEOUT_MIN,
                    MT_TIMEOUT_MAX);
}

static int read_option(const struct mt_program *program, int option, const char *text,
                       void *options, double *timeout)
{
    switch (option) {
    case 'T':
        return read_timeout(optarg, timeout);
    case ':':
        return mt_usage("%s needs a value", text);
    case '?':
        return mt_usage("\"%s\" is not an option", text);
    default:
        return program->take(options, option, optarg);
    }
}

bool mt_program_begin(const struct mt_program *program, int argc, char **argv, void *options,
                      int *status)
{
    double timeout = program->timeout;
    const char *with = program->built_with ? program->built_with : "";

    fill_standard_descriptors();
    opterr = 0;
    *status = 0;
    for (int at = optind, option; *status == 0; at = optind) {
        option = getopt_long(argc, argv, "+:", program->options, NULL);
        if (option == 'H')
            (void)fputs(program->help, stdout);
        if (option == 'V')
            (void)printf(MT_PROGRAM " " MT_VERSION "%s\n", with);
        if (option == 'H' || option == 'V') {
            *status = mt_lines_flush();
            return false;
        }
        if (option == -1)
            break;
        *status = read_option(program, option, argv[at], options, &timeout);
    }
    if (*status == 0 && optind < argc)
        *status = mt_usage("\"%s\" is not an option", argv[optind]);
    if (*status == 0 && timeout > 0)
        *status = mt_deadline_start(timeout);
    return *status == 0;
}

int mt_input_read(struct mt_buf *text)
{
    switch (mt_buf_read(text, STDIN_FILENO)) {
    case MT_OK:
        return 0;
    case MT_IO:
        return mt_say(EX_IOERR, "standard input can't be read (%s)", strerror(errno));
    case MT_TOO_LARGE:
        return mt_say(EX_DATAERR, "standard input is too long: over %zu KiB", text->limit / 1024);
    default:
        return mt_say_no_memory();
    }
}
