/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "errlog.h"

#include "deadline.h"
#include "say.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* All of this is read by a signal handler. */
static atomic_int kept_fd = -1;
static atomic_long mark;

void mt_errlog_open(void)
{
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (saved < 0)
        return;
    int kept = memfd_create("multitenant-query stderr", MFD_CLOEXEC);
    int target = kept >= 0 ? kept : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (target < 0 || dup2(target, STDERR_FILENO) < 0) {
        if (target >= 0)
            close(target);
        close(saved);
        return;
    }
    if (kept < 0)
        close(target);
    mt_say_to(saved);
    mt_deadline_quotes(mt_errlog_cause);
    atomic_store(&kept_fd, kept);
}

void mt_errlog_mark(void)
{
    int fd = atomic_load(&kept_fd);
    if (fd < 0)
        return;
    off_t here = lseek(fd, 0, SEEK_CUR); /* shared with descriptor 2 */
    atomic_store(&mark, here > 0 ? (long)here : 0);
}

static char printable(char c)
{
    return c >= 0x20 && c < 0x7f ? c : '?';
}

/* What follows the first `word` in the text, or NULL. */
static const char *after(const char *text, const char *word)
{
    const char *found = strstr(text, word);
    return found ? found + strlen(word) : NULL;
}

/* The first error, but for a piece of advice that auth/munge gives before it says what is wrong. */
static const char *first_error(const char *text)
{
    static const char advice[] = "If munged is up";
    const char *error = after(text, "error: ");
    if (error && strncmp(error, advice, strlen(advice)) == 0) {
        const char *next = after(error, "error: ");
        error = next ? next : error;
    }
    return error;
}

/* Appends a line to the cause and returns its new length. */
static size_t append_line(char cause[MT_CAUSE_MAX + 1], size_t len, const char *line)
{
    for (; *line && *line != '\n' && len < MT_CAUSE_MAX; line++)
        cause[len++] = printable(*line);
    cause[len] = '\0';
    return len;
}

void mt_errlog_cause(char cause[MT_CAUSE_MAX + 1])
{
    cause[0] = '\0';
    int fd = atomic_load(&kept_fd);
    if (fd < 0)
        return;
    char text[MT_LOG_SEARCHED_MAX + 1];
    ssize_t size = pread(fd, text, MT_LOG_SEARCHED_MAX, (off_t)atomic_load(&mark));
    if (size <= 0)
        return;
    text[size] = '\0';
    const char *fatal = after(text, "fatal: ");
    const char *error = first_error(text);
    size_t len = fatal ? append_line(cause, 0, fatal) : 0;
    if (fatal && error)
        len = append_line(cause, len, ": ");
    if (error)
        append_line(cause, len, error);
}
