/* SPDX-License-Identifier: MIT */
/* Links: config json buf say. */
#include "config.h"

#include "forked.h"
#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Prints what was read. */
static int read_and_print(void *path)
{
    struct config is;
    int code = config_read(path, &is);
    if (code == 0) {
        printf("%s %u %u %s %d", is.cluster, is.job_id, is.restarts, is.group,
               is.recipients.listed);
        for (size_t i = 0; i < is.recipients.count; i++)
            printf(" %u", is.recipients.uids[i]);
        for (size_t i = 0; is.bases[i]; i++)
            printf(" %s", is.bases[i]);
        for (char **word = is.nginx; *word; word++)
            printf(" %s", *word);
        printf(" %s %lld %u %s", is.munge_socket ? is.munge_socket : "-", (long long)is.expires,
               is.rate, is.accounts ? is.accounts[0] : "-");
        (void)fflush(stdout);
    }
    config_free(&is);
    return code;
}

static struct forked read_config(const char *text, mode_t mode)
{
    const char *path = format("%s/config", dir);
    write_text(path, text, mode);
    return run_forked(read_and_print, (void *)path, "", 0);
}

#define BEGIN "{\"cluster\":\"hpc\",\"job\":1,\"restarts\":0,\"group\":\"g\",\"state\":\"/s\","
#define MIDDLE "\"socket\":\"/x/s\",\"expires\":0,\"rate\":0,"
#define END "\"kind\":\"http\",\"nginx\":[\"/n\"]}"

START_TEST(test_the_least_and_the_most)
{
    struct forked is = read_config(BEGIN MIDDLE END, 0600);
    ck_assert_str_eq(is.err, "");
    ck_assert_str_eq(is.out, "hpc 1 0 g 0 /n - 0 0 -");
    is = read_config(BEGIN "\"socket\":\"/x/s\",\"expires\":253402300799,\"rate\":1000000,"
                           "\"to\":[3,1,2],\"bases\":[\"/rnode/n1/8080/\",\"/a/\"],"
                           "\"munge_socket\":\"/m\",\"accounts\":[\"/a\",\"b\"],"
                           "\"kind\":\"accounts\",\"nginx\":[\"/n\",\"-c\"]}",
                     0600);
    ck_assert_str_eq(is.err, "");
    ck_assert_str_eq(is.out,
                     "hpc 1 0 g 1 1 2 3 /rnode/n1/8080/ /a/ /n -c /m 253402300799 1000000 /a");
}
END_TEST

static const struct {
    const char *text;
    const char *key;
} bad[] = {
    {"{}", "cluster"},
    {"{\"cluster\":1}", "cluster"},
    {"{\"cluster\":\"hpc\",\"job\":-1}", "job"},
    {BEGIN MIDDLE "\"kind\":\"x\",\"nginx\":[\"/n\"]}", "kind"},
    {BEGIN MIDDLE "\"kind\":\"accounts\",\"nginx\":[\"/n\"]}", "accounts"},
    {BEGIN MIDDLE "\"kind\":\"http\"}", "nginx"},
    {BEGIN MIDDLE "\"kind\":\"http\",\"nginx\":[]}", "nginx"},
    {BEGIN MIDDLE "\"kind\":\"http\",\"nginx\":[\"nginx\"]}", "nginx"},
    {BEGIN MIDDLE "\"to\":1," END, "to"},
    {BEGIN MIDDLE "\"to\":[-1]," END, "to"},
    {BEGIN MIDDLE "\"to\":[4294967296]," END, "to"},
    {BEGIN MIDDLE "\"to\":null," END, "to"},
    {BEGIN MIDDLE "\"bases\":[\"/a\"]," END, "bases"},
    {BEGIN MIDDLE "\"bases\":[\"a/\"]," END, "bases"},
    {BEGIN MIDDLE "\"bases\":[\"//evil/\"]," END, "bases"},
    {BEGIN MIDDLE "\"bases\":[\"/a;/\"]," END, "bases"},
    {BEGIN MIDDLE "\"bases\":[\"/a\\r\\nb/\"]," END, "bases"},
    {BEGIN MIDDLE "\"bases\":[\"/\",\"/\",\"/\",\"/\",\"/\",\"/\",\"/\",\"/\",\"/\"]," END,
     "bases"},
    {BEGIN "\"expires\":0,\"rate\":0," END, "socket"},
    {BEGIN "\"socket\":\"/x/s\",\"expires\":-1,\"rate\":0," END, "expires"},
    {BEGIN "\"socket\":\"/x/s\",\"expires\":0,\"rate\":1000001," END, "rate"},
    {BEGIN MIDDLE "\"munge_socket\":1," END, "munge_socket"},
};

