/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multitenant-query: what Slurm and the name service say of the running jobs of some WCKeys.
 *
 * A program of its own, because libslurm may block for a minute or end the process. One question
 * after the other: slurmdbd (what is hidden, which jobs), slurmctld (their names and nodes, or
 * where it lacks one what it hides), the name service (groups and members). Then all is written at
 * once.
 */
#include "lines.h"
#include "member_line.h"
#include "members.h"
#include "mt_limits.h"
#include "program.h"
#include "say.h"
#include "slurm_cluster.h"
#include "slurm_jobs.h"
#include "slurm_nodes.h"
#include "steps.h"
#include "streams.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* ---- the command line ---- */

static const char help[] =
    "usage: multitenant-query --wckey KEY[,KEY...] [--cluster NAME] [--timeout SECONDS]\n"
    "                         [--publishers GROUPS] [--known]\n"
    "\n"
    "Prints the running jobs of the WCKeys as records, one JSON object a line: what slurmdbd,\n"
    "slurmctld and the name service say of each. A key finds the jobs that have it as their\n"
    "user's default key as well.\n"
    "\n"
    "  --wckey KEY[,KEY...]  the keys that are asked for\n"
    "  --cluster NAME        a cluster other than that of slurm.conf\n"
    "  --timeout SECONDS     end within this time, 0.1 to 3600 (default 3)\n"
    "  --publishers GROUPS   also say of each job whether its owner is in one of GROUPS (a,b)\n"
    "  --known               records are on standard input: the nodes in them are not asked for\n"
    "  --help, --version     this text; the program's version and Slurm's\n"
    "\n"
    "Exit codes: 0 fine, 64 usage, 65 input that is too long, 69 Slurm does not answer, 70 and 71\n"
    "internal, 74 input or output, 75 out of time, 78 configuration. Without a last line\n"
    "{\"end\":COUNT} records are missing.\n";

struct query_options {
    char keys[MT_WCKEYS_MAX][MT_QUERY_NAME_MAX + 1]; /* lower case, none twice */
    size_t key_count;
    char cluster[MT_QUERY_NAME_MAX + 1]; /* lower case; "": the own one */
    const char *publishers;              /* groups, a,b; NULL: none */
    bool known;                          /* records come on standard input */
};

/* Copies a name of `len` bytes, none of them NUL, in lower case, as Slurm keeps it. */
static bool name_copy(char out[MT_QUERY_NAME_MAX + 1], const char *name, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.:@+-";
    if (len == 0 || len > MT_QUERY_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (!strchr(allowed, out[i]))
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
    size_t len = value ? strlen(value) : 0;
    if (option == 'k')
        return read_keys(options, value);
    if (option == 'c')
        return name_copy(options->cluster, value, len)
                   ? 0
                   : mt_usage("--cluster is not the name of a cluster");
    if (option == 'n') {
        options->known = true;
        return 0;
    }
    options->publishers = value;
    return len > 0 && len <= MT_NAME_MAX ? 0 : mt_usage("--publishers is not the name of a group");
}

/* ---- the questions ---- */

static int take_nodes(json_t *known, const json_t *nodes)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_t *node = json_array_get(nodes, i);
        const char *name = json_string_value(json_object_get(node, "name"));
        if (json_object_set_nocheck(known, name, node) != 0)
            return mt_say_no_memory();
    }
    return 0;
}

/* The nodes in the records of standard input, by name. */
static int read_known(json_t *known, const char *cluster)
{
    struct mt_buf text = MT_BUF_INIT(MT_RECORDS_MAX);
    struct mt_streams streams = {.count = 0};
    size_t ignored;
    int code = mt_input_read(&text);
    if (code == 0 && mt_streams_read(&streams, text.data ? text.data : "", text.len, &ignored))
        code = mt_say_no_memory();
    for (size_t i = 0; i < streams.count; i++) {
        const struct mt_stream *stream = &streams.items[i];
        for (size_t j = 0; j < stream->count && strcmp(stream->cluster, cluster) == 0; j++)
            code = code ? code : take_nodes(known, stream->records[j].nodes);
    }
    mt_streams_free(&streams);
    mt_buf_wipe(&text);
    return code;
}

/* Asks the name service about all jobs; *members is the caller's to free. */
static int ask_members(struct mt_members **members, const struct mt_jobs *jobs,
                       const char *publishers, bool *finished)
{
    *members = mt_members_new(jobs->count, publishers, false);
    if (!*members)
        return mt_say_no_memory();
    for (size_t i = 0; i < jobs->count; i++) {
        const struct mt_job *job = &jobs->items[i];
        const char *group = job->is_share ? job->parts.group : NULL;
        if (!mt_members_ask(*members, job->uid, group, job->parts.group_len, job->user == NULL))
            return mt_say_no_memory();
    }
    step_begin(&mt_directory_step);
    *finished = mt_members_run(*members, mt_deadline_soft());
    return 0;
}

/* ---- the record stream, doc/formats.md ---- */

