/* SPDX-License-Identifier: MIT */
/*
 * Links: members look_ups directory, with a name service of the test's own. Time: a look-up that
 * hangs does so until a test lets it go on, so that no test depends on a machine that is quick.
 */
#include "members.h"

#include "clock.h"
#include "failing.h"
#include "helpers.h"
#include "mt_limits.h"
#include "name_service.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const gid_t groups_of_prof[] = {100, 3000};
static const gid_t groups_of_student[] = {3000};
static const struct ns_user users[] = {
    {"prof", 1001, groups_of_prof, 2},
    {"student", 2001, groups_of_student, 1},
    {"slow", NS_SLOW_UID, groups_of_student, 1},
    {NULL, 0, NULL, 0},
};
static char *members_of_class[] = {"prof", NULL};
static const struct ns_group groups[] = {
    {"users", 100, NULL},  {"class", 3000, NULL}, {"listed", 4000, members_of_class},
    {"slow", 5000, NULL},  {"slow2", 5002, NULL}, {"slow3", 5003, NULL},
    {"slow4", 5004, NULL}, {"slow5", 5005, NULL}, {NULL, 0, NULL},
};

enum { NO_GROUP = -1 };

/* Threads that may be made; -1: any number. */
static atomic_int threads_left;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *argument)
{
    if (atomic_load(&threads_left) == 0)
        return EAGAIN;
    atomic_fetch_sub(&threads_left, 1);
    return __real_pthread_create(thread, attr, run, argument);
}

static struct mt_members *asked;

static void setup(void)
{
    ns_reset();
    name_service.users = users;
    name_service.groups = groups;
    atomic_store(&threads_left, -1);
}

static void begin(const char *publishers)
{
    asked = mt_members_new(16, publishers, false);
    ck_assert_ptr_nonnull(asked);
}

static void ask(uid_t uid, const char *group)
{
    ck_assert(mt_members_ask(asked, uid, group, group ? strlen(group) : 0, true));
}

static double now(void)
{
    return (double)mt_now() / MT_SECOND;
}

static int64_t in(double seconds)
{
    return mt_now() + (int64_t)(seconds * MT_SECOND);
}

static bool run(double seconds)
{
    return mt_members_run(asked, in(seconds));
}

static struct mt_member_answer answer(size_t index)
{
    struct mt_member_answer is;
    mt_members_answer(asked, index, &is);
    return is;
}

