/* SPDX-License-Identifier: MIT */
/* Links: keyring, base64, buf. A key file is root's: as another user, nothing here can be tried. */
#include "keyring.h"

#include "helpers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GID 3000
#define ONE "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 1700000000\n"
#define TWO "00ff00ff //////////////////////////////////////////8= 0\n"

static struct mt_keyring ring;
static char why[MT_WHY_SIZE];
static char *top;
static char *keys; /* the directory */
static char *path; /* the file */

static void write_keys(const char *text)
{
    (void)unlink(path);
    write_text(path, text, 0440);
    ck_assert_int_eq(chown(path, 0, GID), 0);
}

static void setup(void)
{
    top = temp_dir_new();
    ck_assert_int_eq(chmod(top, 0755), 0);
    keys = strdup(format("%s/keys", top));
    path = strdup(format("%s/3000", keys));
    ck_assert_int_eq(mkdir(keys, 0755), 0);
    if (can_be_root())
        write_keys(ONE TWO);
}

static void teardown(void)
{
    temp_dir_free(top);
    free(keys);
    free(path);
    mt_keyring_wipe(&ring);
}

/* Loads, and looks that a failure has a sentence of ours with the group in it and leaves no key. */
static enum mt_status load_from(const char *directory)
{
    static const struct mt_keyring zeroed;
    size_t fds = count_fds();
    memset(&ring, 0x55, sizeof ring);
    enum mt_status status = mt_keyring_load(directory, GID, &ring, why);
    ck_assert_uint_eq(count_fds(), fds);
    if (status == MT_OK) {
        ck_assert_str_eq(why, "");
        return status;
    }
    ck_assert_mem_eq(&ring, &zeroed, sizeof zeroed);
    ck_assert_msg(strstr(why, "The keys of group 3000 can't be used: ") == why, "%s", why);
    ck_assert_int_eq(why[strlen(why) - 1], '.');
    return status;
}

static void assert_refused(enum mt_status expected, const char *names, const char *fix)
{
    enum mt_status status = load_from(keys);
    ck_assert_msg(status == expected && strstr(why, names) && strstr(why, fix), "%d: %s",
                  (int)status, why);
}

START_TEST(test_good)
{
    static const unsigned char id[] = {0x00, 0xff, 0x00, 0xff};
    static const unsigned char other[] = {0x00, 0xff, 0x00, 0xfe};
    ck_assert_int_eq(load_from(keys), MT_OK);
    ck_assert_uint_eq(ring.count, 2);
    ck_assert_mem_eq(ring.keys[0].id, "\xa1\xb2\xc3\xd4", 4);
    ck_assert_int_eq(ring.keys[0].created, 1700000000);
    for (unsigned i = 0; i < MT_KEY_BYTES; i++)
        ck_assert_uint_eq(ring.keys[0].bytes[i], i);
    const struct mt_key *found = mt_keyring_find(&ring, id);
    ck_assert_ptr_eq(found, &ring.keys[1]);
    ck_assert_uint_eq(found->bytes[31], 0xff);
    ck_assert_ptr_null(mt_keyring_find(&ring, other));
}
END_TEST

START_TEST(test_as_many_as_may_be)
{
    char text[4096] = "";
    for (int i = 0; i < MT_KEYS_MAX; i++)
        append(text, sizeof text, "%08x%s", i, strchr(ONE, ' '));
    write_keys(text);
    ck_assert_int_eq(load_from(keys), MT_OK);
    ck_assert_uint_eq(ring.count, MT_KEYS_MAX);
    append(text, sizeof text, "%s", ONE);
    write_keys(text);
    assert_refused(MT_MALFORMED, "/3000", "KEYID KEY CREATED");
}
END_TEST

static const char *const malformed[] = {
    "",
    "\n",
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 1700000000", /* no newline: torn */
    ONE "\n",
    ONE "#\n",
    ONE ONE,
    "A1B2C3D4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 1700000000\n",
    "a1b2c3d AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 1700000000\n",
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= \n",
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 17000 \n",
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= -1\n",
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 1234567890123456\n",
    "a1b2c3d4\tAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 1700000000\n",
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9= 1700000000\n", /* unused bits */
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A 1700000000\n", /* 33 bytes */
    "a1b2c3d4 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg== 1700000000\n", /* 31 bytes */
};

START_TEST(test_malformed)
{
    write_keys(malformed[_i]);
    assert_refused(MT_MALFORMED, "/3000", "KEYID KEY CREATED; copy it from another host");
}
END_TEST

START_TEST(test_large)
{
    char *text = repeat(ONE, 40);
    write_keys(text);
    assert_refused(MT_UNSAFE, "/3000", "prune");
    free(text);
}
END_TEST

START_TEST(test_missing)
{
    ck_assert_int_eq(unlink(path), 0);
    assert_refused(MT_IO, path, "copy it from a host that has it (multitenant key new");
    ck_assert_int_eq(rmdir(keys), 0);
    assert_refused(MT_IO, keys, "multitenant key new");
}
END_TEST

