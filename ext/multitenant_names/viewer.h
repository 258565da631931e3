/* SPDX-License-Identifier: MIT */
/* The user whose process this is: the groups that they have now. */
#pragma once

#include "attr.h"
#include "members.h"

#include <jansson.h>
#include <sys/types.h>

/*
 * {"viewer":{"uid":…,"gids":…}} of what the name service said of the user; gids are null where that
 * could not be learned, and empty where there is no such user.
 *
 * A name service of which a part is down gives a short list and no error (getgrouplist(3)). So a
 * group of this process's that is not in the list counts as lost only if the name service finds the
 * group itself, without the user in it. May block for as long as the name service likes.
 *
 * Returns NULL without memory; the caller owns the line.
 */
MT_CHECKED json_t *mt_viewer_line(uid_t uid, const struct mt_member_answer *answer);