/* All `count` questions were answered in the end: no thread is in a look-up any more. */
static void finish(size_t count)
{
    ns_go_on();
    for (size_t i = 0; i < count; i++) {
        while (!answer(i).done)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    mt_members_free(asked);
    asked = NULL;
}

/* Nothing that depends on the group. */
static void assert_not_known(size_t index, enum mt_answer user_known)
{
    struct mt_member_answer is = answer(index);
    ck_assert(is.done);
    ck_assert_int_eq(is.group_known, MT_UNKNOWN);
    ck_assert_int_eq(is.in_group, MT_UNKNOWN);
    ck_assert_int_eq(is.allowed, MT_UNKNOWN);
    ck_assert_int_eq(is.user_known, user_known);
}

static void assert_answer(size_t index, int gid, enum mt_answer in_group)
{
    struct mt_member_answer is = answer(index);
    ck_assert_msg(is.done, "question %zu", index);
    ck_assert_int_eq(is.group_known, gid == NO_GROUP ? MT_NO : MT_YES);
    if (gid != NO_GROUP)
        ck_assert_uint_eq(is.gid, (gid_t)gid);
    ck_assert_int_eq(is.in_group, in_group);
}

/* A group that is the user's primary one has no list of members that holds them. */
START_TEST(test_members_and_others)
{
    begin(NULL);
    ask(1001, "users");
    ask(1001, "class");
    ask(1001, "listed");
    ask(2001, "class");
    ask(2001, "users");
    ask(2001, "listed");
    ask(2001, "none");
    ask(2001, NULL);
    ask(7, "class");
    ck_assert(run(60));
    assert_answer(0, 100, MT_YES);
    assert_answer(1, 3000, MT_YES);
    assert_answer(2, 4000, MT_YES);
    assert_answer(3, 3000, MT_YES);
    assert_answer(4, 100, MT_NO);
    assert_answer(5, 4000, MT_NO);
    assert_answer(6, NO_GROUP, MT_NO);
    assert_answer(7, NO_GROUP, MT_NO);
    assert_answer(8, 3000, MT_UNKNOWN);
    ck_assert_str_eq(answer(0).user, "prof");
    ck_assert_uint_eq(answer(0).gid_count, 2);
    ck_assert_int_eq(answer(8).user_known, MT_NO);
    ck_assert_ptr_null(answer(8).user);
    finish(9);
}
END_TEST

START_TEST(test_each_is_looked_up_once_and_by_one_thread)
{
    begin("class");
    for (size_t i = 0; i < 8; i++)
        ask(i % 2 ? 1001 : 2001, i % 4 < 2 ? "users" : "class");
    ck_assert(run(60));
    ck_assert_uint_eq(ns_look_ups(), 4);
    ck_assert_uint_eq(ns_most_at_once(), 1);
    finish(8);
}
END_TEST

START_TEST(test_publishers)
{
    begin("listed");
    ask(1001, NULL);
    ask(2001, NULL);
    ck_assert(run(60));
    ck_assert_int_eq(answer(0).allowed, MT_YES);
    ck_assert_int_eq(answer(1).allowed, MT_NO);
    finish(2);
    begin("none");
    ask(1001, NULL);
    ck_assert(run(60));
    ck_assert_int_eq(answer(0).allowed, MT_NO);
    finish(1);
    begin("none,listed,,");
    ask(1001, NULL);
    ask(2001, NULL);
    ck_assert(run(60));
    ck_assert_int_eq(answer(0).allowed, MT_YES);
    ck_assert_int_eq(answer(1).allowed, MT_NO);
    finish(2);
    begin(NULL);
    ask(1001, NULL);
    ck_assert(run(60));
    ck_assert_int_eq(answer(0).allowed, MT_UNKNOWN);
    finish(1);
}
END_TEST

/* A group of publishers that jobs name as well is needed to the end. */
START_TEST(test_publishers_that_are_shared_with)
{
    begin("listed");
    ask(1001, "listed");
    ask(2001, "listed");
    ask(1001, NULL);
    ck_assert(run(60));
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(answer(i).allowed, i == 1 ? MT_NO : MT_YES);
    ck_assert_int_eq(answer(0).in_group, MT_YES);
    ck_assert_int_eq(answer(1).in_group, MT_NO);
    ck_assert_int_eq(answer(0).others, -1);
    finish(3);
}
END_TEST

/* A user whose name is known already and who names no group costs no look-up. */
START_TEST(test_nothing_to_look_up)
{
    begin(NULL);
    ck_assert(mt_members_ask(asked, 1001, NULL, 0, false));
    ck_assert(run(60));
    assert_answer(0, NO_GROUP, MT_NO);
    ck_assert_uint_eq(ns_look_ups(), 0);
    finish(1);
}
END_TEST

START_TEST(test_over_the_number_of_questions)
{
    asked = mt_members_new(1, NULL, false);
    ck_assert_ptr_nonnull(asked);
    ask(1001, "users");
    ck_assert(!mt_members_ask(asked, 1001, "users", 5, true));
    ck_assert(run(60));
    finish(1);
}
END_TEST

START_TEST(test_a_look_up_that_fails)
{
    name_service.error = EIO;
    begin("class");
    ask(1001, "users");
    ck_assert(run(60));
    assert_not_known(0, MT_UNKNOWN);
    finish(1);
}
END_TEST

/* As of SSSD that has stopped, on EL: nobody and nothing that a directory has is there. */
START_TEST(test_a_name_service_that_has_lost_its_directory)
{
    begin("class");
    ask(1001, "users");
    ask(1001, NULL);
    name_service.users = users + 1;
    name_service.groups = NULL;
    ck_assert(run(60));
    assert_not_known(0, MT_NO);
    assert_answer(1, NO_GROUP, MT_NO);
    ck_assert_int_eq(answer(1).allowed, MT_UNKNOWN);
    finish(2);
}
END_TEST

START_TEST(test_a_group_that_hangs_costs_its_own_answer)
{
    begin(NULL);
    ask(1001, "slow");
    ask(2001, "users");
    ask(1001, "class");
    ck_assert(!run(2));
    ck_assert(!answer(0).done);
    ck_assert_int_eq(answer(0).group_known, MT_UNKNOWN);
    ck_assert_int_eq(answer(0).in_group, MT_UNKNOWN);
    assert_answer(1, 100, MT_NO);
    assert_answer(2, 3000, MT_YES);
    mt_members_free(asked); /* does nothing: a thread is in there */
    finish(3);
}
END_TEST

/* Whoever is in one of the publishers' groups needs no answer about the others. */
START_TEST(test_a_group_of_publishers_that_hangs)
{
    begin("slow,listed");
    ask(1001, NULL);
    ask(2001, NULL);
    ck_assert(!run(2));
    ck_assert(answer(0).done);
    ck_assert_int_eq(answer(0).allowed, MT_YES);
    ck_assert(!answer(1).done);
    ck_assert_int_eq(answer(1).allowed, MT_UNKNOWN);
    finish(2);
}
END_TEST

START_TEST(test_a_user_that_hangs)
{
    begin(NULL);
    ask(NS_SLOW_UID, "class");
    ask(1001, "class");
    ck_assert(!run(2));
    ck_assert(!answer(0).done);
    ck_assert_int_eq(answer(0).group_known, MT_YES);
    ck_assert_int_eq(answer(0).in_group, MT_UNKNOWN);
    ck_assert_int_eq(answer(0).user_known, MT_UNKNOWN);
    assert_answer(1, 3000, MT_YES);
    finish(2);
    ck_assert_uint_eq(ns_look_ups(), 3);
}
END_TEST

/* With nothing but hanging look-ups, the threads are four, and it ends before its time. */
START_TEST(test_threads_are_bounded)
{
    static const char *const slow[] = {"slow", "slow2", "slow3", "slow4", "slow5"};
    begin(NULL);
    for (uid_t i = 0; i < COUNT_OF(slow); i++)
        ask(100 + i, slow[i]);
    double start = now();
    ck_assert(!run(4));
    ck_assert(now() - start < 4);
    ck_assert_uint_eq(ns_most_at_once(), MT_NSS_WORKERS_MAX);
    finish(COUNT_OF(slow));
}
END_TEST

/* Whoever keeps a thread in a look-up comes after the others, also when it is their turn. */
START_TEST(test_a_publisher_of_slow_groups_makes_nobody_wait)
{
    static const char *const slow[] = {"slow", "slow2", "slow3", "slow4", "slow5"};
    static const char *const quick[] = {"users", "class", "listed", "none", "nil"};
    begin(NULL);
    for (size_t i = 0; i < COUNT_OF(slow); i++)
        ask(1001, slow[i]);
    for (size_t i = 0; i < COUNT_OF(quick); i++)
        ask(2001, quick[i]);
    ck_assert(!run(4));
    for (size_t i = 0; i < COUNT_OF(slow); i++)
        ck_assert(!answer(i).done);
    for (size_t i = 0; i < COUNT_OF(quick); i++)
        ck_assert(answer(COUNT_OF(slow) + i).done);
    finish(COUNT_OF(slow) + COUNT_OF(quick));
}
END_TEST

/* Hundreds of groups that take a moment each are nobody else's affair either. */
START_TEST(test_publishers_take_turns)
{
    static const char *const many[] = {"users", "listed", "none", "nil", "nought"};
    name_service.quick = 4;
    begin(NULL);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        ask(1001, many[i]);
    ask(2001, "class");
    ck_assert(!run(2));
    assert_answer(0, 100, MT_YES);
    assert_answer(COUNT_OF(many), 3000, MT_YES);
    for (size_t i = 1; i < COUNT_OF(many); i++)
        ck_assert(!answer(i).done);
    finish(COUNT_OF(many) + 1);
}
END_TEST

/* Not at the second after which it gives up what hangs. One of some goes: a host may be busy. */
START_TEST(test_it_ends_at_its_time)
{
    double lasted = 1;
    for (int i = 0; i < 5 && lasted > 0.9; i++) {
        setup();
        begin(NULL);
        ask(1001, "slow");
        double start = now();
        ck_assert(!run(0.3));
        lasted = now() - start;
        ck_assert(lasted >= 0.3);
        finish(1);
    }
    ck_assert(lasted < 0.9);
}
END_TEST

START_TEST(test_a_time_that_is_over)
{
    begin(NULL);
    ask(1001, "slow");
    ck_assert(!run(-1));
    finish(1);
}
END_TEST

/* None, and one where more were wanted. */
START_TEST(test_no_threads)
{
    atomic_store(&threads_left, 0);
    begin(NULL);
    ask(1001, "class");
    ck_assert(run(60));
    assert_answer(0, 3000, MT_YES);
    finish(1);
    setup();
    atomic_store(&threads_left, 1);
    begin(NULL);
    ask(1001, "slow");
    ask(2001, "class");
    ck_assert(!run(2));
    ck_assert_uint_eq(ns_most_at_once(), 1);
    finish(2);
}
END_TEST

static bool ask_all(void)
{
    return mt_members_ask(asked, 1001, "users", 5, true) &&
           mt_members_ask(asked, 2001, "class", 5, true);
}

/* There is no answer, or it is what it always is, or that it could not be learned. */
START_TEST(test_out_of_memory)
{
    const int64_t until = in(60);
    bool reached = true;
    for (size_t n = 1; reached; n++) {
        fail_allocation(n); /* Check's own, too: nothing is asserted until it stops */
        asked = mt_members_new(2, "listed", false);
        bool all = asked && ask_all() && mt_members_run(asked, until);
        struct mt_member_answer first = {.done = false};
        struct mt_member_answer second = {.done = false};
        if (all) {
            first = answer(0);
            second = answer(1);
        }
        reached = stop_failing();
        ck_assert(all || reached);
        if (all) {
            ck_assert(first.in_group == MT_YES || (reached && first.in_group == MT_UNKNOWN));
            ck_assert(second.in_group == MT_YES || (reached && second.in_group == MT_UNKNOWN));
            ck_assert(first.allowed == MT_YES || (reached && first.allowed == MT_UNKNOWN));
            ck_assert(second.allowed == MT_NO || (reached && second.allowed == MT_UNKNOWN));
        }
        mt_members_free(asked);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("members");
    TCase *tests = add_case(suite, "members");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, test_members_and_others);
    tcase_add_test(tests, test_each_is_looked_up_once_and_by_one_thread);
    tcase_add_test(tests, test_publishers);
    tcase_add_test(tests, test_publishers_that_are_shared_with);
    tcase_add_test(tests, test_nothing_to_look_up);
    tcase_add_test(tests, test_over_the_number_of_questions);
    tcase_add_test(tests, test_a_look_up_that_fails);
    tcase_add_test(tests, test_a_name_service_that_has_lost_its_directory);
    tcase_add_test(tests, test_a_group_that_hangs_costs_its_own_answer);
    tcase_add_test(tests, test_a_group_of_publishers_that_hangs);
    tcase_add_test(tests, test_a_user_that_hangs);
    tcase_add_test(tests, test_threads_are_bounded);
    tcase_add_test(tests, test_a_publisher_of_slow_groups_makes_nobody_wait);
    tcase_add_test(tests, test_publishers_take_turns);
    tcase_add_test(tests, test_it_ends_at_its_time);
    tcase_add_test(tests, test_a_time_that_is_over);
    tcase_add_test(tests, test_no_threads);
    tcase_add_test(tests, test_out_of_memory);
    return run_suite(suite);
}
