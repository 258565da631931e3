/* SPDX-License-Identifier: MIT */
#include "keyring.h"

#include "base64.h"
#include "hex.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0440
#define ID_TEXT (2 * MT_KEY_ID_BYTES)
#define KEY_TEXT 44
#define CREATED_TEXT 15

/* A file that is looked for, and what is told when it can't be used. */
struct search {
    const char *directory;
    unsigned long gid;
    char *why;
};

/* Says "The keys of group N can't be used: PATH <problem>." The path is the first `len` bytes of
 * the directory's, or, beyond that, the file's. */
static void explain(const struct search *search, size_t len, const char *problem)
{
    bool whole = len > strlen(search->directory);
    char file[16] = "";
    if (whole)
        (void)snprintf(file, sizeof file, "/%lu", search->gid);
    (void)snprintf(search->why, MT_WHY_SIZE, "The keys of group %lu can't be used: %.*s%s %s.",
                   search->gid, (int)(whole || len > MT_SHOWN_PATH_MAX ? MT_SHOWN_PATH_MAX : len),
                   search->directory, file, problem);
}

/* A directory in which nobody but root can replace what the next step opens. */
static const char *directory_problem(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if (st.st_uid != 0)
        return "does not belong to root; chown it";
    if ((st.st_mode & 022) != 0 && !(st.st_mode & S_ISVTX))
        return "can be written by others than root; chmod go-w it";
    return NULL;
}

/* What can't even be looked at is in a directory that is closed, as by root's umask. */
static const char *open_problem(int dir, const char *name)
{
    struct stat st;
    int error = errno;
    if (error == EACCES && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return "is in a directory that this user can't enter; chmod 0755 that";
    switch (error) {
    case ENOENT:
        return "is not there; copy it from a host that has it (multitenant key new makes the "
               "first one)";
    case EACCES:
        return "can't be read by this user; see that they are in the group and have logged in "
               "since";
    case ELOOP:
    case ENOTDIR:
        return "is a link or no directory; name the directory itself";
    default:
        return strerror(error);
    }
}

/* Opens the directory step by step. Returns its descriptor, or -1 with `why` and *status. */
static int open_directory(const struct search *search, enum mt_status *status)
{
    const char *path = search->directory;
    const char *problem = NULL;
    size_t at = 0;
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    *status = MT_UNSAFE;
    if (path[0] != '/')
        problem = "is not an absolute path";
    else if (fd < 0)
        problem = strerror(errno);
    else
        problem = directory_problem(fd);
    while (!problem) {
        char part[MT_NAME_MAX + 1];
        at += strspn(path + at, "/");
        size_t len = strcspn(path + at, "/");
        if (len == 0)
            return fd;
        if (len > MT_NAME_MAX) {
            problem = "is too long a name";
            break;
        }
        memcpy(part, path + at, len);
        part[len] = '\0';
        at += len;
        int next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) {
            *status = errno == ENOENT || errno == EACCES ? MT_IO : MT_UNSAFE;
            problem = open_problem(fd, part);
        } else {
            problem = strcmp(part, "..") == 0 ? "goes up again" : directory_problem(next);
        }
        (void)close(fd);
        fd = next;
    }
    explain(search, at, problem);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static const char *file_problem(int fd, gid_t gid)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "is no regular file";
    if (st.st_uid != 0 || st.st_gid != gid)
        return "does not belong to root and this group; chown root:GROUP it";
    if ((st.st_mode & 07777) != FILE_MODE)
        return "has another mode than 0440; chmod 0440 it";
    if (st.st_size > MT_KEY_FILE_MAX)
        return "holds more than keys; multitenant key prune takes out what is old";
    return NULL;
}

