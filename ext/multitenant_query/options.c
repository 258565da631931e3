/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include "program.h"
#include "slurm_cluster.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: multitenant-query --wckey KEY[,KEY...] [--cluster NAME] [--timeout SECONDS]\n"
    "                         [--publishers GROUP]\n"
    "\n"
    "Prints the running jobs of the WCKeys as records, one JSON object a line: what slurmdbd,\n"
    "slurmctld and the name service say of each. A key finds the jobs that have it as their\n"
    "user's default key as well.\n"
    "\n"
    "  --wckey KEY[,KEY...]  the keys that are asked for\n"
    "  --cluster NAME        a cluster other than that of slurm.conf\n"
    "  --timeout SECONDS     end within this time, 0.1 to 3600 (default 3)\n"
    "  --publishers GROUP    also say of each job whether its owner belongs to GROUP\n"
    "  --help, --version     this text; the program's version and Slurm's\n"
    "\n"
    "Exit codes: 0 fine, 64 usage, 69 Slurm does not answer, 70 and 71 internal, 74 output,\n"
    "75 out of time, 78 configuration. Without a last line {\"end\":COUNT} records are missing.\n";

/* Copies a name of `len` bytes in lower case, as Slurm keeps it. */
static bool name_copy(char out[MT_QUERY_NAME_MAX + 1], const char *name, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.:@+-";
    if (len == 0 || len > MT_QUERY_NAME_MAX)
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

static int key_add(struct query_options *options, const char *key, size_t len)
{
    char lower[MT_QUERY_NAME_MAX + 1];
    if (!name_copy(lower, key, len))
        return mt_usage("--wckey has a key that is not 1 to %d of A-Z a-z 0-9 _ . : @ + -",
                        MT_QUERY_NAME_MAX);
    for (size_t i = 0; i < options->key_count; i++) {
        if (strcmp(options->keys[i], lower) == 0)
            return 0;
    }
    if (options->key_count == MT_WCKEYS_MAX)
        return mt_usage("--wckey has more than %d keys", MT_WCKEYS_MAX);
    memcpy(options->keys[options->key_count++], lower, sizeof lower);
    return 0;
}

static int read_keys(struct query_options *options, const char *text)
{
    for (;;) {
        size_t len = strcspn(text, ",");
        int status = key_add(options, text, len);
        if (status || text[len] == '\0')
            return status;
        text += len + 1;
    }
}

static int take(void *into, int option, const char *value)
{
    struct query_options *options = into;
    size_t len = strlen(value);
    if (option == 'k')
        return read_keys(options, value);
    if (option == 'c')
        return name_copy(options->cluster, value, len)
                   ? 0
                   : mt_usage("--cluster is not the name of a cluster");
    options->publishers = value;
    return len > 0 && len <= MT_NAME_MAX ? 0 : mt_usage("--publishers is not the name of a group");
}

bool options_read(struct query_options *options, int argc, char **argv, int *status)
{
    static const struct option known[] = {
        {"wckey", required_argument, NULL, 'k'},
        {"cluster", required_argument, NULL, 'c'},
        {"publishers", required_argument, NULL, 'p'},
        MT_OPTIONS_OF_ALL,
    };
    char slurm[32];
    char built_with[48];
    (void)snprintf(built_with, sizeof built_with, " (Slurm %s)", mt_slurm_version(slurm));
    const struct mt_program program = {
        .help = help, .built_with = built_with, .options = known, .timeout = 3, .take = take};
    *options = (struct query_options){.key_count = 0};
    if (!mt_program_begin(&program, argc, argv, options, status))
        return false;
    if (options->key_count == 0)
        *status = mt_usage("--wckey is missing");
    return options->key_count > 0;
}
