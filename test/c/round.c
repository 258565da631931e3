/* SPDX-License-Identifier: MIT */
#include "round.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t round_time;

struct mt_specs *round_of(const struct mt_specs *last, const struct script *script,
                          const struct mt_settings *settings, const struct mt_dismissed *dismissed)
{
    struct mt_streams streams = {0};
    const struct mt_dismissed none = {0};
    const struct mt_opened unopened = {NULL, 0};
    struct mt_specs *specs = NULL;
    size_t bad_line;
    ck_assert_int_eq(mt_streams_read(&streams, script->text, script->len, &bad_line), MT_OK);
    ck_assert_uint_eq(bad_line, 0);
    ck_assert_int_eq(mt_specs_begin(last, &streams, settings, &specs), MT_OK);
    ck_assert_int_eq(mt_specs_decide(specs, last, settings, &unopened,
                                     dismissed ? dismissed : &none, round_time),
                     MT_OK);
    mt_streams_free(&streams);
    return specs;
}

struct mt_specs *round_of_samples(const struct mt_specs *last, const struct sample *samples,
                                  size_t count, const struct mt_settings *settings)
{
    struct script script = {0};
    script_begin(&script, "hpc", "all");
    for (size_t i = 0; i < count; i++)
        script_job(&script, &samples[i]);
    script_end(&script);
    struct mt_specs *specs = round_of(last, &script, settings, NULL);
    script_free(&script);
    return specs;
}

struct mt_share *share_of(const struct mt_specs *specs, const char *cluster, uint32_t job_id)
{
    struct mt_share *share = mt_specs_find(specs, cluster, job_id);
    ck_assert_msg(share, "no job %u of %s in the round", job_id, cluster);
    return share;
}

enum mt_status load_dismissed(const char *dataroot, struct mt_dismissed *out)
{
    int root = open(dataroot, O_RDONLY | O_DIRECTORY);
    enum mt_status status = mt_dismissed_load(root, out);
    (void)close(root); /* Check would allocate, while a test has that fail. */
    return status;
}

enum mt_status save_dismissed(const char *dataroot, const struct mt_dismissed *dismissed)
{
    int root = open(dataroot, O_RDONLY | O_DIRECTORY);
    enum mt_status status = mt_dismissed_save(root, dismissed);
    ck_assert_int_eq(close(root), 0);
    return status;
}
