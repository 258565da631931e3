/* SPDX-License-Identifier: MIT */
/* Links: accounts tenants rate lists token base64 buf digest reply code json children. Whom the
 * gate of a database asks about by itself. Questions are this suite's; nobody logs in, and no
 * account is locked. */
#include "ask.h"
#include "clock.h"
#include "gate.h"
#include "helpers.h"

#define T0 (10000 * MT_SECOND)
#define COUNT 10

static struct gate gate;
static int64_t now;
static size_t room; /* for so many questions more */
static size_t asked[COUNT];
static bool is_answered;

bool tenant_ask(struct gate *g, struct tenant *tenant, enum child_use use)
{
    (void)g;
    ck_assert_int_eq(use, FOR_LATER);
    if (room == 0)
        return false;
    room--;
    asked[tenant->uid]++;
    if (is_answered)
        tenant->known_at = now;
    else
        tenant->failed_at = now;
    return true;
}

int streams_cut(const struct streams *streams, pid_t nginx,
                bool is_out(void *context, const uid_t *uid), void *context)
{
    (void)streams, (void)nginx, (void)is_out, (void)context;
    ck_abort();
}

void keeper_seen(struct keeper *keeper)
{
    (void)keeper;
    ck_abort();
}

void keeper_note(struct keeper *keeper, const char *format, ...)
{
    (void)keeper, (void)format;
    ck_abort();
}

size_t ask_account(const void *question, void *answer)
{
    (void)question, (void)answer;
    ck_abort();
}

enum code keep_out(struct gate *g, uid_t uid, int64_t at)
{
    (void)g, (void)uid, (void)at;
    ck_abort();
}

struct cookie login_cookie(const struct gate *g, const struct connection *connection,
                           const char *token)
{
    (void)g, (void)connection, (void)token;
    ck_abort();
}

void request_wait(struct gate *g, struct connection *connection, int64_t at,
                  void retry(struct gate *g, struct connection *connection, int64_t at))
{
    (void)g, (void)connection, (void)at, (void)retry;
    ck_abort();
}

void request_enter(struct gate *g, struct connection *connection, int64_t at)
{
    (void)g, (void)connection, (void)at;
    ck_abort();
}

void request_refuse(struct gate *g, struct connection *connection, enum code code)
{
    (void)g, (void)connection, (void)code;
    ck_abort();
}

void request_end(struct connection *connection)
{
    (void)connection;
    ck_abort();
}

void request_note(struct gate *g, const struct connection *connection, const char *what)
{
    (void)g, (void)connection, (void)what;
    ck_abort();
}

/* ---- who is asked about ---- */

/* All have an account, and were known for so long. */
static void begin(int64_t age)
{
    static char program[] = "accounts";
    static char *argv[] = {program, NULL};
    memset(asked, 0, sizeof asked);
    now = T0;
    gate = (struct gate){.config.accounts = argv, .tenants = tenants_new()};
    ck_assert_ptr_nonnull(gate.tenants);
    for (uid_t uid = 0; uid < COUNT; uid++) {
        struct tenant *tenant = tenants_find(gate.tenants, uid, now);
        tenant->has_account = tenant->member = true;
        tenant->known_at = now - age;
    }
}

/* Returns how many were asked about. */
static size_t tick(size_t questions)
{
    int64_t until = INT64_MAX;
    room = questions;
    accounts_tick(&gate, now, &until);
    ck_assert_int_le(until, now + MT_SECOND);
    return questions - room;
}

/* An answer takes so long that some are to be asked about again before all of them were. */
START_TEST(test_each_of_many_is_asked_about)
{
    begin(40 * MT_SECOND);
    is_answered = true;
    for (int i = 0; i < 4; i++, now += 11 * MT_SECOND)
        ck_assert_uint_eq(tick(3), 3);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_uint_ge(asked[i], 1);
    tenants_free(gate.tenants);
}
END_TEST

/* Each question is a process. */
START_TEST(test_who_is_not_answered_is_not_asked_about_at_once)
{
    begin((int64_t)700 * MT_SECOND);
    is_answered = false;
    ck_assert_uint_eq(tick(100), COUNT);
    for (int i = 0; i < 9; i++) {
        now += MT_SECOND;
        ck_assert_uint_eq(tick(100), 0);
    }
    now += 2 * MT_SECOND;
    ck_assert_uint_eq(tick(100), COUNT);
    tenants_free(gate.tenants);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accounts");
    TCase *tests = add_case(suite, "accounts");
    tcase_add_test(tests, test_each_of_many_is_asked_about);
    tcase_add_test(tests, test_who_is_not_answered_is_not_asked_about_at_once);
    return run_suite(suite);
}
