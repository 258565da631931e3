/* SPDX-License-Identifier: MIT */
/* Links: tenants rate nonces digest lists. What the gate remembers of users. */
#include "tenants.h"

#include "clock.h"
#include "helpers.h"
#include "lists.h"
#include "nonces.h"

#include <stdlib.h>
#include <string.h>

#define T0 (1000 * MT_SECOND)

/* ---- who may come in ---- */

static const uid_t some[] = {2001, 2002};

static const struct {
    uid_t uid;
    int listed;
    enum mt_answer user;
    enum mt_answer group;
    int in_group;
    enum { IN, OUT, FAILS } is;
} decisions[] = {
    {2001, false, MT_YES, MT_YES, true, IN},
    {2001, false, MT_YES, MT_YES, false, OUT},
    {2001, false, MT_NO, MT_YES, false, OUT},
    {2001, false, MT_YES, MT_NO, false, OUT},
    {2001, false, MT_UNKNOWN, MT_YES, false, FAILS},
    {2001, false, MT_YES, MT_UNKNOWN, false, FAILS},
    {2001, true, MT_YES, MT_YES, true, IN},
    {2003, true, MT_YES, MT_YES, true, OUT},
    /* Who was listed, and has left the group. */
    {2001, true, MT_YES, MT_YES, false, OUT},
    /* A node without a directory, or that has lost it: without a list nobody knows. */
    {2001, false, MT_NO, MT_NO, false, FAILS},
    {2001, true, MT_NO, MT_NO, false, IN},
    {2001, true, MT_YES, MT_NO, false, IN},
    {2003, true, MT_NO, MT_NO, false, OUT},
    {2001, true, MT_UNKNOWN, MT_NO, false, FAILS},
    /* The publisher. */
    {1001, true, MT_YES, MT_YES, false, IN},
    {1001, false, MT_NO, MT_NO, false, IN},
    {1001, false, MT_YES, MT_UNKNOWN, false, IN},
};

START_TEST(test_who_may_come_in)
{
    const struct recipients recipients = {
        .listed = decisions[_i].listed, .publisher = 1001, .uids = some, .count = COUNT_OF(some)};
    const struct look_up said = {.user = decisions[_i].user,
                                 .group = decisions[_i].group,
                                 .in_group = decisions[_i].in_group,
                                 .name = "ann"};
    struct tenant tenant = {.uid = decisions[_i].uid, .asking = true};
    tenant_learn(&tenant, &said, &recipients, T0);
    ck_assert(!tenant.asking);
    ck_assert_int_eq(tenant.known_at == T0, decisions[_i].is != FAILS);
    ck_assert_int_eq(tenant.failed_at == T0, decisions[_i].is == FAILS);
    ck_assert_int_eq(tenant.member, decisions[_i].is == IN);
    ck_assert_str_eq(tenant.name,
                     decisions[_i].user == MT_YES && decisions[_i].is != FAILS ? "ann" : "");
}
END_TEST

START_TEST(test_for_nobody_but_the_publisher)
{
    const struct recipients recipients = {.listed = true, .publisher = 1001};
    const struct look_up said = {.user = MT_YES, .group = MT_YES, .in_group = true, .name = "ann"};
    struct tenant tenant = {.uid = 2001};
    tenant_learn(&tenant, &said, &recipients, T0);
    ck_assert(!tenant.member);
}
END_TEST

/* ---- how long it holds ---- */

static enum knowledge after(const struct tenant *tenant, int64_t seconds)
{
    return tenant_knowledge(tenant, T0 + seconds * MT_SECOND);
}

START_TEST(test_how_long_an_answer_holds)
{
    const struct tenant tenant = {.known_at = T0};
    const struct tenant nobody = {.known_at = 0};
    ck_assert_int_eq(after(&tenant, 0), KNOWN);
    ck_assert_int_eq(after(&tenant, 29), KNOWN);
    ck_assert_int_eq(after(&tenant, 30), AGING);
    ck_assert_int_eq(after(&tenant, 59), AGING);
    ck_assert_int_eq(after(&tenant, 60), UNKNOWN);
    ck_assert_int_eq(after(&nobody, 0), UNKNOWN);
}
END_TEST

