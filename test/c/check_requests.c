/* SPDX-License-Identifier: MIT */
/* Links: requests tenants rate lists scgi token base64 buf digest code directory json. Who waits
 * for the name service. What is asked of it this suite answers; nobody logs in. */
#include "ask.h"
#include "clock.h"
#include "gate.h"
#include "helpers.h"

#define COUNT 40

struct streams {
    int none;
};

static struct streams streams;
static struct gate gate;
static char group[] = "students";
static struct child_terms asked[COUNT];
static size_t asked_count;
static size_t let_in;
static size_t refused;

bool children_start(struct children *children, const struct child_terms *terms,
                    const void *question)
{
    (void)children, (void)question;
    ck_assert_uint_lt(asked_count, COUNT);
    asked[asked_count++] = *terms;
    return true;
}

void reply_let_in(int fd, const char *user, uid_t uid)
{
    (void)fd, (void)user, (void)uid;
    let_in++;
}

void reply_refuse(int fd, enum reply_form form, enum code code, unsigned retry)
{
    (void)fd, (void)form, (void)code, (void)retry;
    refused++;
}

void streams_note(struct streams *to, const char *addr, const char *port, uid_t uid, int64_t now)
{
    (void)to, (void)addr, (void)port, (void)uid, (void)now;
}

void keeper_note(struct keeper *keeper, const char *format, ...)
{
    (void)keeper, (void)format;
}

void tenant_leaves(struct gate *g, struct tenant *tenant)
{
    (void)g, (void)tenant;
    ck_abort();
}

void login_begin(struct gate *g, struct connection *connection, int64_t now)
{
    (void)g, (void)connection, (void)now;
    ck_abort();
}

void login_finish(struct gate *g, struct connection *connection, struct tenant *tenant, int64_t now)
{
    (void)g, (void)connection, (void)tenant, (void)now;
    ck_abort();
}

size_t ask_names(const void *question, void *answer)
{
    (void)question, (void)answer;
    ck_abort();
}

/* ---- who waits ---- */

/* All are members, as was said so many seconds ago. */
static void begin(int age)
{
    const int64_t known_at = mt_now() - age * MT_SECOND;
    gate = (struct gate){.config.group = group, .tenants = tenants_new(), .streams = &streams};
    asked_count = let_in = refused = 0;
    ck_assert_ptr_nonnull(gate.tenants);
    for (uid_t uid = 0; uid < COUNT; uid++) {
        struct tenant *tenant = tenants_find(gate.tenants, uid, known_at);
        ck_assert_ptr_nonnull(tenant);
        tenant->member = true;
        tenant->known_at = known_at;
    }
}

/* Whoever has this uid asks for something. */
static void come(uid_t uid)
{
    struct connection *connection = gate.connections + uid;
    *connection = (struct connection){.stage = READS,
                                      .fd = -1,
                                      .uid = uid,
                                      .request = {.addr = "", .port = "", .user = ""},
                                      .input = MT_BUF_INIT(1)};
    request_enter(&gate, connection, mt_now());
}

/* All that was asked is answered so; NULL: not at all. */
static void answer(const struct look_up *said)
{
    for (size_t i = 0; i < asked_count; i++)
        asked[i].done(&gate, asked[i].owner, said, said ? sizeof *said : 0);
    asked_count = 0;
}

static void assert_met(size_t in, size_t out)
{
    ck_assert_uint_eq(let_in, in);
    ck_assert_uint_eq(refused, out);
}

START_TEST(test_nobody_waits_once_an_answer_failed_to_come)
{
    begin(100);
    come(0);
    assert_met(0, 0);
    answer(NULL);
    assert_met(1, 0);
    for (uid_t uid = 1; uid < COUNT; uid++)
        come(uid);
    assert_met(COUNT, 0);
    tenants_free(gate.tenants);
}
END_TEST

START_TEST(test_all_are_asked_about_first_once_an_answer_came)
{
    const struct look_up said = {.user = MT_YES, .group = MT_YES, .in_group = true};
    begin(100);
    come(0);
    answer(NULL);
    come(1);
    answer(&said);
    assert_met(2, 0);
    come(2);
    assert_met(2, 0);
    answer(&said);
    assert_met(3, 0);
    tenants_free(gate.tenants);
}
END_TEST

START_TEST(test_what_is_known_does_not_hold_for_longer_than_ten_minutes)
{
    begin(601);
    come(0);
    answer(NULL);
    assert_met(0, 1);
    come(1);
    assert_met(0, 1);
    answer(NULL);
    assert_met(0, 2);
    tenants_free(gate.tenants);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests");
    TCase *tests = add_case(suite, "requests");
    tcase_add_test(tests, test_nobody_waits_once_an_answer_failed_to_come);
    tcase_add_test(tests, test_all_are_asked_about_first_once_an_answer_came);
    tcase_add_test(tests, test_what_is_known_does_not_hold_for_longer_than_ten_minutes);
    return run_suite(suite);
}
