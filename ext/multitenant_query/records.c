/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "records.h"

#include "errlog.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int no_memory(void)
{
    mt_errlog_say("out of memory");
    return EX_OSERR;
}

static int not_written(void)
{
    mt_errlog_say("standard output cannot be written (%s); see who reads it", strerror(errno));
    return EX_IOERR;
}

/* Takes `line`; NULL: there was no memory for it. */
static int write_line(FILE *out, json_t *line)
{
    if (!line)
        return no_memory();
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (!text)
        return no_memory();
    int status = fputs(text, out) < 0 || putc('\n', out) == EOF ? not_written() : 0;
    free(text);
    return status;
}

/* Adds to a line and takes `value`. A line that lost a value to lack of memory becomes NULL. */
static void add(json_t **line, const char *key, json_t *value)
{
    if (*line && value && json_object_set_new_nocheck(*line, key, value) == 0)
        return;
    if (!*line)
        json_decref(value);
    json_decref(*line);
    *line = NULL;
}

/* Each byte as the character of its number. */
static json_t *binary(const char *bytes)
{
    size_t len = strlen(bytes);
    char *text = malloc(2 * len + 1);
    if (!text)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x80)
            text[n++] = (char)(0xc0 | c >> 6);
        text[n++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
    }
    json_t *value = json_stringn(text, n);
    free(text);
    return value;
}

/* NULL without memory. *is_binary tells how it was written. */
static json_t *string(const char *bytes, bool *is_binary)
{
    json_t *value = json_string(bytes);
    *is_binary = value == NULL;
    return value ? value : binary(bytes);
}

static json_t *tri(enum mt_tri value)
{
    return value == MT_TRI_UNKNOWN ? json_null() : json_boolean(value == MT_TRI_YES);
}

static json_t *gid(const struct mt_member_answer *answer)
{
    if (answer->group_known == MT_TRI_UNKNOWN)
        return json_null();
    return json_integer(answer->group_known == MT_TRI_YES ? (json_int_t)answer->gid : -1);
}

int mt_records_head(FILE *out, const struct mt_cluster *cluster, const struct mt_options *options,
                    int64_t generated)
{
    bool ignored = false;
    json_t *keys = json_array();
    for (size_t i = 0; keys && i < options->key_count; i++) {
        if (json_array_append_new(keys, json_string(options->keys[i])) != 0) {
            json_decref(keys);
            keys = NULL;
        }
    }
    json_t *line = json_object();
    add(&line, "multitenant", json_integer(1));
    add(&line, "generated", json_integer((json_int_t)generated));
    add(&line, "cluster", string(cluster->name, &ignored));
    add(&line, "wckeys", keys);
    add(&line, "sees", json_string(cluster->sees_all ? "all" : "own"));
    if (options->publishers)
        add(&line, "publishers", string(options->publishers, &ignored));
    return write_line(out, line);
}

int mt_records_job(FILE *out, const char *cluster, const struct mt_job *job,
                   const struct mt_member_answer *answer, bool with_allowed)
{
    const char *user = job->user ? job->user : answer->user;
    bool is_binary = false;
    bool ignored = false;
    json_t *line = json_object();
    add(&line, "cluster", string(cluster, &ignored));
    add(&line, "job_id", json_integer(job->job_id));
    add(&line, "user", string(user ? user : "", &ignored));
    add(&line, "uid", json_integer(job->uid));
    add(&line, "name", string(job->name, &is_binary));
    if (is_binary)
        add(&line, "binary", json_true());
    add(&line, "start", json_integer((json_int_t)job->start));
    add(&line, "end", json_integer((json_int_t)job->end));
    add(&line, "restarts", json_integer(job->restarts));
    add(&line, "group_gid", gid(answer));
    add(&line, "publisher_in_group", tri(answer->in_group));
    if (with_allowed)
        add(&line, "publisher_allowed", tri(answer->allowed));
    if (!answer->done)
        add(&line, "out_of_time", json_true());
    add(&line, "wckey", string(job->wckey, &ignored));
    return write_line(out, line);
}

int mt_records_cut(FILE *out)
{
    return fflush(out) == 0 ? 0 : not_written();
}

int mt_records_end(FILE *out, size_t count)
{
    json_t *line = json_object();
    add(&line, "end", json_integer((json_int_t)count));
    int status = write_line(out, line);
    return status ? status : mt_records_cut(out);
}