START_TEST(test_file_of_another)
{
    ck_assert_int_eq(chown(path, TEST_UID, GID), 0);
    assert_refused(MT_UNSAFE, path, "chown");
    ck_assert_int_eq(chown(path, 0, GID + 1), 0);
    assert_refused(MT_UNSAFE, path, "chown");
}
END_TEST

START_TEST(test_mode_of_the_file)
{
    static const mode_t modes[] = {0444, 0640, 0460, 0400, 0450, 0000, 04440};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        assert_refused(MT_UNSAFE, path, "chmod 0440");
    }
}
END_TEST

START_TEST(test_no_regular_file)
{
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0440), 0);
    assert_refused(MT_UNSAFE, path, "regular file");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0440), 0);
    assert_refused(MT_UNSAFE, path, "regular file");
    ck_assert_int_eq(rmdir(path), 0);
    write_text(format("%s/other", keys), ONE, 0440);
    ck_assert_int_eq(symlink("other", path), 0);
    assert_refused(MT_UNSAFE, path, "link");
}
END_TEST

START_TEST(test_directory_of_another)
{
    ck_assert_int_eq(chmod(keys, 0775), 0);
    assert_refused(MT_UNSAFE, keys, "chmod go-w");
    ck_assert_int_eq(chmod(keys, 0757), 0);
    assert_refused(MT_UNSAFE, keys, "chmod go-w");
    ck_assert_int_eq(chmod(keys, 01777), 0);
    ck_assert_int_eq(load_from(keys), MT_OK);
    ck_assert_int_eq(chown(keys, TEST_UID, 0), 0);
    assert_refused(MT_UNSAFE, keys, "chown");
}
END_TEST

START_TEST(test_directory_above_of_another)
{
    ck_assert_int_eq(chmod(top, 0777), 0);
    assert_refused(MT_UNSAFE, format("%s can be written", top), "chmod go-w");
    ck_assert_int_eq(chmod(top, 0755), 0);
    ck_assert_int_eq(chown(top, TEST_UID, 0), 0);
    assert_refused(MT_UNSAFE, format("%s does not belong", top), "chown");
}
END_TEST

START_TEST(test_other_paths)
{
    const char *link = format("%s/link", top);
    ck_assert_int_eq(symlink("keys", link), 0);
    ck_assert_int_eq(load_from(link), MT_UNSAFE);
    ck_assert_int_eq(load_from(format("%s/../keys", keys)), MT_UNSAFE);
    ck_assert_int_eq(load_from("keys"), MT_UNSAFE);
    ck_assert_int_eq(load_from(""), MT_UNSAFE);
    ck_assert_int_eq(load_from(path), MT_UNSAFE); /* a file */
    char *longest = repeat("x", 4000);
    ck_assert_int_eq(load_from(format("/%s", longest)), MT_UNSAFE);
    free(longest);
    ck_assert_int_eq(load_from(format("/%s//./keys///", top)), MT_OK);
}
END_TEST

/* A member reads it by its group; others don't, and are told so. */
START_TEST(test_members_alone)
{
    become_user();
    ck_assert_int_eq(load_from(keys), MT_IO);
    ck_assert_ptr_nonnull(strstr(why, "they are in the group"));
    become_root();
    ck_assert_int_eq(setegid(GID), 0);
    become_user();
    ck_assert_int_eq(load_from(keys), MT_OK);
    become_root();
    ck_assert_int_eq(setegid(0), 0);
}
END_TEST

/* As root's umask leaves it where the file is copied to. */
START_TEST(test_a_directory_that_is_closed)
{
    const char *closed[] = {keys, top};
    for (size_t i = 0; i < COUNT_OF(closed); i++) {
        ck_assert_int_eq(chmod(closed[i], 0700), 0);
        ck_assert_int_eq(setegid(GID), 0);
        become_user();
        assert_refused(MT_IO, i == 0 ? path : keys, "directory that this user can't enter");
        become_root();
        ck_assert_int_eq(setegid(0), 0);
        ck_assert_int_eq(chmod(closed[i], 0755), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyring");
    TCase *tests = add_case(suite, "load");
    tcase_add_checked_fixture(tests, setup, teardown);
    if (can_be_root()) {
        tcase_add_test(tests, test_good);
        tcase_add_test(tests, test_as_many_as_may_be);
        tcase_add_loop_test(tests, test_malformed, 0, (int)COUNT_OF(malformed));
        tcase_add_test(tests, test_large);
        tcase_add_test(tests, test_file_of_another);
        tcase_add_test(tests, test_mode_of_the_file);
        tcase_add_test(tests, test_no_regular_file);
        tcase_add_test(tests, test_directory_of_another);
        tcase_add_test(tests, test_directory_above_of_another);
        tcase_add_test(tests, test_other_paths);
        tcase_add_test(tests, test_members_alone);
        tcase_add_test(tests, test_a_directory_that_is_closed);
        tcase_add_test(tests, test_missing);
    }
    return run_suite(suite);
}
