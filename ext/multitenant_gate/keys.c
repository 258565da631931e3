/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include "base64.h"
#include "hex.h"
#include "say.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define TOKEN_FILE "token.key"
#define DOOR_FILE "door"
#define TEXT_SIZE (2 * TOKEN_KEY_BYTES + 2) /* the longer of both, its newline and terminator */

static int open_state(const char *directory, bool create, int *out)
{
    struct stat st;
    if (mt_store_open_root(directory, create, out) != MT_OK || *out < 0)
        return mt_say(EX_CONFIG, "%s is not there, or is not this user's directory", directory);
    if (fstat(*out, &st) == 0 && (st.st_mode & 077) == 0)
        return 0;
    mt_store_close(*out);
    return mt_say(EX_CONFIG, "%s is open to others; chmod 0700 it", directory);
}

/* Writes a file under a name of its own, then gives it its name where nobody else has. */
static enum mt_status put(int dir, const char *name, const char *text)
{
    char scratch[64];
    (void)snprintf(scratch, sizeof scratch, ".%s.%ld", name, (long)getpid());
    (void)unlinkat(dir, scratch, 0);
    int fd = openat(dir, scratch, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return MT_IO;
    enum mt_status status = mt_write_all(fd, text, strlen(text));
    if (status == MT_OK && (fchmod(fd, 0600) != 0 || fsync(fd) != 0))
        status = MT_IO;
    if (close(fd) != 0 ||
        (status == MT_OK && linkat(dir, scratch, dir, name, 0) != 0 && errno != EEXIST))
        status = MT_IO;
    int saved = errno;
    (void)unlinkat(dir, scratch, 0);
    errno = saved;
    return status;
}

static void write_hex(const unsigned char *bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < TOKEN_KEY_BYTES; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out++ = '\n';
    *out = '\0';
}

static void write_door(const unsigned char *bytes, char *out)
{
    struct mt_buf text = MT_BUF_INIT(MT_DOOR_CHARS);
    *out = '\0';
    if (mt_base64url_encode(bytes, TOKEN_KEY_BYTES, &text) == MT_OK)
        (void)snprintf(out, TEXT_SIZE, "%.*s\n", (int)text.len, text.data);
    mt_buf_wipe(&text);
}

static int make(int dir, const char *name, void write(const unsigned char *bytes, char *out))
{
    unsigned char bytes[TOKEN_KEY_BYTES];
    char text[TEXT_SIZE];
    struct stat st;
    int code = 0;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (RAND_priv_bytes(bytes, sizeof bytes) != 1)
        return mt_say(EX_OSERR, "there are no random numbers");
    write(bytes, text);
    if (!*text || put(dir, name, text) != MT_OK)
        code = mt_say(EX_IOERR, "%s can't be written (%s)", name, strerror(errno));
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(text, sizeof text);
    return code;
}

int keys_make(const char *directory)
{
    int dir;
    int code = open_state(directory, true, &dir);
    if (code != 0)
        return code;
    code = make(dir, TOKEN_FILE, write_hex);
    if (code == 0)
        code = make(dir, DOOR_FILE, write_door);
    mt_store_close(dir);
    return code;
}

static bool take_token(const struct mt_buf *text, struct keys *out)
{
    return text->len == 2 * TOKEN_KEY_BYTES + 1 && text->data[text->len - 1] == '\n' &&
           mt_hex_decode(text->data, TOKEN_KEY_BYTES, out->token);
}

static bool take_door(const struct mt_buf *text, struct keys *out)
{
    struct mt_buf bytes = MT_BUF_INIT(TOKEN_KEY_BYTES);
    bool ok = text->len == MT_DOOR_CHARS + 1 && text->data[MT_DOOR_CHARS] == '\n' &&
              mt_base64url_decode(text->data, MT_DOOR_CHARS, &bytes) == MT_OK;
    mt_buf_wipe(&bytes);
    if (ok)
        memcpy(out->door, text->data, MT_DOOR_CHARS);
    return ok;
}

static int load(int dir, const char *name, struct keys *out,
                bool take(const struct mt_buf *text, struct keys *out))
{
    struct mt_file file = MT_FILE_INIT;
    int code = 0;
    if (mt_store_read(dir, name, &file) != MT_OK || !file.found)
        code = mt_say(EX_IOERR, "%s can't be read; multitenant-gate --new-keys makes it", name);
    else if (!file.is_private || !take(&file.bytes, out))
        code = mt_say(EX_CONFIG, "%s is not of its form, or not 0600", name);
    mt_buf_wipe(&file.bytes);
    return code;
}

int keys_load(const char *directory, struct keys *out)
{
    int dir;
    *out = (struct keys){.door = ""};
    int code = open_state(directory, false, &dir);
    if (code != 0)
        return code;
    code = load(dir, TOKEN_FILE, out, take_token);
    if (code == 0)
        code = load(dir, DOOR_FILE, out, take_door);
    mt_store_close(dir);
    return code;
}

void keys_wipe(struct keys *keys)
{
    OPENSSL_cleanse(keys, sizeof *keys);
}
