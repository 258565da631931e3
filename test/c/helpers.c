/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "envelope.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Stops the test, which can't be made, with the line that failed. */
#define need(condition) ck_assert_msg(condition, "the test's own set-up failed")

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* All tests work below one directory: a test that fails does not come to its own cleaning up. */
int run_suite(Suite *suite)
{
    char dir[] = "/tmp/multitenant.XXXXXX";
    if (!mkdtemp(dir) || chmod(dir, 01777) != 0 || setenv("TMPDIR", dir, 1) != 0)
        return EXIT_FAILURE;
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_MINIMAL);
    int failed = srunner_ntests_failed(runner);
    if (failed > 0) {
        srunner_print(runner, CK_NORMAL);
        srunner_print(runner, CK_MINIMAL);
    }
    srunner_free(runner);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

TCase *add_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 30);
    suite_add_tcase(suite, tests);
    return tests;
}

const char *format(const char *format, ...)
{
    static char buffers[8][65536];
    static size_t turn;
    char *out = buffers[turn++ % COUNT_OF(buffers)];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, sizeof buffers[0], format, args);
    va_end(args);
    need(n >= 0 && (size_t)n < sizeof buffers[0]);
    return out;
}

void append(char *text, size_t size, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + len, size - len, format, args);
    va_end(args);
    need(n >= 0 && (size_t)n < size - len);
}

char *repeat(const char *text, size_t count)
{
    size_t len = strlen(text);
    char *out = malloc(len * count + 1);
    need(out);
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * len, text, len);
    out[len * count] = '\0';
    return out;
}

bool can_be_root(void)
{
    return getuid() == 0;
}

void become_user(void)
{
    if (can_be_root())
        need(seteuid(TEST_UID) == 0);
}

void become_root(void)
{
    if (can_be_root())
        need(seteuid(0) == 0);
}

char *temp_dir_new(void)
{
    char *dir = NULL;
    need(asprintf(&dir, "%s/XXXXXX", getenv("TMPDIR")) >= 0);
    need(mkdtemp(dir));
    return dir;
}

void temp_dir_free(char *dir)
{
    need(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
    free(dir);
}

void write_text(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    need(fd >= 0);
    need(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    need(fchmod(fd, mode) == 0);
    need(close(fd) == 0);
}

char *read_text(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return NULL;
    need(fstat(fd, &st) == 0);
    char *text = calloc(1, (size_t)st.st_size + 1);
    need(text);
    need(read(fd, text, (size_t)st.st_size) == st.st_size);
    need(close(fd) == 0);
    return text;
}

void make_dirs(const char *path)
{
    char part[4096];
    need(strlen(path) < sizeof part);
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        (void)mkdir(part, 0700);
    }
    need(exists(path));
}

bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

mode_t mode_of(const char *path)
{
    struct stat st;
    need(lstat(path, &st) == 0);
    return st.st_mode & 07777;
}

/* `skip` bytes of each path are the top directory's. */
static void picture_dir(FILE *out, const char *dir, size_t skip)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, NULL, alphasort);
    need(n >= 0);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char *path = NULL;
        struct stat st;
        need(asprintf(&path, "%s/%s", dir, name) >= 0);
        need(lstat(path, &st) == 0);
        bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        if (!dots)
            need(fprintf(out, "%s %o %u ", path + skip, st.st_mode, st.st_uid) > 0);
        if (!dots && S_ISREG(st.st_mode)) {
            char *text = read_text(path);
            need(fprintf(out, "%s", text ? text : "?") >= 0);
            free(text);
        }
        if (!dots)
            need(fputc('\n', out) != EOF);
        if (!dots && S_ISDIR(st.st_mode))
            picture_dir(out, path, skip);
        free(path);
        free(entries[i]);
    }
    free(entries);
}

char *picture_of(const char *dir)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    need(out);
    picture_dir(out, dir, strlen(dir));
    need(fclose(out) == 0);
    return text;
}

ino_t inode_of(const char *path)
{
    struct stat st;
    need(lstat(path, &st) == 0);
    return st.st_ino;
}

size_t count_fds(void)
{
    DIR *fds = opendir("/proc/self/fd");
    size_t count = 0;
    need(fds);
    while (readdir(fds))
        count++;
    need(closedir(fds) == 0);
    return count;
}

unsigned char *gzip(const void *bytes, size_t len, size_t *out_len)
{
    z_stream z = {.next_in = (z_const unsigned char *)bytes, .avail_in = (uInt)len};
    need(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t size = deflateBound(&z, len);
    unsigned char *out = malloc(size);
    need(out);
    z.next_out = out;
    z.avail_out = (uInt)size;
    need(deflate(&z, Z_FINISH) == Z_STREAM_END);
    *out_len = size - z.avail_out;
    need(deflateEnd(&z) == Z_OK);
    return out;
}

char *base64(const void *bytes, size_t len)
{
    char *out = malloc(len / 3 * 4 + 5);
    need(out);
    (void)EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
    return out;
}

/* The contract's key and iv: the text, filled up with zero bytes or cut. */
static void fill(unsigned char *out, size_t size, const char *text)
{
    memset(out, 0, size);
    memcpy(out, text, strnlen(text, size));
}

char *encrypt_v1(uint32_t job_id, const char *user, const void *bytes, size_t len)
{
    unsigned char key[32];
    unsigned char iv[16];
    unsigned char *sealed = malloc(len + 32);
    int some = 0;
    int rest = 0;
    fill(key, sizeof key, format("%u%s", job_id, user));
    fill(iv, sizeof iv, format("%u%u", job_id, job_id));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    need(sealed && ctx);
    need(EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv) == 1);
    need(EVP_EncryptUpdate(ctx, sealed, &some, bytes, (int)len) == 1);
    need(EVP_EncryptFinal_ex(ctx, sealed + some, &rest) == 1);
    char *out = base64(sealed, (size_t)(some + rest));
    EVP_CIPHER_CTX_free(ctx);
    free(sealed);
    return out;
}

