/* SPDX-License-Identifier: MIT */
/* Links: directory, with a name service of the test's own. */
#include "directory.h"

#include "failing.h"
#include "helpers.h"
#include "mt_limits.h"
#include "name_service.h"

#include <errno.h>
#include <string.h>

static const gid_t groups_of_prof[] = {100, 3000, 3001};
static const gid_t groups_of_student[] = {100};
static const struct ns_user users[] = {
    {"prof", 1001, groups_of_prof, 3},
    {"student", 2001, groups_of_student, 1},
    {NULL, 0, NULL, 0},
};
static char *members[] = {"prof", "student", NULL};
static char *nobody[] = {NULL};
static const struct ns_group groups[] = {
    {"class", 4000, members},
    {"users", 100, nobody},
    {"bare", 5000, NULL},
    {NULL, 0, NULL},
};

static struct mt_user user;
static struct mt_group group;

static void setup(void)
{
    ns_reset();
    name_service.users = users;
    name_service.groups = groups;
}

static void teardown(void)
{
    mt_user_free(&user);
    mt_group_free(&group);
}

START_TEST(test_a_user_has_name_and_groups)
{
    ck_assert_int_eq(mt_user_find(&user, 1001), MT_YES);
    ck_assert_str_eq(user.name, "prof");
    ck_assert_uint_eq(user.group_count, 3);
    ck_assert_mem_eq(user.groups, groups_of_prof, sizeof groups_of_prof);
}
END_TEST

START_TEST(test_a_group_by_name_and_by_number)
{
    ck_assert_int_eq(mt_group_find(&group, "class"), MT_YES);
    ck_assert_uint_eq(group.entry.gr_gid, 4000);
    ck_assert_str_eq(group.entry.gr_name, "class");
    mt_group_free(&group);
    ck_assert_int_eq(mt_group_find_gid(&group, 4000), MT_YES);
    ck_assert_str_eq(group.entry.gr_name, "class");
}
END_TEST

/* 0 and no entry is "there is none"; every errno, ENOENT too, is a failure. */
START_TEST(test_none_is_not_a_failure)
{
    ck_assert_int_eq(mt_user_find(&user, 1), MT_NO);
    ck_assert_int_eq(mt_group_find(&group, "none"), MT_NO);
    ck_assert_int_eq(mt_group_find_gid(&group, 1), MT_NO);
    ck_assert_ptr_null(user.name);
    ck_assert_ptr_null(group.buffer);
}
END_TEST

static const int errors[] = {ENOENT, EIO, EMFILE, EINTR, EAGAIN, ECONNREFUSED};

START_TEST(test_every_errno_is_a_failure)
{
    name_service.error = errors[_i];
    ck_assert_int_eq(mt_user_find(&user, 1001), MT_UNKNOWN);
    ck_assert_int_eq(mt_group_find(&group, "class"), MT_UNKNOWN);
    ck_assert_int_eq(mt_group_find(&group, "none"), MT_UNKNOWN);
    ck_assert_int_eq(mt_group_find_gid(&group, 4000), MT_UNKNOWN);
    ck_assert_ptr_null(user.name);
    ck_assert_ptr_null(group.buffer);
}
END_TEST

/* Cut, overlong, a surrogate, too large, or no bytes of UTF-8 at all. */
static const char *const no_texts[] = {
    "\xff",
    "class\xff",
    "\x80",
    "\xc3",
    "\xc3(",
    "\xe2\x82",
    "\xc0\xaf",
    "\xe0\x9f\xbf",
    "\xed\xa0\x80",
    "\xf0\x8f\xbf\xbf",
    "\xf0\x9f\x98",
    "\xc1\xbf",
    "\xe4\xb8x",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
};

/* SSSD fails at it each time. */
START_TEST(test_a_group_whose_name_is_no_text_is_not_asked_for)
{
    name_service.error = EINVAL;
    ck_assert_int_eq(mt_group_find(&group, no_texts[_i]), MT_NO);
    ck_assert_uint_eq(ns_look_ups(), 0);
}
END_TEST

START_TEST(test_a_group_may_have_any_letters)
{
    static const char *const names[] = {"gr\xc3\xbc\xc3\x9f", "\xdf\xbf",
                                        "\xe0\xa0\x80",       "\xed\x9f\xbf",
                                        "\xef\xbf\xbf",       "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct ns_group one[] = {{names[i], 4000, nobody}, {NULL, 0, NULL}};
        name_service.groups = one;
        ck_assert_int_eq(mt_group_find(&group, names[i]), MT_YES);
        mt_group_free(&group);
    }
}
END_TEST

