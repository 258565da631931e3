/* SPDX-License-Identifier: MIT */
/* Links: program deadline lines json say buf. */
#include "program.h"

#include "forked.h"
#include "helpers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct options {
    const char *name;
    bool loud;
};

static int take(void *into, int option, const char *value)
{
    struct options *options = into;
    if (option == 'l')
        options->loud = true;
    else
        options->name = value;
    return value && strcmp(value, "bad") == 0 ? mt_usage("--name is %s", value) : 0;
}

static const struct option known[] = {
    {"name", required_argument, NULL, 'n'},
    {"loud", no_argument, NULL, 'l'},
    MT_OPTIONS_OF_ALL,
};

/* Prints what it was told, where it is to go on. */
static int begin(void *arguments)
{
    struct mt_program program = {
        .help = "usage: this\n", .options = known, .timeout = 60, .take = take};
    struct options options = {.name = NULL};
    char *argv[8] = {(char *)"path/to/it"};
    int argc = 1;
    int status;
    for (char **argument = arguments; *argument; argument++)
        argv[argc++] = *argument;
    if (!mt_program_begin(&program, argc, argv, &options, &status))
        return status;
    printf("%s %d", options.name ? options.name : "-", options.loud);
    (void)fflush(stdout);
    return 0;
}

static const struct {
    char *arguments[6];
    int status;
    const char *out;
    const char *err;
} lines[] = {
    {{NULL}, 0, "- 0", ""},
    {{"--loud", "--name", "x", NULL}, 0, "x 1", ""},
    {{"--name=x", "--timeout=0.1", NULL}, 0, "x 0", ""},
    {{"--timeout", "3600", NULL}, 0, "- 0", ""},
    {{"--help", NULL}, 0, "usage: this\n", ""},
    {{"--loud", "--help", "--odd", NULL}, 0, "usage: this\n", ""},
    {{"--version", NULL}, 0, "program 1.2.3\n", ""},
    {{"--odd", NULL}, EX_USAGE, "", "\"--odd\" is not an option"},
    {{"--loud=1", NULL}, EX_USAGE, "", "\"--loud=1\" is not an option"},
    {{"--loud", "-x", NULL}, EX_USAGE, "", "\"-x\" is not an option"},
    {{"-xy", NULL}, EX_USAGE, "", "\"-xy\" is not an option"},
    {{"surplus", "--name", "x", NULL}, EX_USAGE, "", "\"surplus\" is not an option"},
    {{"--", "surplus", NULL}, EX_USAGE, "", "\"surplus\" is not an option"},
    {{"--name", NULL}, EX_USAGE, "", "--name needs a value"},
    {{"--name", "bad", "--odd", NULL}, EX_USAGE, "", "--name is bad"},
};

START_TEST(test_command_lines)
{
    struct forked is = run_forked(begin, (void *)lines[_i].arguments, "", 0);
    const char *said =
        *lines[_i].err ? format("program: %s; see program --help\n", lines[_i].err) : "";
    ck_assert_str_eq(is.err, said);
    ck_assert_str_eq(is.out, lines[_i].out);
    ck_assert_int_eq(is.status, lines[_i].status);
}
END_TEST

