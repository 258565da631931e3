/* SPDX-License-Identifier: MIT */
#include "input.h"

#include "say.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { CHUNK = 4096 };

int mt_input_read(struct mt_buf *text)
{
    char chunk[CHUNK];
    int status = 0;
    for (ssize_t n; status == 0 && (n = read(STDIN_FILENO, chunk, sizeof chunk)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = mt_say(EX_IOERR, "standard input can't be read (%s)", strerror(errno));
            break;
        }
        enum mt_status appended = mt_buf_append(text, chunk, (size_t)n);
        if (appended == MT_TOO_LARGE)
            status =
                mt_say(EX_DATAERR, "standard input is too long: over %zu KiB", text->limit / 1024);
        else if (appended != MT_OK)
            status = mt_say_no_memory();
    }
    explicit_bzero(chunk, sizeof chunk);
    return status;
}
