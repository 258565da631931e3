/* SPDX-License-Identifier: MIT */
/* What a program reads. */
#pragma once

#include "attr.h"
#include "buf.h"

/*
 * Appends standard input, up to its end, to `text`. Other than 0, a sentence was said. The caller
 * wipes `text` in any case.
 *
 * 0
 * 65 (EX_DATAERR): it is longer than `text` may be
 * 71 (EX_OSERR): no memory
 * 74 (EX_IOERR): it can't be read
 */
MT_CHECKED int mt_input_read(struct mt_buf *text);
