/* SPDX-License-Identifier: MIT */
/*
 * multitenant-seal: makes the v2 message of the job that it runs in, for the user it runs as, and
 * seals it with the group's key. What is shared comes on standard input, never in arguments.
 */
#include "deadline.h"
#include "directory.h"
#include "envelope.h"
#include "envelope_key.h"
#include "lines.h"
#include "program.h"
#include "request.h"
#include "say.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char help[] =
    "usage: multitenant-seal --group GROUP --label LABEL --cluster CLUSTER --job ID\n"
    "                        --restarts COUNT [--keys DIRECTORY] [--timeout SECONDS]\n"
    "\n"
    "Run in a job: reads what it shares from standard input, as one JSON object\n"
    "  {\"id\":...,\"app\":...,\"method\":...,\"delivery\":...,\"conn\":{KEY:TEXT,...}}\n"
    "with \"to\":[UID,...] where it is not for the whole group, \"title\" where it has one, and\n"
    "\"service\", \"until\" (epoch) and \"lead\" (minutes) of a service of several jobs,\n"
    "\"door\" (32 bytes in base64url) and \"gate\" (its port) of its gateway,\n"
    "seals it with the group's key, and prints what follows LABEL|GROUP| in the job's name.\n"
    "\n"
    "  --group GROUP         whose members may read it\n"
    "  --label LABEL         what stands before the first | of the name\n"
    "  --cluster CLUSTER     Slurm's name of the job's cluster\n"
    "  --job ID              the job's raw id\n"
    "  --restarts COUNT      how often it was requeued\n"
    "  --keys DIRECTORY      where the groups' keys are (default " MT_KEYS_DIRECTORY ")\n"
    "  --timeout SECONDS     end within this time, 0.1 to 3600 (default 25)\n"
    "  --help, --version     this text; the program's version\n"
    "\n"
    "Exit codes: 0 fine, 64 usage, 65 this can't be shared, 69 the name service does not tell\n"
    "of the group, 70 and 71 internal, 74 input or output, 75 out of time, 78 the group's keys\n"
    "can't be used.\n";

struct seal_options {
    const char *group;
    const char *label;
    const char *keys;
    struct mt_record record;
    bool has_restarts;
};

static int take(void *into, int option, const char *value)
{
    struct seal_options *options = into;
    switch (option) {
    case 'g':
        options->group = value;
        return 0;
    case 'l':
        options->label = value;
        return 0;
    case 'k':
        options->keys = value;
        return 0;
    case 'c':
        options->record.cluster = value;
        if (*value && strlen(value) <= MT_NAME_MAX)
            return 0;
        return mt_usage("--cluster is not the name of a cluster");
    case 'j':
        if (mt_program_number(value, &options->record.job_id) && options->record.job_id > 0)
            return 0;
        return mt_usage("--job is not the number of a job");
    default:
        options->has_restarts = true;
        return mt_program_number(value, &options->record.restarts)
                   ? 0
                   : mt_usage("--restarts is not a number");
    }
}

/* What has to be said; the name of the job, but for the payload, is put into `bare` and *name. */
static int check(const struct seal_options *options, char bare[MT_JOBNAME_MAX + 4],
                 struct mt_jobname *name)
{
    const char *missing = !options->group            ? "--group"
                          : !options->label          ? "--label"
                          : !options->record.cluster ? "--cluster"
                          : !options->record.job_id  ? "--job"
                          : !options->has_restarts   ? "--restarts"
                                                     : NULL;
    if (missing)
        return mt_usage("%s is missing", missing);
    int len = snprintf(bare, MT_JOBNAME_MAX + 4, "%s|%s|-", options->label, options->group);
    if (len > 0 && len <= MT_JOBNAME_MAX && mt_jobname_split(bare, (size_t)len, name))
        return 0;
    return mt_usage("LABEL and GROUP can't stand in a job name: no | in them, %d bytes in all",
                    MT_JOBNAME_MAX);
}

/* Sets the record's group. */
static int find_group(struct seal_options *options)
{
    struct mt_group group;
    mt_deadline_step(&mt_directory_step);
    enum mt_answer found = mt_group_find(&group, options->group);
    if (found == MT_UNKNOWN)
        return mt_say(EX_UNAVAILABLE, "the name service did not tell of the group %s",
                      options->group);
    if (found == MT_NO)
        return mt_say(EX_DATAERR, "on this node there is no group %s", options->group);
    options->record.group_known = MT_YES;
    options->record.group_gid = group.entry.gr_gid;
    mt_group_free(&group);
    return 0;
}