START_TEST(test_what_is_not_of_its_form)
{
    struct forked is = read_config(bad[_i].text, 0600);
    ck_assert_int_eq(is.status, EX_CONFIG);
    ck_assert_str_eq(
        is.err,
        format("program: the configuration's \"%s\" is missing or not of its form\n", bad[_i].key));
}
END_TEST

START_TEST(test_a_file_that_can_not_be_used)
{
    ck_assert_int_eq(read_config("x", 0600).status, EX_CONFIG);
    ck_assert_int_eq(read_config("", 0600).status, EX_CONFIG);
    ck_assert_int_eq(read_config(BEGIN MIDDLE END, 0640).status, EX_CONFIG);
    char *link = NULL;
    ck_assert_int_gt(asprintf(&link, "%s/link", dir), 0);
    ck_assert_int_eq(symlink("config", link), 0);
    ck_assert_int_eq(read_config(BEGIN MIDDLE END, 0600).status, 0);
    ck_assert_int_eq(run_forked(read_and_print, link, "", 0).status, EX_IOERR);
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(run_forked(read_and_print, link, "", 0).status, EX_IOERR);
    free(link);
}
END_TEST

START_TEST(test_a_file_of_another_user)
{
    if (!can_be_root())
        return;
    const char *path = format("%s/config", dir);
    write_text(path, BEGIN MIDDLE END, 0600);
    ck_assert_int_eq(chown(path, TEST_UID, TEST_UID), 0);
    ck_assert_int_eq(run_forked(read_and_print, (void *)path, "", 0).status, EX_CONFIG);
}
END_TEST

START_TEST(test_the_most_recipients)
{
    char *uids = repeat("7,", MT_RECIPIENTS_MAX - 1);
    char *most = NULL;
    char *more = NULL;
    ck_assert_int_gt(asprintf(&most, BEGIN MIDDLE "\"to\":[%s7]," END, uids), 0);
    ck_assert_int_gt(asprintf(&more, BEGIN MIDDLE "\"to\":[%s7,7]," END, uids), 0);
    ck_assert_int_eq(read_config(most, 0600).status, 0);
    ck_assert_int_eq(read_config(more, 0600).status, EX_CONFIG);
    free(uids);
    free(most);
    free(more);
}
END_TEST

START_TEST(test_a_socket_whose_path_is_too_long)
{
    char *path = repeat("/aaaaaaaaa", 11);
    struct forked is =
        read_config(format(BEGIN "\"socket\":\"%s\",\"expires\":0,\"rate\":0," END, path), 0600);
    ck_assert_int_eq(is.status, EX_CONFIG);
    free(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = add_case(suite, "config");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_the_least_and_the_most);
    tcase_add_loop_test(tests, test_what_is_not_of_its_form, 0, COUNT_OF(bad));
    tcase_add_test(tests, test_a_file_that_can_not_be_used);
    tcase_add_test(tests, test_a_file_of_another_user);
    tcase_add_test(tests, test_the_most_recipients);
    tcase_add_test(tests, test_a_socket_whose_path_is_too_long);
    return run_suite(suite);
}
