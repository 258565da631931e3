/* SPDX-License-Identifier: MIT */
#include "keeper.h"

#include "buf.h"
#include "children.h"
#include "clock.h"
#include "say.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define LOOK_EVERY_MS 1000
#define HEX_SIZE 65
#define SEEN_SIZE sizeof(((struct keeper *)NULL)->seen)
#define LINE_MAX_BYTES 1024
#define NAME_SIZE (MT_NAME_MAX + 32)

/* What goes through the socket: one of these, or a line for the log. */
enum message { TELLS_LISTS = 'L', TELLS_ROTATED = 'R', TELLS_WRONG = 'W', SAYS_SEEN = 'S' };

struct told {
    char message;
    char seen[SEEN_SIZE]; /* the line of the file `seen` */
    struct lists lists;
};

/* A file of the state as it was read last. */
struct watched {
    const char *name;
    struct stat st;
    char hex[HEX_SIZE];
    enum mt_status (*read)(struct lists *lists, const char *text, size_t len);
};

struct files {
    int socket;
    int state;
    const char *path; /* of state */
    int logs;
    char seen[NAME_SIZE];
    char log[NAME_SIZE];
    char access[NAME_SIZE];
    struct watched watched[2];
    struct lists lists;
    struct lists trial;
    struct told told;
};

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool digest(const struct mt_buf *bytes, char out[HEX_SIZE])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    if (EVP_Digest(bytes->data ? bytes->data : "", bytes->len, sum, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t i = 0; i < (HEX_SIZE - 1) / 2; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
    return true;
}

/* 1: the file is another one than before, and read; 0: it is the same; -1: it can't be used, and
 * what it said before holds. */
static int read_one(struct files *files, struct watched *watched, bool first)
{
    struct stat st = {.st_ino = 0};
    struct mt_file file = MT_FILE_INIT;
    int changed = -1;
    if (fstatat(files->state, watched->name, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
        return -1;
    if (!first && is_unchanged(&st, &watched->st))
        return 0;
    files->trial = files->lists;
    if (mt_store_read(files->state, watched->name, &file) == MT_OK &&
        watched->read(&files->trial, file.bytes.data ? file.bytes.data : "", file.bytes.len) ==
            MT_OK &&
        digest(&file.bytes, watched->hex)) {
        files->lists = files->trial;
        watched->st = st;
        changed = 1;
    }
    mt_buf_wipe(&file.bytes);
    return changed;
}

static void send_lists(struct files *files, enum message message)
{
    files->told = (struct told){.message = (char)message, .lists = files->lists};
    (void)snprintf(files->told.seen, SEEN_SIZE, "%s %s\n", files->watched[0].hex,
                   files->watched[1].hex);
    if (send(files->socket, &files->told, sizeof files->told, MSG_NOSIGNAL) < 0)
        _exit(1);
}

/* An NFS says for a minute what it knew, also of a file that was not there. Who opens a directory
 * by its path has it ask its server, and if the directory has changed, for all that is in it. */
static void ask_anew(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
}

static void look(struct files *files, bool first)
{
    ask_anew(files->path);
    int banned = read_one(files, &files->watched[0], first);
    int limits = read_one(files, &files->watched[1], first);
    if (first && (banned < 0 || limits < 0))
        send_lists(files, TELLS_WRONG);
    else if (banned > 0 || limits > 0)
        send_lists(files, TELLS_LISTS);
}

static void write_seen(const struct files *files, const char *line, size_t len)
{
    if (mt_store_write(files->state, files->seen, files->state, line, len) != MT_OK)
        return; /* whoever waits for it is told that it does not act yet */
}

/* Gives the log the name of the first old one, and that the name of the second. */
static bool rotate(const struct files *files, const char *name)
{
    char first[NAME_SIZE + 2];
    char second[NAME_SIZE + 2];
    struct stat st;
    if (fstatat(files->logs, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_size < MT_GATE_LOG_MAX)
        return false;
    (void)snprintf(first, sizeof first, "%s.1", name);
    (void)snprintf(second, sizeof second, "%s.2", name);
    (void)renameat(files->logs, first, files->logs, second);
    return renameat(files->logs, name, files->logs, first) == 0;
}

static void write_line(const struct files *files, const char *line, size_t len)
{
    int fd = openat(files->logs, files->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd < 0)
        return; /* a full disk must not lock anybody out */
    if (mt_write_all(fd, line, len) == MT_OK)
        (void)rotate(files, files->log);
    (void)close(fd);
}

/* Until the gate ends. */
static _Noreturn void keep(struct files *files)
{
    char text[LINE_MAX_BYTES];
    int64_t next = 0;
    look(files, true);
    for (;;) {
        struct pollfd fd = {.fd = files->socket, .events = POLLIN};
        if (poll(&fd, 1, LOOK_EVERY_MS) < 0 && errno != EINTR)
            _exit(1);
        ssize_t n = recv(files->socket, text, sizeof text, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            _exit(0);
        if (n > 1 && text[0] == SAYS_SEEN)
            write_seen(files, text + 1, (size_t)n - 1);
        else if (n > 1)
            write_line(files, text, (size_t)n);
        if (mt_now() < next)
            continue;
        next = mt_now() + LOOK_EVERY_MS * MT_SECOND / 1000;
        look(files, false);
        const char rotated = TELLS_ROTATED;
        if (rotate(files, files->access) && send(files->socket, &rotated, 1, MSG_NOSIGNAL) < 0)
            _exit(1);
    }
}

static _Noreturn void run(int socket, const struct config *config, pid_t parent)
{
    struct files *files = calloc(1, sizeof *files);
    /* Slurm's TERM comes to all processes of a job; this one ends with the gate. */
    if (!files || !child_begin(parent, SIGKILL) || setpgid(0, 0) != 0 ||
        signal(SIGTERM, SIG_IGN) == SIG_ERR)
        _exit(1);
    files->socket = socket;
    files->path = config->state;
    files->watched[0] = (struct watched){.name = "banned", .read = lists_read_banned};
    files->watched[1] = (struct watched){.name = "limits", .read = lists_read_limits};
    (void)snprintf(files->seen, NAME_SIZE, "seen.%u@%s", config->job_id, config->cluster);
    (void)snprintf(files->log, NAME_SIZE, "%u@%s.gate", config->job_id, config->cluster);
    (void)snprintf(files->access, NAME_SIZE, "%u@%s.jsonl", config->job_id, config->cluster);
    if (mt_store_open_root(config->state, false, &files->state) != MT_OK || files->state < 0 ||
        mt_store_open_dir(files->state, "log", true, &files->logs) != MT_OK)
        _exit(1);
    keep(files);
}

static void take(struct keeper *keeper, const struct told *told, struct lists *lists)
{
    *lists = told->lists;
    memcpy(keeper->seen, told->seen, SEEN_SIZE);
}

int keeper_start(struct keeper *keeper, const struct config *config, struct lists *lists)
{
    struct told *told = malloc(sizeof *told);
    int ends[2];
    const pid_t parent = getpid();
    *keeper = (struct keeper){.socket = -1};
    if (!told)
        return mt_say_no_memory();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 ||
        (keeper->pid = fork()) < 0) {
        free(told);
        return mt_say(EX_OSERR, "no process can be started (%s)", strerror(errno));
    }
    if (keeper->pid == 0) {
        (void)close(ends[0]);
        run(ends[1], config, parent);
    }
    (void)close(ends[1]);
    keeper->socket = ends[0];
    ssize_t n = recv(ends[0], told, sizeof *told, 0);
    int code = 0;
    if (n != (ssize_t)sizeof *told)
        code = mt_say(EX_IOERR, "the state in %s can't be read", config->state);
    else if (told->message != TELLS_LISTS)
        code = mt_say(EX_CONFIG, "banned or limits in %s is not of its form", config->state);
    else
        take(keeper, told, lists);
    free(told);
    return code;
}

enum keeper_news keeper_read(struct keeper *keeper, struct lists *lists)
{
    struct told told;
    ssize_t n = recv(keeper->socket, &told, sizeof told, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return KEEPER_NOTHING;
    if (n == 1 && told.message == TELLS_ROTATED)
        return KEEPER_ROTATED;
    if (n != (ssize_t)sizeof told || told.message != TELLS_LISTS)
        return KEEPER_ENDED;
    take(keeper, &told, lists);
    return KEEPER_LISTS;
}

void keeper_seen(struct keeper *keeper)
{
    char message[1 + SEEN_SIZE] = {SAYS_SEEN};
    size_t len = strlen(keeper->seen);
    memcpy(message + 1, keeper->seen, len);
    /* Where it hangs, whoever waits for the file is told that it does not act yet. */
    if (send(keeper->socket, message, 1 + len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        keeper->dropped++;
}

/* Sends a line with the time. */
static void send_line(struct keeper *keeper, const char *what)
{
    char line[LINE_MAX_BYTES];
    struct tm tm;
    time_t now = time(NULL);
    size_t len = gmtime_r(&now, &tm) ? strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%SZ ", &tm) : 0;
    int n = snprintf(line + len, sizeof line - len, "%s\n", what);
    if (n < 0 || (size_t)n >= sizeof line - len ||
        send(keeper->socket, line, len + (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        keeper->dropped++;
}

void keeper_note(struct keeper *keeper, const char *format, ...)
{
    char what[LINE_MAX_BYTES];
    const int64_t second = mt_now() / MT_SECOND;
    if (second != keeper->second) {
        unsigned dropped = keeper->dropped;
        keeper->second = second;
        keeper->lines = 0;
        keeper->dropped = 0;
        if (dropped > 0) {
            (void)snprintf(what, sizeof what, "lines_left_out count=%u", dropped);
            send_line(keeper, what);
        }
    }
    if (++keeper->lines > MT_GATE_LINES_MAX) {
        keeper->dropped++;
        return;
    }
    va_list values;
    va_start(values, format);
    int n = vsnprintf(what, sizeof what, format, values);
    va_end(values);
    if (n > 0)
        send_line(keeper, what);
}