/* Appends the payload to `name`. `prefix` is what stands before it. */
static int seal(const struct seal_options *options, const struct mt_buf *message,
                const char *prefix, size_t len, struct mt_buf *name)
{
    struct mt_keyring ring;
    char why[MT_WHY_SIZE];
    unsigned char nonce[MT_KEY_NONCE_BYTES];
    enum mt_status status = MT_CRYPTO;
    if (mt_keyring_load(options->keys, options->record.group_gid, &ring, why) != MT_OK)
        return mt_say(EX_CONFIG, "%s", why);
    if (RAND_bytes(nonce, sizeof nonce) == 1)
        status = mt_envelope_key_seal(&options->record, prefix, len, &ring.keys[0], nonce,
                                      message->data, message->len, name);
    mt_keyring_wipe(&ring);
    if (status == MT_TOO_LARGE)
        return mt_say(EX_DATAERR, "what is shared is too long for a job name");
    return status == MT_OK ? 0 : mt_say(EX_OSERR, "%s", mt_status_sentence(status));
}

/* Opens it as members will. */
static int try_it(const struct seal_options *options, const struct mt_buf *name)
{
    const struct mt_settings settings = {.envelopes = MT_ENVELOPES_ALL, .keys = options->keys};
    const struct mt_opened opened = {.items = NULL};
    struct mt_record record = options->record;
    struct mt_message message = {.accounting = NULL};
    enum mt_reason reason;
    record.is_share = mt_jobname_split(name->data, name->len, &record.parts);
    enum mt_status status = record.is_share
                                ? mt_envelope_open(&record, &settings, &opened, &message, &reason)
                                : mt_refuse(MT_REASON_malformed_name, &reason);
    mt_message_free(&message);
    if (status == MT_REFUSED)
        return mt_say(EX_SOFTWARE, "what was sealed does not open: %s", mt_reason_sentence(reason));
    return status == MT_OK ? 0 : mt_say(EX_OSERR, "%s", mt_status_sentence(status));
}

static int print(const char *payload, size_t len)
{
    mt_deadline_step(&mt_step_output);
    (void)fwrite(payload, 1, len, stdout);
    (void)putchar('\n');
    return mt_lines_flush();
}

static int seal_and_print(const struct seal_options *options, const struct mt_buf *message,
                          const char *prefix, size_t len)
{
    struct mt_buf name = MT_BUF_INIT(4 * MT_JOBNAME_MAX);
    int code = mt_buf_append(&name, prefix, len) == MT_OK
                   ? seal(options, message, prefix, len, &name)
                   : mt_say_no_memory();
    if (code == 0 && name.len > MT_JOBNAME_MAX)
        code = mt_say(EX_DATAERR, "what is shared is %zu bytes too long for a job name of %d bytes",
                      name.len - MT_JOBNAME_MAX, MT_JOBNAME_MAX);
    if (code == 0)
        code = try_it(options, &name);
    if (code == 0)
        code = print(name.data + len, name.len - len);
    mt_buf_wipe(&name);
    return code;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"group", required_argument, NULL, 'g'},
        {"label", required_argument, NULL, 'l'},
        {"cluster", required_argument, NULL, 'c'},
        {"job", required_argument, NULL, 'j'},
        {"restarts", required_argument, NULL, 'r'},
        {"keys", required_argument, NULL, 'k'},
        MT_OPTIONS_OF_ALL,
    };
    static const struct mt_program program = {
        .help = help, .options = known, .timeout = 25, .take = take};
    struct seal_options options = {.keys = MT_KEYS_DIRECTORY, .record = {.uid = getuid()}};
    struct mt_buf message = MT_BUF_INIT(MT_MESSAGE_MAX);
    struct mt_jobname name;
    char bare[MT_JOBNAME_MAX + 4];
    int code;

    if (!mt_program_begin(&program, argc, argv, &options, &code))
        return code;
    code = check(&options, bare, &name);
    if (code == 0)
        code = request_read(&options.record, &name, &message);
    if (code == 0)
        code = find_group(&options);
    if (code == 0)
        code = seal_and_print(&options, &message, bare, strlen(bare) - 1);
    mt_buf_wipe(&message);
    return code;
}