/* It failed at second 100: what is known holds for ten minutes, and it is tried again after ten
 * seconds, for which nobody waits. */
START_TEST(test_how_long_an_answer_holds_where_nobody_answers)
{
    struct tenant tenant = {.known_at = T0, .failed_at = T0 + 100 * MT_SECOND};
    ck_assert_int_eq(after(&tenant, 100), KNOWN);
    ck_assert_int_eq(after(&tenant, 109), KNOWN);
    ck_assert_int_eq(after(&tenant, 110), AGING);
    ck_assert_int_eq(after(&tenant, 599), AGING);
    ck_assert_int_eq(after(&tenant, 600), UNKNOWN);
    tenant.failed_at = T0 + 595 * MT_SECOND;
    ck_assert_int_eq(after(&tenant, 599), KNOWN);
    ck_assert_int_eq(after(&tenant, 600), FAILED);
    tenant.known_at = 0;
    ck_assert_int_eq(after(&tenant, 599), FAILED);
    ck_assert_int_eq(after(&tenant, 605), UNKNOWN);
}
END_TEST

START_TEST(test_a_failure_takes_nothing_away)
{
    const struct recipients recipients = {.publisher = 1001};
    struct tenant tenant = {.uid = 2001, .known_at = T0, .member = true, .name = "ann"};
    tenant_learn(&tenant, NULL, &recipients, T0 + MT_SECOND);
    ck_assert(tenant.member && tenant.known_at == T0 && tenant.failed_at == T0 + MT_SECOND);
    ck_assert_str_eq(tenant.name, "ann");
}
END_TEST

/* ---- the table ---- */

START_TEST(test_whom_it_forgets)
{
    struct tenants *tenants = tenants_new();
    ck_assert_ptr_nonnull(tenants);
    struct tenant *first = tenants_find(tenants, 1, 1);
    ck_assert_ptr_nonnull(first);
    first->asking = true;
    for (uid_t uid = 2; uid < 10 * MT_GATE_TENANTS_MAX; uid++) {
        struct tenant *tenant = tenants_find(tenants, uid, uid);
        ck_assert_ptr_nonnull(tenant);
        ck_assert_ptr_eq(tenants_find(tenants, uid, uid), tenant);
    }
    ck_assert_ptr_eq(tenants_find(tenants, 1, 10 * MT_GATE_TENANTS_MAX), first);
    ck_assert(first->asking);
    size_t there = 0;
    for (size_t i = 0; i < MT_GATE_TENANTS_MAX; i++)
        there += tenants_at(tenants, i) != NULL;
    ck_assert_uint_eq(there, MT_GATE_TENANTS_MAX);
    tenants_free(tenants);
}
END_TEST

START_TEST(test_where_all_places_are_needed)
{
    struct tenants *tenants = tenants_new();
    struct tenant *tenant;
    uid_t uid = 0;
    ck_assert_ptr_nonnull(tenants);
    while ((tenant = tenants_find(tenants, uid, 1))) {
        tenant->asking = uid % 2 == 0;
        tenant->locks = uid % 2 == 1;
        ck_assert_uint_le(++uid, MT_GATE_TENANTS_MAX);
    }
    tenants_free(tenants);
}
END_TEST

START_TEST(test_names_that_are_shown)
{
    static const char *const names[][2] = {
        {"ann", "ann"},    {"DOM\\Ann", "DOM\\Ann"}, {"", "uid_7"},      {"a b", "uid_7"},
        {"a\nb", "uid_7"}, {"\xc3\xa4", "uid_7"},    {"a\x7f", "uid_7"}, {"ann@x", "ann@x"}};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct tenant tenant = {.uid = 7};
        char shown[SHOWN_SIZE];
        memcpy(tenant.name, names[i][0], strlen(names[i][0]) + 1);
        tenant_shown(&tenant, shown);
        ck_assert_str_eq(shown, names[i][1]);
    }
}
END_TEST

/* ---- rates ---- */

