/* SPDX-License-Identifier: MIT */
/* Links: keys store base64 buf say. */
#include "keys.h"

#include "forked.h"
#include "helpers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static char *dir;

static void setup(void)
{
    dir = temp_dir_new();
}

static void teardown(void)
{
    temp_dir_free(dir);
}

static int make(void *path)
{
    return keys_make(path);
}

static int load(void *path)
{
    struct keys keys;
    int code = keys_load(path, &keys);
    if (code == 0 && (strlen(keys.door) != 43 || keys.token[0] == 0))
        code = keys.token[0] == keys.token[1] && keys.token[1] == keys.token[2];
    keys_wipe(&keys);
    for (size_t i = 0; i < sizeof keys; i++)
        code |= ((const char *)&keys)[i];
    return code;
}

static struct forked run(int body(void *path), const char *path)
{
    return run_forked(body, (void *)path, "", 0);
}

START_TEST(test_keys_are_made_once)
{
    const char *state = format("%s/a/b", dir);
    ck_assert_int_eq(run(make, state).status, 0);
    ck_assert_int_eq(run(load, state).status, 0);
    ck_assert_uint_eq(mode_of(state), 0700);
    ck_assert_uint_eq(mode_of(format("%s/token.key", state)), 0600);
    ck_assert_uint_eq(mode_of(format("%s/door", state)), 0600);
    char *before = picture_of(dir);
    ck_assert_ptr_nonnull(strstr(before, "/door"));
    ck_assert_int_eq(run(make, state).status, 0);
    char *after = picture_of(dir);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* The gates of a service's members begin on several nodes at once, and have one key. */
START_TEST(test_all_that_begin_together_have_the_same_keys)
{
    char *token = NULL;
    ck_assert_int_gt(asprintf(&token, "%s/token.key", dir), 0);
    for (int round = 0; round < 5; round++) {
        int begin[2];
        int seen[2];
        char first[66];
        char other[66];
        ck_assert(pipe(begin) == 0 && pipe(seen) == 0);
        for (int i = 0; i < 4; i++) {
            if (fork() == 0) {
                (void)close(begin[1]);
                if (read(begin[0], first, 1) == 0 && keys_make(dir) == 0) {
                    char *text = read_text(token);
                    _exit(!text || write(seen[1], text, 65) != 65);
                }
                _exit(1);
            }
        }
        ck_assert(close(begin[0]) == 0 && close(begin[1]) == 0 && close(seen[1]) == 0);
        ck_assert_int_eq(read(seen[0], first, 65), 65);
        for (int i = 1; i < 4; i++) {
            ck_assert_int_eq(read(seen[0], other, 65), 65);
            ck_assert_int_eq(memcmp(first, other, 65), 0);
        }
        ck_assert_int_eq(close(seen[0]), 0);
        while (wait(NULL) > 0)
            continue;
        ck_assert_int_eq(unlink(token), 0);
    }
    free(token);
}
END_TEST

/* What one of two that begin together has left behind is no obstacle. */
START_TEST(test_only_what_is_missing_is_made)
{
    write_text(format("%s/door", dir), "AAAA\n", 0600);
    ck_assert_int_eq(run(make, dir).status, 0);
    char *door = read_text(format("%s/door", dir));
    ck_assert_str_eq(door, "AAAA\n");
    free(door);
    struct forked is = run(load, dir);
    ck_assert_int_eq(is.status, EX_CONFIG);
    ck_assert_str_eq(is.err, "program: door is not of its form, or not 0600\n");
}
END_TEST

START_TEST(test_a_directory_that_others_can_read)
{
    ck_assert_int_eq(chmod(dir, 0750), 0);
    struct forked is = run(make, dir);
    ck_assert_int_eq(is.status, EX_CONFIG);
    ck_assert_ptr_nonnull(strstr(is.err, "is open to others; chmod 0700 it"));
    ck_assert_int_eq(run(load, dir).status, EX_CONFIG);
}
END_TEST

START_TEST(test_a_directory_that_is_none)
{
    const char *file = format("%s/file", dir);
    write_text(file, "", 0600);
    ck_assert_int_eq(run(make, file).status, EX_CONFIG);
    ck_assert_int_eq(run(load, format("%s/missing", dir)).status, EX_CONFIG);
}
END_TEST

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define DOOR "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct {
    const char *token;
    const char *door;
    mode_t mode;
    int status;
} files[] = {
    {HEX "\n", DOOR "\n", 0600, 0},
    {HEX, DOOR "\n", 0600, EX_CONFIG},
    {HEX "\n\n", DOOR "\n", 0600, EX_CONFIG},
    {HEX "0\n", DOOR "\n", 0600, EX_CONFIG},
    {"X0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n", DOOR "\n", 0600,
     EX_CONFIG},
    {"A0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n", DOOR "\n", 0600,
     EX_CONFIG},
    {HEX "\n", DOOR, 0600, EX_CONFIG},
    {HEX "\n", DOOR "A\n", 0600, EX_CONFIG},
    {HEX "\n", "+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 0600, EX_CONFIG},
    {HEX "\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n", 0600, EX_CONFIG},
    {HEX "\n", DOOR "\n", 0640, EX_CONFIG},
    {"", DOOR "\n", 0600, EX_CONFIG},
};

START_TEST(test_what_the_files_hold)
{
    write_text(format("%s/token.key", dir), files[_i].token, 0600);
    write_text(format("%s/door", dir), files[_i].door, files[_i].mode);
    ck_assert_int_eq(run(load, dir).status, files[_i].status);
}
END_TEST

START_TEST(test_a_link_is_no_key)
{
    write_text(format("%s/elsewhere", dir), HEX "\n", 0600);
    write_text(format("%s/door", dir), DOOR "\n", 0600);
    ck_assert_int_eq(symlink("elsewhere", format("%s/token.key", dir)), 0);
    ck_assert_int_eq(run(load, dir).status, EX_IOERR);
    ck_assert_int_eq(run(load, format("%s/.", dir)).status, EX_IOERR);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keys");
    TCase *tests = add_case(suite, "keys");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_keys_are_made_once);
    tcase_add_test(tests, test_all_that_begin_together_have_the_same_keys);
    tcase_add_test(tests, test_only_what_is_missing_is_made);
    tcase_add_test(tests, test_a_directory_that_others_can_read);
    tcase_add_test(tests, test_a_directory_that_is_none);
    tcase_add_loop_test(tests, test_what_the_files_hold, 0, COUNT_OF(files));
    tcase_add_test(tests, test_a_link_is_no_key);
    return run_suite(suite);
}