/* A line without its end: KEYID KEY CREATED. MT_OK, MT_MALFORMED, MT_NOMEM. */
static enum mt_status read_key(const char *line, size_t len, struct mt_key *key)
{
    struct mt_buf bytes = MT_BUF_INIT(MT_KEY_BYTES + 1);
    const char *encoded = line + ID_TEXT + 1;
    const char *created = encoded + KEY_TEXT + 1;
    if (len <= ID_TEXT + 1 + KEY_TEXT + 1 || len > ID_TEXT + 1 + KEY_TEXT + 1 + CREATED_TEXT)
        return MT_MALFORMED;
    if (!mt_hex_decode(line, MT_KEY_ID_BYTES, key->id) || encoded[-1] != ' ' || created[-1] != ' ')
        return MT_MALFORMED;
    for (key->created = 0; created < line + len; created++) {
        if (*created < '0' || *created > '9')
            return MT_MALFORMED;
        key->created = 10 * key->created + (*created - '0');
    }
    enum mt_status status = mt_base64_decode(encoded, KEY_TEXT, &bytes);
    if (status == MT_TOO_LARGE || (status == MT_OK && bytes.len != MT_KEY_BYTES))
        status = MT_MALFORMED;
    if (status == MT_OK)
        memcpy(key->bytes, bytes.data, MT_KEY_BYTES);
    mt_buf_wipe(&bytes);
    return status;
}

static enum mt_status read_keys(const char *text, size_t len, struct mt_keyring *out)
{
    const char *end = text + len;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        struct mt_key *key = &out->keys[out->count];
        if (!newline || out->count == MT_KEYS_MAX)
            return MT_MALFORMED;
        enum mt_status status = read_key(text, (size_t)(newline - text), key);
        if (status != MT_OK)
            return status;
        if (mt_keyring_find(out, key->id))
            return MT_MALFORMED;
        out->count++;
        text = newline + 1;
    }
    return out->count > 0 ? MT_OK : MT_MALFORMED;
}

/* What is wrong with the file, with *status; NULL: nothing, and *out holds the keys. */
static const char *load(int fd, gid_t gid, struct mt_keyring *out, enum mt_status *status)
{
    struct mt_buf text = MT_BUF_INIT(MT_KEY_FILE_MAX);
    const char *problem = file_problem(fd, gid);
    *status = MT_UNSAFE;
    if (problem)
        return problem;
    *status = mt_buf_read(&text, fd);
    if (*status == MT_IO)
        problem = strerror(errno);
    else if (*status != MT_NOMEM)
        *status =
            *status == MT_OK && text.data ? read_keys(text.data, text.len, out) : MT_MALFORMED;
    mt_buf_wipe(&text);
    if (*status == MT_NOMEM)
        problem = "can't be read without memory";
    if (*status == MT_MALFORMED)
        problem = "is not lines of KEYID KEY CREATED; copy it from another host, or remove it "
                  "where none has it, for multitenant key new";
    return problem;
}

enum mt_status mt_keyring_load(const char *directory, uint32_t gid, struct mt_keyring *out,
                               char why[MT_WHY_SIZE])
{
    enum mt_status status;
    const struct search search = {directory, gid, why};
    const char *problem = NULL;
    char name[16];

    memset(out, 0, sizeof *out);
    why[0] = '\0';
    int dir = open_directory(&search, &status);
    if (dir < 0)
        return status;
    (void)snprintf(name, sizeof name, "%lu", search.gid);
    /* Not waiting for a writer where it is a pipe. */
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        status = errno == ELOOP ? MT_UNSAFE : MT_IO;
        problem = open_problem(dir, name);
    } else {
        problem = load(fd, gid, out, &status);
        (void)close(fd);
    }
    (void)close(dir);
    if (problem) {
        explain(&search, strlen(directory) + 1, problem);
        mt_keyring_wipe(out);
    }
    return status;
}

const struct mt_key *mt_keyring_find(const struct mt_keyring *ring,
                                     const unsigned char id[MT_KEY_ID_BYTES])
{
    for (size_t i = 0; i < ring->count; i++) {
        if (memcmp(ring->keys[i].id, id, MT_KEY_ID_BYTES) == 0)
            return &ring->keys[i];
    }
    return NULL;
}

void mt_keyring_wipe(struct mt_keyring *ring)
{
    OPENSSL_cleanse(ring, sizeof *ring);
}
