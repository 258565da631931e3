/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "records.h"

#include "lines.h"
#include "member_line.h"

int mt_records_head(const struct mt_slurm_cluster *cluster, const struct query_options *options,
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
    if (options->publishers)
        mt_line_add(&line, "publishers", mt_line_text(options->publishers, NULL));
    return mt_line_write(line);
}

int mt_records_job(const char *cluster, const struct mt_job *job,
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
    return mt_line_write(line);
}