/* A program that runs until it is told to end. */
static int begin_daemon(void *argument)
{
    static const struct option options[] = {MT_OPTIONS_OF_DAEMONS};
    const struct mt_program program = {.help = "usage: this\n", .options = options, .take = take};
    char *argv[] = {(char *)"it", argument, NULL};
    struct sigaction action;
    int status;
    if (!mt_program_begin(&program, argument ? 2 : 1, argv, &status, &status))
        return status;
    printf("%d", sigaction(SIGRTMIN, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    (void)fflush(stdout);
    return 0;
}

START_TEST(test_a_daemon_has_no_deadline)
{
    struct forked is = run_forked(begin_daemon, NULL, "", 0);
    ck_assert_str_eq(is.out, "1");
    is = run_forked(begin_daemon, (void *)"--timeout=1", "", 0);
    ck_assert_int_eq(is.status, EX_USAGE);
    ck_assert_str_eq(is.err, "program: \"--timeout=1\" is not an option; see program --help\n");
}
END_TEST

static const char *const timeouts[] = {
    "",    "0",   "0.09",  "3600.1", "-1", "inf", "nan",
    "0x1", "1e1", "1.2.3", "3s",     " 3", "3 ",  "1.00000000000000000"};

START_TEST(test_timeouts_that_are_none)
{
    char *arguments[] = {"--timeout", (char *)timeouts[_i], NULL};
    struct forked is = run_forked(begin, arguments, "", 0);
    ck_assert_int_eq(is.status, EX_USAGE);
    ck_assert_str_eq(is.err, "program: --timeout is not a number of seconds from 0.1 to 3600; "
                             "see program --help\n");
}
END_TEST

static const struct {
    const char *text;
    bool good;
    uint32_t number;
} numbers[] = {
    {"0", true, 0},           {"0000000007", true, 7},  {"4294967295", true, UINT32_MAX},
    {"4294967296", false, 0}, {"9999999999", false, 0}, {"00000000007", false, 0},
    {"", false, 0},           {"-1", false, 0},         {"+1", false, 0},
    {" 1", false, 0},         {"1 ", false, 0},         {"0x1", false, 0},
};

START_TEST(test_numbers)
{
    uint32_t number = 1;
    ck_assert_int_eq(mt_program_number(numbers[_i].text, &number), numbers[_i].good);
    if (numbers[_i].good)
        ck_assert_uint_eq(number, numbers[_i].number);
}
END_TEST

static int version_with(void *built_with)
{
    struct mt_program program = {
        .help = "", .built_with = built_with, .options = known, .timeout = 1, .take = take};
    char *argv[] = {"it", "--version", NULL};
    int status = 1;
    struct options options;
    return mt_program_begin(&program, 2, argv, &options, &status) ? 1 : status;
}

START_TEST(test_what_it_was_built_with)
{
    ck_assert_str_eq(run_forked(version_with, " (Slurm 1)", "", 0).out,
                     "program 1.2.3 (Slurm 1)\n");
}
END_TEST

static int into_a_full_device(void *arguments)
{
    int full = open("/dev/full", O_WRONLY);
    return full < 0 || dup2(full, STDOUT_FILENO) < 0 ? 1 : begin(arguments);
}

START_TEST(test_help_that_can_not_be_written)
{
    char *arguments[] = {"--help", NULL};
    struct forked is = run_forked(into_a_full_device, arguments, "", 0);
    ck_assert_int_eq(is.status, EX_IOERR);
    ck_assert_ptr_nonnull(strstr(is.err, "standard output can't be written (No space left"));
}
END_TEST

/* What is opened next is none of the three. */
static int without_descriptors(void *arguments)
{
    close(STDIN_FILENO);
    close(STDERR_FILENO);
    int status = begin(arguments);
    return status ? status : open("/dev/null", O_RDONLY);
}

START_TEST(test_the_three_descriptors_are_open)
{
    char *arguments[] = {NULL};
    ck_assert_int_gt(run_forked(without_descriptors, arguments, "", 0).status, STDERR_FILENO);
}
END_TEST

static void wait_for_the_end(void)
{
    for (;;)
        pause();
}

static int begin_and_wait(void *arguments)
{
    int status = begin(arguments);
    if (status == 0)
        wait_for_the_end();
    return status;
}

START_TEST(test_the_deadline_has_begun)
{
    char *arguments[] = {"--timeout", "0.1", NULL};
    ck_assert_int_eq(run_forked(begin_and_wait, arguments, "", 0).status, EX_TEMPFAIL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("program");
    TCase *tests = add_case(suite, "program");
    tcase_add_loop_test(tests, test_command_lines, 0, COUNT_OF(lines));
    tcase_add_test(tests, test_a_daemon_has_no_deadline);
    tcase_add_loop_test(tests, test_timeouts_that_are_none, 0, COUNT_OF(timeouts));
    tcase_add_loop_test(tests, test_numbers, 0, COUNT_OF(numbers));
    tcase_add_test(tests, test_what_it_was_built_with);
    tcase_add_test(tests, test_help_that_can_not_be_written);
    tcase_add_test(tests, test_the_three_descriptors_are_open);
    tcase_add_test(tests, test_the_deadline_has_begun);
    return run_suite(suite);
}
