/* SPDX-License-Identifier: MIT */
/*
 * multitenant-seal: makes the v2 message of the job that it runs in, for the user it runs as, and
 * seals it with the group's key. What is shared comes on standard input, never in arguments.
 */
#include "directory.h"
#include "envelope.h"
#include "envelope_key.h"
#include "request.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#ifndef MT_VERSION
#    define MT_VERSION "unknown"
#endif

#define USAGE                                                                                   \
    "multitenant-seal --group GROUP --label LABEL --cluster CLUSTER --job ID --restarts COUNT " \
    "[--keys DIRECTORY] [--message] | --version"

struct options {
    const char *group;
    const char *label;
    const char *keys;
    struct mt_record record;
    bool has_job;
    bool has_restarts;
    bool message; /* print the message, sealed with nothing */
    bool version;
};

static int say(int code, const char *sentence, const char *more)
{
    (void)fprintf(stderr, "multitenant-seal: %s%s\n", sentence, more);
    return code;
}

static bool read_number(const char *text, uint32_t *out)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 10 || text[len] != '\0')
        return false;
    unsigned long long number = strtoull(text, NULL, 10);
    *out = (uint32_t)number;
    return number <= UINT32_MAX;
}

/* What an option says; false: it can't be. */
static bool take(struct options *options, int option)
{
    switch (option) {
    case 'g':
        options->group = optarg;
        return true;
    case 'l':
        options->label = optarg;
        return true;
    case 'c':
        options->record.cluster = optarg;
        return *optarg && strlen(optarg) <= MT_NAME_MAX;
    case 'j':
        options->has_job = true;
        return read_number(optarg, &options->record.job_id) && options->record.job_id > 0;
    case 'r':
        options->has_restarts = true;
        return read_number(optarg, &options->record.restarts);
    case 'k':
        options->keys = optarg;
        return true;
    case 'm':
        return options->message = true;
    case 'v':
        return options->version = true;
    default:
        return false;
    }
}

static bool read_options(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"group", required_argument, NULL, 'g'},
        {"label", required_argument, NULL, 'l'},
        {"cluster", required_argument, NULL, 'c'},
        {"job", required_argument, NULL, 'j'},
        {"restarts", required_argument, NULL, 'r'},
        {"keys", required_argument, NULL, 'k'},
        {"message", no_argument, NULL, 'm'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.keys = MT_KEYS_DIRECTORY, .record = {.uid = getuid()}};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (!take(options, option))
            return false;
    }
    return optind == argc &&
           (options->version || (options->group && options->label && options->record.cluster &&
                                 options->has_job && options->has_restarts));
}

static int print(const struct mt_buf *text, const char *end)
{
    if (fwrite(text->data, 1, text->len, stdout) != text->len || fputs(end, stdout) < 0 ||
        fflush(stdout) != 0)
        return say(EX_IOERR, "standard output can't be written: ", strerror(errno));
    return 0;
}

/* Sets the record's group. */
static int find_group(struct options *options)
{
    struct mt_group group = {.buffer = NULL};
    enum mt_tri found = mt_group_find(&group, options->group);
    if (found == MT_TRI_UNKNOWN)
        return say(EX_UNAVAILABLE, "the name service did not tell of the group ", options->group);
    if (found == MT_TRI_NO)
        return say(EX_DATAERR, "on this node there is no group ", options->group);
    options->record.group_known = MT_YES;
    options->record.group_gid = group.entry.gr_gid;
    mt_group_free(&group);
    return 0;
}

