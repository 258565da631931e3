/* SPDX-License-Identifier: MIT */
#include "member_line.h"

#include "lines.h"

static json_t *gid_of(const struct mt_member_answer *answer)
{
    if (answer->group_known == MT_UNKNOWN)
        return json_null();
    return json_integer(answer->group_known == MT_YES ? (json_int_t)answer->gid : -1);
}

void mt_member_line_add(json_t **line, const struct mt_member_answer *answer, bool with_allowed)
{
    mt_line_add(line, "group_gid", gid_of(answer));
    mt_line_add(line, "publisher_in_group", mt_line_answer(answer->in_group));
    if (with_allowed)
        mt_line_add(line, "publisher_allowed", mt_line_answer(answer->allowed));
    if (!answer->done)
        mt_line_add(line, "out_of_time", json_true());
}