START_TEST(test_a_rate)
{
    struct bucket bucket = {0};
    for (int i = 0; i < 6; i++)
        ck_assert_uint_eq(rate_take(&bucket, 6, T0), 0);
    ck_assert_uint_eq(rate_take(&bucket, 6, T0), 10);
    ck_assert_uint_eq(rate_take(&bucket, 6, T0 + 9 * MT_SECOND), 1);
    ck_assert_uint_eq(rate_take(&bucket, 6, T0 + 10 * MT_SECOND), 0);
    ck_assert_uint_eq(rate_take(&bucket, 6, T0 + 10 * MT_SECOND), 10);
    ck_assert_uint_eq(rate_take(&bucket, 0, T0), 0);
    /* A minute later all of them are there again, and no more. */
    int64_t later = T0 + 1000 * MT_SECOND;
    for (int i = 0; i < 6; i++)
        ck_assert_uint_eq(rate_take(&bucket, 6, later), 0);
    ck_assert_uint_gt(rate_take(&bucket, 6, later), 0);
    ck_assert_uint_eq(rate_take(&bucket, 1, later), 60);
}
END_TEST

START_TEST(test_the_lowest_and_the_highest_rate)
{
    struct bucket one = {0};
    struct bucket many = {0};
    ck_assert_uint_eq(rate_take(&one, 1, T0), 0);
    ck_assert_uint_eq(rate_take(&one, 1, T0), 60);
    int refused = 0; /* a million assertions take valgrind a minute and a half */
    for (int i = 0; i < MT_GATE_RATE_MAX; i++)
        refused += rate_take(&many, MT_GATE_RATE_MAX, T0) != 0;
    ck_assert_int_eq(refused, 0);
    ck_assert_uint_eq(rate_take(&many, MT_GATE_RATE_MAX, T0), 1);
}
END_TEST

/* ---- credentials ---- */

START_TEST(test_a_credential_is_used_once)
{
    struct nonces *nonces = nonces_new();
    ck_assert_ptr_nonnull(nonces);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:a:", 2001, T0), NONCE_NEW);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:b:", 2001, T0), NONCE_NEW);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:a:", 2001, T0 + 359 * MT_SECOND), NONCE_USED);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:b:", 2001, T0 + 359 * MT_SECOND), NONCE_USED);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:a:", 2001, T0 + 360 * MT_SECOND), NONCE_NEW);
    nonces_free(nonces);
}
END_TEST

START_TEST(test_more_credentials_than_there_is_room_for)
{
    struct nonces *nonces = nonces_new();
    ck_assert_ptr_nonnull(nonces);
    for (int i = 0; i < MT_GATE_NONCES_MAX; i++)
        ck_assert_int_eq(nonces_use(nonces, format("MUNGE:%d:", i), (uid_t)i, T0 + i), NONCE_NEW);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:x:", 9, T0), NONCE_FULL);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:0:", 0, T0), NONCE_USED);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:x:", 9, T0 + 360 * MT_SECOND), NONCE_NEW);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:y:", 9, T0 + 360 * MT_SECOND), NONCE_FULL);
    nonces_free(nonces);
}
END_TEST

/* Who is in the group, or was, and logs in all the time. */
START_TEST(test_nobody_fills_the_list_of_credentials)
{
    struct nonces *nonces = nonces_new();
    ck_assert_ptr_nonnull(nonces);
    for (int i = 0; i < MT_GATE_NONCES_USER_MAX; i++)
        ck_assert_int_eq(nonces_use(nonces, format("MUNGE:%d:", i), 2001, T0), NONCE_NEW);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:x:", 2001, T0), NONCE_FULL);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:x:", 2002, T0), NONCE_NEW);
    ck_assert_int_eq(nonces_use(nonces, "MUNGE:y:", 2001, T0 + 360 * MT_SECOND), NONCE_NEW);
    nonces_free(nonces);
}
END_TEST

/* ---- the publisher's lists ---- */

static struct lists lists;

static enum mt_status read_banned(const char *text)
{
    return lists_read_banned(&lists, text, strlen(text));
}

static enum mt_status read_limits(const char *text)
{
    return lists_read_limits(&lists, text, strlen(text));
}

