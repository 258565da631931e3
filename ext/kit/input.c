/* SPDX-License-Identifier: MIT */
#include "input.h"

#include "say.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

int mt_input_read(struct mt_buf *text)
{
    switch (mt_buf_read(text, STDIN_FILENO)) {
    case MT_OK:
        return 0;
    case MT_IO:
        return mt_say(EX_IOERR, "standard input can't be read (%s)", strerror(errno));
    case MT_TOO_LARGE:
        return mt_say(EX_DATAERR, "standard input is too long: over %zu KiB", text->limit / 1024);
    default:
        return mt_say_no_memory();
    }
}
