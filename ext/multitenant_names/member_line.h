/* SPDX-License-Identifier: MIT */
/* How a record says what the name service says. */
#pragma once

#include "attr.h"
#include "members.h"

#include <jansson.h>

/*
 * Adds group_gid (-1: no such group), publisher_in_group, `with_allowed` publisher_allowed, each
 * null where it could not be learned; and out_of_time where the answer was cut off.
 */
MT_NONNULL_ALL void mt_member_line_add(json_t **line, const struct mt_member_answer *answer,
                                       bool with_allowed);