/* Appends the payload to `name`. */
static int seal(const struct options *options, const struct mt_buf *message,
                const struct mt_buf *prefix, struct mt_buf *name)
{
    struct mt_keyring ring;
    char why[MT_WHY_SIZE];
    unsigned char nonce[MT_KEY_NONCE_BYTES];
    enum mt_status status = MT_CRYPTO;
    if (mt_keyring_load(options->keys, options->record.group_gid, &ring, why) != MT_OK)
        return say(EX_CONFIG, why, "");
    if (RAND_bytes(nonce, sizeof nonce) == 1)
        status = mt_envelope_key_seal(&options->record, prefix->data, prefix->len, &ring.keys[0],
                                      nonce, message->data, message->len, name);
    mt_keyring_wipe(&ring);
    if (status == MT_TOO_LARGE)
        return say(EX_DATAERR, "what is shared is too long for a job name", "");
    return status == MT_OK ? 0 : say(EX_OSERR, mt_status_sentence(status), "");
}

/* Opens it as members will. */
static int try_it(const struct options *options, const struct mt_buf *name)
{
    const struct mt_settings settings = {.envelopes = MT_ENVELOPES_ALL, .keys = options->keys};
    struct mt_jobname parts;
    struct mt_message message = {.accounting = NULL};
    enum mt_reason reason = MT_REASON_malformed_name;
    enum mt_status status = MT_OK;
    if (mt_jobname_split(name->data, name->len, &parts))
        status = mt_envelope_open(&options->record, &parts, &settings, &message, &reason);
    mt_message_free(&message);
    if (status != MT_OK)
        return say(EX_OSERR, mt_status_sentence(status), "");
    return reason == MT_REASON_ok
               ? 0
               : say(EX_SOFTWARE, "what was sealed does not open: ", mt_reason_sentence(reason));
}

static int seal_and_print(const struct options *options, const struct mt_buf *message,
                          const struct mt_buf *prefix)
{
    struct mt_buf name = MT_BUF_INIT(4 * MT_JOBNAME_MAX);
    char over[96];
    int code = EX_OSERR;
    if (mt_buf_append(&name, prefix->data, prefix->len) == MT_OK)
        code = seal(options, message, prefix, &name);
    if (code == 0 && name.len > MT_JOBNAME_MAX) {
        (void)snprintf(over, sizeof over, "%zu bytes too long for a job name of %d bytes",
                       name.len - MT_JOBNAME_MAX, MT_JOBNAME_MAX);
        code = say(EX_DATAERR, "what is shared is ", over);
    }
    if (code == 0)
        code = try_it(options, &name);
    if (code == 0) {
        struct mt_buf payload = name;
        payload.data += prefix->len;
        payload.len -= prefix->len;
        code = print(&payload, "\n");
    }
    mt_buf_wipe(&name);
    return code;
}

static int run(struct options *options)
{
    struct mt_buf prefix = MT_BUF_INIT(MT_JOBNAME_MAX);
    struct mt_buf message = MT_BUF_INIT(MT_MESSAGE_MAX);
    struct mt_jobname name;
    const char *error;
    int code = EX_USAGE;
    char bare[MT_JOBNAME_MAX + 4];
    int len = snprintf(bare, sizeof bare, "%s|%s|-", options->label, options->group);
    if (len < 0 || len > MT_JOBNAME_MAX || !mt_jobname_split(bare, (size_t)len, &name))
        return say(EX_USAGE,
                   "LABEL and GROUP can't stand in a job name: no | in them, 1024 bytes "
                   "in all",
                   "");
    code = request_read(STDIN_FILENO, &options->record, &name, &message, &error);
    if (code != 0) {
        say(code, error, "");
        goto out;
    }
    if (options->message) {
        code = print(&message, "");
        goto out;
    }
    code = EX_OSERR;
    if (mt_buf_append(&prefix, bare, (size_t)len - 1) != MT_OK)
        goto out;
    if ((code = find_group(options)) == 0)
        code = seal_and_print(options, &message, &prefix);
out:
    mt_buf_wipe(&prefix);
    mt_buf_wipe(&message);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!read_options(&options, argc, argv))
        return say(EX_USAGE, "usage: ", USAGE);
    if (options.version)
        return printf("multitenant-seal %s\n", MT_VERSION) < 0 ? EX_IOERR : 0;
    return run(&options);
}
