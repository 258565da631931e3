/* SPDX-License-Identifier: MIT */
#include "look.h"

#include <stdlib.h>
#include <string.h>

struct mt_specs *look(const struct mt_specs *last, const struct script *script,
                      const struct mt_settings *settings, const struct mt_dismissed *dismissed)
{
    struct mt_streams streams = {0};
    struct mt_dismissed none = {NULL};
    const struct mt_opened unopened = {NULL, 0};
    struct mt_specs *specs = NULL;
    size_t bad_line;
    ck_assert_int_eq(mt_streams_read(&streams, script->text, script->len, &bad_line), MT_OK);
    ck_assert_uint_eq(bad_line, 0);
    ck_assert_int_eq(mt_dismissed_new(&none), MT_OK);
    ck_assert_int_eq(mt_specs_begin(last, &streams, settings, &specs), MT_OK);
    ck_assert_int_eq(
        mt_specs_decide(specs, last, settings, &unopened, dismissed ? dismissed : &none), MT_OK);
    mt_dismissed_free(&none);
    mt_streams_free(&streams);
    return specs;
}

struct mt_specs *look_at(const struct mt_specs *last, const struct sample *samples, size_t count,
                         const struct mt_settings *settings)
{
    struct script script = {0};
    script_begin(&script, "hpc", "all");
    for (size_t i = 0; i < count; i++)
        script_job(&script, &samples[i]);
    script_end(&script);
    struct mt_specs *specs = look(last, &script, settings, NULL);
    script_free(&script);
    return specs;
}

struct mt_share *share_of(const struct mt_specs *specs, const char *cluster, uint32_t job_id)
{
    struct mt_share *share = mt_specs_find(specs, cluster, job_id);
    ck_assert_msg(share, "no job %u of %s in the round", job_id, cluster);
    return share;
}