/* `generated` is the time when Slurm was asked. */
static int write_head(const struct mt_slurm_cluster *cluster, const struct query_options *options,
                      int64_t generated)
{
    json_t *keys = json_array();
    for (size_t i = 0; keys && i < options->key_count; i++) {
        if (json_array_append_new(keys, json_string(options->keys[i])) != 0) {
            json_decref(keys);
            keys = NULL;
        }
    }
    json_t *line = json_object();
    mt_line_add(&line, "multitenant", json_integer(1));
    mt_line_add(&line, "generated", json_integer((json_int_t)generated));
    mt_line_add(&line, "cluster", mt_line_text(cluster->name, NULL));
    mt_line_add(&line, "wckeys", keys);
    mt_line_add(&line, "sees", json_string(cluster->sees_all ? "all" : "own"));
    mt_line_add(&line, "private_jobs", json_boolean(cluster->hides_jobs));
    if (options->publishers)
        mt_line_add(&line, "publishers", mt_line_text(options->publishers, NULL));
    return mt_line_write(line);
}

/* `nodes` are those of all shares, or NULL. */
static int write_job(const char *cluster, const struct mt_job *job, json_t *nodes,
                     const struct mt_member_answer *answer, bool with_allowed)
{
    const char *user = job->user ? job->user : answer->user;
    bool is_binary = false;
    json_t *line = json_object();
    mt_line_add(&line, "cluster", mt_line_text(cluster, NULL));
    mt_line_add(&line, "job_id", json_integer(job->job_id));
    mt_line_add(&line, "user", mt_line_text(user ? user : "", NULL));
    mt_line_add(&line, "uid", json_integer(job->uid));
    mt_line_add(&line, "name", mt_line_text(job->name, &is_binary));
    if (is_binary)
        mt_line_add(&line, "binary", json_true());
    mt_line_add(&line, "start", json_integer((json_int_t)job->start));
    mt_line_add(&line, "end", json_integer((json_int_t)job->end));
    mt_line_add(&line, "restarts", json_integer(job->restarts));
    mt_member_line_add(&line, answer, with_allowed);
    mt_line_add(&line, "wckey", mt_line_text(job->wckey, NULL));
    if (nodes && job->is_share)
        mt_line_add(&line, "nodes", mt_nodes_of(nodes, job));
    return mt_line_write(line);
}

static int write_records(const struct mt_slurm_cluster *cluster,
                         const struct query_options *options, int64_t generated,
                         const struct mt_jobs *jobs, json_t *nodes, struct mt_members *members,
                         bool complete)
{
    step_begin(&mt_step_output);
    int status = write_head(cluster, options, generated);
    for (size_t i = 0; i < jobs->count && status == 0; i++) {
        struct mt_member_answer answer;
        mt_members_answer(members, i, &answer);
        status =
            write_job(cluster->name, &jobs->items[i], nodes, &answer, options->publishers != NULL);
    }
    if (status)
        return status;
    return complete ? mt_lines_end(jobs->count) : mt_lines_flush();
}

/*
 * A slurmctld that hides others' jobs lacks some that slurmdbd named; where it has all of them, its
 * configuration adds nothing.
 */
static int ask_jobs(struct mt_jobs *jobs, struct mt_slurm_cluster *cluster,
                    const struct query_options *options)
{
    bool is_other = false;
    int status = mt_jobs_ask(jobs, cluster, options->keys, options->key_count);
    if (status == 0 && !jobs->hide_nothing)
        status = mt_slurm_cluster_confirm(cluster, &is_other);
    if (!is_other)
        return status;
    mt_jobs_free(jobs);
    return mt_jobs_ask(jobs, cluster, options->keys, options->key_count);
}

/* What is known is written, also when a daemon stopped to answer half-way. */
static int run(const struct query_options *options)
{
    struct mt_slurm_cluster cluster = {0};
    struct mt_jobs jobs = {0};
    struct mt_members *members = NULL;
    json_t *known = json_object();
    json_t *nodes = NULL;
    bool finished = false;
    int64_t generated = (int64_t)time(NULL);

    int status = known ? mt_slurm_cluster_open(&cluster, options->cluster) : mt_say_no_memory();
    if (status == 0 && options->known)
        status = read_known(known, cluster.name);
    if (status)
        goto out;
    status = ask_jobs(&jobs, &cluster, options);
    if (status == 0)
        status = mt_nodes_ask(&nodes, known, &jobs);
    if (status && status != EX_UNAVAILABLE)
        goto out;
    int failed = ask_members(&members, &jobs, options->publishers, &finished);
    if (!failed)
        failed = write_records(&cluster, options, generated, &jobs, nodes, members, status == 0);
    if (failed)
        status = failed;
out:
    mt_deadline_end(status);
    if (members && !finished)
        _exit(status); /* the worker hangs in the name service, and so would exit() */
    mt_members_free(members);
    json_decref(known);
    json_decref(nodes);
    mt_jobs_free(&jobs);
    mt_slurm_cluster_close(&cluster);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"wckey", required_argument, NULL, 'k'},
        {"cluster", required_argument, NULL, 'c'},
        {"publishers", required_argument, NULL, 'p'},
        {"known", no_argument, NULL, 'n'},
        MT_OPTIONS_OF_ALL,
    };
    char slurm[32];
    char built_with[48];
    (void)snprintf(built_with, sizeof built_with, " (Slurm %s)", mt_slurm_version(slurm));
    const struct mt_program program = {
        .help = help, .built_with = built_with, .options = known, .timeout = 3, .take = take};
    struct query_options options = {.key_count = 0};
    int status;

    if (!mt_program_begin(&program, argc, argv, &options, &status))
        return status;
    if (options.key_count == 0)
        return mt_usage("--wckey is missing");
    status = steps_watch();
    return status ? status : run(&options);
}