/* Each look-up is made again with a buffer of twice the size, up to the limit and not beyond. */
START_TEST(test_the_buffer_grows_up_to_its_limit)
{
    name_service.needs = 100000;
    ck_assert_int_eq(mt_user_find(&user, 1001), MT_YES);
    ck_assert_uint_eq(ns_look_ups(), 6);
    ck_assert_int_eq(mt_group_find(&group, "class"), MT_YES);
    mt_group_free(&group);
    name_service.needs = MT_NSS_BUF_MAX;
    ck_assert_int_eq(mt_group_find(&group, "class"), MT_YES);
    mt_group_free(&group);
    ck_assert_int_eq(mt_group_find(&group, "none"), MT_NO);
    name_service.needs = MT_NSS_BUF_MAX + 1;
    ck_assert_int_eq(mt_group_find(&group, "class"), MT_UNKNOWN);
    mt_user_free(&user);
    ck_assert_int_eq(mt_user_find(&user, 1001), MT_UNKNOWN);
}
END_TEST

/* getgrouplist says no more than that there is too little room. */
START_TEST(test_a_user_of_many_groups)
{
    static gid_t many[1000];
    const struct ns_user one[] = {{"prof", 1001, many, COUNT_OF(many)}, {NULL, 0, NULL, 0}};
    for (gid_t i = 0; i < COUNT_OF(many); i++)
        many[i] = 10000 + i;
    name_service.users = one;
    ck_assert_int_eq(mt_user_find(&user, 1001), MT_YES);
    ck_assert_uint_eq(user.group_count, COUNT_OF(many));
    ck_assert_mem_eq(user.groups, many, sizeof many);
}
END_TEST

/* Who belongs to a group: by their primary one, by their list, by the group's list. */
static const struct {
    const char *group;
    uid_t uid;
    bool is_member;
} memberships[] = {
    {"users", 1001, true}, {"users", 2001, true}, {"class", 2001, true},
    {"class", 1001, true}, {"bare", 1001, false}, {"bare", 2001, false},
};

START_TEST(test_membership)
{
    ck_assert_int_eq(mt_user_find(&user, memberships[_i].uid), MT_YES);
    ck_assert_int_eq(mt_group_find(&group, memberships[_i].group), MT_YES);
    ck_assert_int_eq(mt_user_in_group(&user, &group), memberships[_i].is_member);
}
END_TEST

/* The list names the user, and others; it is that of a group of their own; or it may be short. */
static const struct {
    const char *group;
    const char *members[4];
    long others;
} lists[] = {
    {"class", {"ann", "prof", "bob"}, 2},
    {"class", {"prof"}, -1},
    {"prof", {"prof"}, 0},
    {"class", {"ann"}, -1},
    {"class", {NULL}, -1},
    {"prof", {NULL}, 0},
    {"prof", {"ann"}, 1},
};

START_TEST(test_how_many_others)
{
    struct mt_group one = {
        .entry = {.gr_name = (char *)lists[_i].group, .gr_mem = (char **)lists[_i].members}};
    ck_assert_int_eq(mt_group_others(&one, "prof"), lists[_i].others);
}
END_TEST

START_TEST(test_out_of_memory)
{
    for (bool reached = true; reached;) {
        static size_t n;
        fail_allocation(++n);
        name_service.needs = 10000;
        enum mt_answer found = mt_user_find(&user, 1001);
        enum mt_answer also = mt_group_find(&group, "class");
        reached = stop_failing();
        ck_assert_int_eq(found == MT_UNKNOWN || also == MT_UNKNOWN, reached);
        ck_assert_int_eq(user.name != NULL, found == MT_YES);
        ck_assert_int_eq(group.buffer != NULL, also == MT_YES);
        teardown();
    }
}
END_TEST

START_TEST(test_free_twice)
{
    ck_assert_int_eq(mt_user_find(&user, 1001), MT_YES);
    ck_assert_int_eq(mt_group_find(&group, "class"), MT_YES);
    teardown();
    teardown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("directory");
    TCase *tests = add_case(suite, "directory");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_a_user_has_name_and_groups);
    tcase_add_test(tests, test_a_group_by_name_and_by_number);
    tcase_add_test(tests, test_none_is_not_a_failure);
    tcase_add_loop_test(tests, test_every_errno_is_a_failure, 0, COUNT_OF(errors));
    tcase_add_loop_test(tests, test_a_group_whose_name_is_no_text_is_not_asked_for, 0,
                        COUNT_OF(no_texts));
    tcase_add_test(tests, test_a_group_may_have_any_letters);
    tcase_add_test(tests, test_the_buffer_grows_up_to_its_limit);
    tcase_add_test(tests, test_a_user_of_many_groups);
    tcase_add_loop_test(tests, test_membership, 0, COUNT_OF(memberships));
    tcase_add_loop_test(tests, test_how_many_others, 0, COUNT_OF(lists));
    tcase_add_test(tests, test_out_of_memory);
    tcase_add_test(tests, test_free_twice);
    return run_suite(suite);
}