START_TEST(test_who_is_banned)
{
    ck_assert_int_eq(read_banned("2002\n4294967295\n0\n2001\n"), MT_OK);
    ck_assert(lists_bans(&lists, 2001) && lists_bans(&lists, 2002) && lists_bans(&lists, 0));
    ck_assert(lists_bans(&lists, UINT32_MAX) && !lists_bans(&lists, 2003));
    ck_assert_int_eq(read_banned(""), MT_OK);
    ck_assert(!lists_bans(&lists, 2001) && !lists_bans(&lists, 0));
}
END_TEST

START_TEST(test_limits)
{
    ck_assert_int_eq(read_limits("2001 20\n* 60\n2002 0\n"), MT_OK);
    ck_assert_uint_eq(lists_rate(&lists, 2001, 7), 20);
    ck_assert_uint_eq(lists_rate(&lists, 2002, 7), 0);
    ck_assert_uint_eq(lists_rate(&lists, 2003, 7), 60);
    ck_assert_int_eq(read_limits("2001 1000000\n"), MT_OK);
    ck_assert_uint_eq(lists_rate(&lists, 2001, 7), 1000000);
    ck_assert_uint_eq(lists_rate(&lists, 2003, 7), 7);
}
END_TEST

START_TEST(test_lists_that_are_not_of_their_form)
{
    static const char *const banned[] = {"x\n",          "2001", "2001 \n", "-1\n",
                                         "4294967296\n", "\n",   "2001\n\n"};
    static const char *const limits[] = {"2001\n", "2001 x\n",       "2001  1\n", "* \n",   "*\n",
                                         "* 1",    "2001 1000001\n", "x 1\n",     "** 1\n", "\n"};
    for (size_t i = 0; i < COUNT_OF(banned); i++)
        ck_assert_int_eq(read_banned(banned[i]), MT_MALFORMED);
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        ck_assert_int_eq(read_limits(limits[i]), MT_MALFORMED);
    /* A NUL, and no terminator to rely on. */
    ck_assert_int_eq(lists_read_banned(&lists, "2001\0", 5), MT_MALFORMED);
    ck_assert_int_eq(lists_read_banned(&lists, "2001\n2", 5), MT_OK);
}
END_TEST

START_TEST(test_lists_of_the_most_items)
{
    char *banned = repeat("2001\n", MT_GATE_LISTED_MAX);
    char *limits = repeat("2001 1\n", MT_GATE_LISTED_MAX);
    ck_assert_int_eq(read_banned(banned), MT_OK);
    ck_assert_int_eq(read_limits(limits), MT_OK);
    free(banned);
    free(limits);
    banned = repeat("2001\n", MT_GATE_LISTED_MAX + 1);
    limits = repeat("2001 1\n", MT_GATE_LISTED_MAX + 1);
    ck_assert_int_eq(read_banned(banned), MT_TOO_LARGE);
    ck_assert_int_eq(read_limits(limits), MT_TOO_LARGE);
    free(banned);
    free(limits);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tenants");
    TCase *tests = add_case(suite, "tenants");
    tcase_add_loop_test(tests, test_who_may_come_in, 0, COUNT_OF(decisions));
    tcase_add_test(tests, test_for_nobody_but_the_publisher);
    tcase_add_test(tests, test_how_long_an_answer_holds);
    tcase_add_test(tests, test_how_long_an_answer_holds_where_nobody_answers);
    tcase_add_test(tests, test_a_failure_takes_nothing_away);
    tcase_add_test(tests, test_whom_it_forgets);
    tcase_add_test(tests, test_where_all_places_are_needed);
    tcase_add_test(tests, test_names_that_are_shown);
    tcase_add_test(tests, test_a_rate);
    tcase_add_test(tests, test_the_lowest_and_the_highest_rate);
    tcase_add_test(tests, test_a_credential_is_used_once);
    tcase_add_test(tests, test_more_credentials_than_there_is_room_for);
    tcase_add_test(tests, test_nobody_fills_the_list_of_credentials);
    tcase_add_test(tests, test_who_is_banned);
    tcase_add_test(tests, test_limits);
    tcase_add_test(tests, test_lists_that_are_not_of_their_form);
    tcase_add_test(tests, test_lists_of_the_most_items);
    return run_suite(suite);
}
