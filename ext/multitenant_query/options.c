/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include "errlog.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TRY_HELP "; see multitenant-query --help"

const char mt_options_help[] =
    "usage: multitenant-query --wckey KEY[,KEY...] [--cluster NAME] [--timeout SECONDS]\n"
    "                         [--publishers GROUP]\n"
    "\n"
    "Prints the running jobs of the WCKeys as records, one JSON object a line: what slurmdbd,\n"
    "slurmctld and the name service say of each. A key finds the jobs that have it as their\n"
    "user's default key as well.\n"
    "\n"
    "  --wckey KEY[,KEY...]  the keys that are asked for\n"
    "  --cluster NAME        a cluster other than that of slurm.conf\n"
    "  --timeout SECONDS     end within this time, 0.1 to 3600 (default " MT_TIMEOUT_DEFAULT ")\n"
    "  --publishers GROUP    also say of each job whether its owner belongs to GROUP\n"
    "  --help, --version     this text; the program's version and Slurm's\n"
    "\n"
    "Exit codes: 0 fine, 64 usage, 69 Slurm does not answer, 70 and 71 internal, 74 output,\n"
    "75 out of time, 78 configuration. Without a last line {\"end\":COUNT} records are missing.\n";

/* Copies a name of `len` bytes in lower case, as Slurm keeps it. */
static bool name_copy(char out[MT_OPTION_KEY_MAX + 1], const char *name, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.:@+-";
    if (len == 0 || len > MT_OPTION_KEY_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (out[i] == '\0' || !strchr(allowed, out[i]))
            return false;
    }
    out[len] = '\0';
    return true;
}

static bool key_add(struct mt_options *options, const char *key, size_t len)
{
    char lower[MT_OPTION_KEY_MAX + 1];
    if (!name_copy(lower, key, len)) {
        mt_errlog_say("--wckey has a key that is not 1 to %d of A-Z a-z 0-9 _ . : @ + -" TRY_HELP,
                      MT_OPTION_KEY_MAX);
        return false;
    }
    for (size_t i = 0; i < options->key_count; i++) {
        if (strcmp(options->keys[i], lower) == 0)
            return true;
    }
    if (options->key_count == MT_WCKEYS_MAX) {
        mt_errlog_say("--wckey has more than %d keys" TRY_HELP, MT_WCKEYS_MAX);
        return false;
    }
    memcpy(options->keys[options->key_count++], lower, sizeof lower);
    return true;
}

static bool read_keys(struct mt_options *options, const char *text)
{
    for (;;) {
        size_t len = strcspn(text, ",");
        if (!key_add(options, text, len))
            return false;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
}

static bool read_cluster(struct mt_options *options, const char *text)
{
    if (name_copy(options->cluster, text, strlen(text)))
        return true;
    mt_errlog_say("--cluster is not the name of a cluster" TRY_HELP);
    return false;
}

static bool read_publishers(struct mt_options *options, const char *text)
{
    size_t len = strlen(text);
    options->publishers = text;
    if (len > 0 && len <= MT_NAME_MAX)
        return true;
    mt_errlog_say("--publishers is not the name of a group" TRY_HELP);
    return false;
}

/* Plain decimals alone: strtod also takes "inf", "nan" and hexadecimals. */
static bool read_timeout(struct mt_options *options, const char *text)
{
    char *end = NULL;
    if (strlen(text) <= 16 && text[strspn(text, "0123456789.")] == '\0') {
        options->timeout_text = text;
        options->timeout = strtod(text, &end);
    }
    if (end && end != text && *end == '\0' && options->timeout >= MT_TIMEOUT_MIN &&
        options->timeout <= MT_TIMEOUT_MAX)
        return true;
    mt_errlog_say("--timeout is not a number of seconds from %g to %g" TRY_HELP, MT_TIMEOUT_MIN,
                  MT_TIMEOUT_MAX);
    return false;
}

static bool read_one(struct mt_options *options, int option)
{
    switch (option) {
    case 'k':
        return read_keys(options, optarg);
    case 'c':
        return read_cluster(options, optarg);
    case 't':
        return read_timeout(options, optarg);
    case 'p':
        return read_publishers(options, optarg);
    default:
        mt_errlog_say("an option is unknown, or its value is missing" TRY_HELP);
        return false;
    }
}

enum mt_options_result mt_options_read(struct mt_options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"wckey", required_argument, NULL, 'k'},
        {"cluster", required_argument, NULL, 'c'},
        {"timeout", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"publishers", required_argument, NULL, 'p'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct mt_options){0};
    if (!read_timeout(options, MT_TIMEOUT_DEFAULT))
        return MT_OPTIONS_BAD;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 'h')
            return MT_OPTIONS_HELP;
        if (option == 'v')
            return MT_OPTIONS_VERSION;
        if (!read_one(options, option))
            return MT_OPTIONS_BAD;
    }
    if (optind < argc) {
        mt_errlog_say("\"%s\" is not an option" TRY_HELP, argv[optind]);
        return MT_OPTIONS_BAD;
    }
    if (options->key_count == 0) {
        mt_errlog_say("--wckey is missing" TRY_HELP);
        return MT_OPTIONS_BAD;
    }
    return MT_OPTIONS_RUN;
}
