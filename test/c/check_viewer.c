/* SPDX-License-Identifier: MIT */
/* Links: viewer directory lines json say buf, with a name service of the test's own. */
#include "viewer.h"

#include "failing.h"
#include "helpers.h"
#include "name_service.h"

#include <errno.h>
#include <stdlib.h>

static char *members[] = {"other", "student", NULL};
static char *others[] = {"other", NULL};
static const struct ns_group groups[] = {
    {"users", 100, others}, {"class", 3000, others}, {"listed", 4000, members}, {NULL, 0, NULL}};
static const gid_t told[] = {100};

static void setup(void)
{
    ns_reset();
    name_service.groups = groups;
    name_service.own_groups = told;
    name_service.own_count = COUNT_OF(told);
}

static struct mt_member_answer student(void)
{
    return (struct mt_member_answer){
        .user = "student", .user_known = MT_YES, .gids = told, .gid_count = COUNT_OF(told)};
}

static void assert_line(const struct mt_member_answer *answer, const char *expected)
{
    json_t *line = mt_viewer_line(2001, answer);
    char *text = json_dumps(line, JSON_COMPACT);
    ck_assert_str_eq(text, expected);
    free(text);
    json_decref(line);
}

START_TEST(test_the_list_of_the_name_service)
{
    struct mt_member_answer answer = student();
    assert_line(&answer, "{\"viewer\":{\"uid\":2001,\"gids\":[100]}}");
}
END_TEST

/* Of the groups of this process that the list lacks: 3000 is there without them, which is lost;
 * 4000 names them, 5000 can't be found. */
START_TEST(test_a_group_is_lost_only_where_it_is_found_without_them)
{
    static const gid_t own[] = {100, 3000, 4000, 5000};
    struct mt_member_answer answer = student();
    name_service.own_groups = own;
    name_service.own_count = COUNT_OF(own);
    assert_line(&answer, "{\"viewer\":{\"uid\":2001,\"gids\":[100,4000,5000]}}");
    name_service.error = EIO;
    assert_line(&answer, "{\"viewer\":{\"uid\":2001,\"gids\":[100,3000,4000,5000]}}");
}
END_TEST

START_TEST(test_no_such_user_and_a_user_who_could_not_be_learned)
{
    static const gid_t own[] = {3000, 5000};
    struct mt_member_answer answer = {.user_known = MT_NO};
    name_service.own_groups = own;
    name_service.own_count = COUNT_OF(own);
    assert_line(&answer, "{\"viewer\":{\"uid\":2001,\"gids\":[]}}");
    answer.user_known = MT_UNKNOWN;
    assert_line(&answer, "{\"viewer\":{\"uid\":2001,\"gids\":null}}");
}
END_TEST

/* Without memory there is no line; or a group counts that could not be looked up. */
START_TEST(test_out_of_memory)
{
    static const gid_t own[] = {100, 3000};
    struct mt_member_answer answer = student();
    bool reached = true;
    name_service.own_groups = own;
    name_service.own_count = COUNT_OF(own);
    for (size_t n = 1; reached; n++) {
        fail_allocation(n);
        json_t *line = mt_viewer_line(2001, &answer);
        reached = stop_failing();
        ck_assert(line || reached);
        ck_assert(!line || json_object_get(json_object_get(line, "viewer"), "gids"));
        json_decref(line);
    }
}
END_TEST

int main(void)
{
    json_set_alloc_funcs(malloc, free);
    Suite *suite = suite_create("viewer");
    TCase *tests = add_case(suite, "viewer");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, test_the_list_of_the_name_service);
    tcase_add_test(tests, test_a_group_is_lost_only_where_it_is_found_without_them);
    tcase_add_test(tests, test_no_such_user_and_a_user_who_could_not_be_learned);
    tcase_add_test(tests, test_out_of_memory);
    return run_suite(suite);
}
