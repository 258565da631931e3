/* SPDX-License-Identifier: MIT */
/* Makes a MUNGE credential, by which its maker logs in somewhere. */
#pragma once

#include "buf.h"

/* Who alone may open it, and for how many seconds. */
struct mt_wish {
    uint32_t reader;
    uint32_t ttl;
};

/*
 * Has munged seal `text` for this process's user, and writes it: a line, and the last one. Blocks
 * while munged does not answer. `socket` is NULL where it is libmunge's default. Other than 0, a
 * sentence was said.
 *
 * 0
 * 69 (EX_UNAVAILABLE): munged could not be asked, or refused
 * 71 (EX_OSERR): no memory
 * 74 (EX_IOERR): standard output can't be written
 */
MT_NODISCARD MT_NONNULL(1, 2) int mt_credential_make(const struct mt_buf *text,
                                                     const struct mt_wish *wish,
                                                     const char *socket);
