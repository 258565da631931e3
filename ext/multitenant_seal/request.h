/* SPDX-License-Identifier: MIT */
/* What multitenant-seal reads: the contents of a message, without the job that it is for. */
#pragma once

#include "attr.h"
#include "buf.h"
#include "jobname.h"
#include "record.h"

/*
 * Reads `{"id":…,"app":…,"method":…,"delivery":…,"conn":{KEY:TEXT,…},"to":[UID,…],"title":…}` from
 * standard input, `to` if the share is not for the whole group, `title` if it has one, and the
 * other keys of message_v2.h that may be absent, in any order, and appends it to `out` as the v2
 * message of `record`'s job and `name`'s group. All that a reader would refuse is refused. Other
 * than 0, a sentence was said.
 *
 * 0
 * 65 (EX_DATAERR): what is read can't be shared
 * 71 (EX_OSERR): no memory
 * 74 (EX_IOERR): it can't be read
 */
MT_CHECKED int request_read(const struct mt_record *record, const struct mt_jobname *name,
                            struct mt_buf *out);
