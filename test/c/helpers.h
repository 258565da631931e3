/* SPDX-License-Identifier: MIT */
/*
 * What the suites share: a suite's main, files in a directory of their own, and inputs made with
 * libcrypto, zlib and jansson alone, so that the core's code is never its own oracle.
 */
#pragma once

#include "settings.h"

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* A suite's main: runs it and says how it went; Check's summary is the last line. */
int run_suite(Suite *suite);

/* Adds a test case of `name` with its tests to the suite. */
TCase *add_case(Suite *suite, const char *name);

/*
 * printf into one of a few buffers of 64 KiB that are used in turn: for the time of a statement or
 * two.
 */
const char *format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* printf to the end of the text in a buffer of `size` bytes, where it has to fit. */
void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* `text` repeated `count` times; the caller frees it. */
char *repeat(const char *text, size_t count);

/*
 * As root, the user whose files a test writes; become_root() goes back. As another user both do
 * nothing, and can_be_root() is false.
 */
#define TEST_UID 2001
bool can_be_root(void);
void become_user(void);
void become_root(void);

/* A new directory of the current user (0700), and its removal with all that it holds. */
char *temp_dir_new(void);
void temp_dir_free(char *dir);

/* Files by path. read_text: NUL-terminated, the caller frees it; NULL: there is none. */
void write_text(const char *path, const char *text, mode_t mode);
char *read_text(const char *path);
void make_dirs(const char *path);
bool exists(const char *path);
mode_t mode_of(const char *path);
ino_t inode_of(const char *path);

/* Every file and link below a directory, with its mode and contents, as one text; the caller frees
 * it. Two pictures differ where anything below the directory does. */
char *picture_of(const char *dir);

/* How many descriptors this process has open. */
size_t count_fds(void);

/* The bytes as one gzip member, and as base64; the caller frees them. */
unsigned char *gzip(const void *bytes, size_t len, size_t *out_len);
char *base64(const void *bytes, size_t len);

/* The v1 payload of some bytes in place of the gzip member, and of a message; the caller frees it.
 */
char *encrypt_v1(uint32_t job_id, const char *user, const void *bytes, size_t len);
char *seal_v1(uint32_t job_id, const char *user, const char *message, size_t len);

/* One share as a test describes it: its record and the message in its name. */
struct sample {
    const char *cluster;
    uint32_t job_id;
    const char *user;
    uint32_t uid;
    int64_t start;
    int64_t end; /* 0: no time limit */
    uint32_t restarts;
    const char *group;
    json_int_t gid; /* -1: no such group; -2: null */
    json_t *publisher_in_group;
    json_t *publisher_allowed; /* NULL: not in the record */
    bool out_of_time;
    const char *name; /* NULL: sealed from what follows */
    const char *mtu;
    const char *mti;
    const char *mta;
    const char *mtm;
    const char *mtd;
    const char *connection; /* JSON object */
};

#define SESSION "0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c11"
#define OTHER_SESSION "5f0e1d2c-3b4a-4958-8677-a6b5c4d3e2f1"
#define TOKEN "sys/multitenant-delivery_default"
#define VIEWER 2001
#define PUBLISHER 1001
#define GROUP_GID 3000

/* A good share of job `job_id`, started at second 1000 + job_id, for VIEWER as a card. */
struct sample good_sample(uint32_t job_id);

/* Its message, its job name and its record. The caller frees or releases them. */
char *message_of(const struct sample *sample);
char *name_of(const struct sample *sample);
json_t *record_of(const struct sample *sample);

/* A stream as it grows. */
struct script {
    char *text;
    size_t len;
    size_t jobs;
};

/* Appends a header; a job; a line of the test's own; the last line. */
void script_begin(struct script *script, const char *cluster, const char *sees);
void script_job(struct script *script, const struct sample *sample);
void script_line(struct script *script, const char *line);
void script_end(struct script *script);
void script_free(struct script *script);

/* The viewer: VIEWER, a member of GROUP_GID; clusters hpc and gpu; any v1 share of the group. */
struct mt_settings viewer_settings(void);