char *seal_v1(uint32_t job_id, const char *user, const char *message, size_t len)
{
    size_t packed_len;
    unsigned char *packed = gzip(message, len, &packed_len);
    char *out = encrypt_v1(job_id, user, packed, packed_len);
    free(packed);
    return out;
}

struct sample good_sample(uint32_t job_id)
{
    return (struct sample){
        .cluster = "hpc",
        .job_id = job_id,
        .user = "prof",
        .uid = PUBLISHER,
        .start = 1000 + job_id,
        .group = "hpcGrp",
        .gid = GROUP_GID,
        .publisher_in_group = json_true(),
        .mtu = "2001,2002",
        .mti = SESSION,
        .mta = "Ollama_API",
        .mtm = "card",
        .mtd = TOKEN,
        .connection = "{'host':'n1','port':'5432'}",
    };
}

char *message_of(const struct sample *s)
{
    char *out = NULL;
    need(asprintf(&out, "{'mtu':'%s','mti':'%s','mta':'%s','mtm':'%s','mtd':'%s'}|%s", s->mtu,
                  s->mti, s->mta, s->mtm, s->mtd, s->connection) >= 0);
    return out;
}

char *name_of(const struct sample *sample)
{
    char *out = NULL;
    if (sample->name)
        return repeat(sample->name, 1);
    char *message = message_of(sample);
    char *payload = seal_v1(sample->job_id, sample->user, message, strlen(message));
    need(asprintf(&out, "sys/dashboard|%s|%s", sample->group, payload) >= 0);
    free(payload);
    free(message);
    return out;
}

json_t *record_of(const struct sample *sample)
{
    char *name = name_of(sample);
    json_t *gid = sample->gid == -2 ? json_null() : json_integer(sample->gid);
    json_t *record =
        json_pack("{s:s, s:I, s:s, s:I, s:s, s:I, s:I, s:I, s:o, s:O}", "cluster", sample->cluster,
                  "job_id", (json_int_t)sample->job_id, "user", sample->user, "uid",
                  (json_int_t)sample->uid, "name", name, "start", (json_int_t)sample->start, "end",
                  (json_int_t)sample->end, "restarts", (json_int_t)sample->restarts, "group_gid",
                  gid, "publisher_in_group", sample->publisher_in_group);
    need(record);
    if (sample->publisher_allowed)
        need(json_object_set(record, "publisher_allowed", sample->publisher_allowed) == 0);
    if (sample->out_of_time)
        need(json_object_set(record, "out_of_time", json_true()) == 0);
    free(name);
    return record;
}

void script_line(struct script *script, const char *line)
{
    size_t len = strlen(line);
    char *text = realloc(script->text, script->len + len + 2);
    need(text);
    memcpy(text + script->len, line, len);
    script->len += len;
    text[script->len++] = '\n';
    text[script->len] = '\0';
    script->text = text;
}

void script_begin(struct script *script, const char *cluster, const char *sees)
{
    script->jobs = 0;
    script_line(script, format("{\"multitenant\":1,\"generated\":1700000000,\"cluster\":\"%s\","
                               "\"wckeys\":[\"multitenant\"],\"sees\":\"%s\"}",
                               cluster, sees));
}

void script_job(struct script *script, const struct sample *sample)
{
    json_t *record = record_of(sample);
    char *line = json_dumps(record, JSON_COMPACT);
    need(line);
    script_line(script, line);
    script->jobs++;
    free(line);
    json_decref(record);
}

void script_end(struct script *script)
{
    script_line(script, format("{\"end\":%zu}", script->jobs));
}

void script_free(struct script *script)
{
    free(script->text);
    *script = (struct script){0};
}

struct mt_settings viewer_settings(void)
{
    static const uint32_t gids[] = {VIEWER, GROUP_GID};
    static const char *const deliveries[] = {"sys/multitenant-delivery_*"};
    static const struct mt_cluster clusters[] = {{"hpc", "deac"}, {"gpu", "gpu"}};
    return (struct mt_settings){
        .uid = VIEWER,
        .gids = gids,
        .n_gids = COUNT_OF(gids),
        .deliveries = deliveries,
        .n_deliveries = COUNT_OF(deliveries),
        .envelopes = MT_ENVELOPES_ALL,
        .publisher_in_group = true,
        .one_directory = true,
        .clusters = clusters,
        .n_clusters = COUNT_OF(clusters),
    };
}
