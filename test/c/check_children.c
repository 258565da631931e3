/* SPDX-License-Identifier: MIT */
/* Links: children buf. */
#include "children.h"

#include "clock.h"
#include "helpers.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct children children;
static char secret[8];
static char told[64];
static size_t told_len;
static int tellings;

static void wipe(void *context)
{
    memset(context, 'x', sizeof secret - 1);
}

static void setup(void)
{
    children = (struct children){.context = secret, .before = wipe};
    memcpy(secret, "secrets", sizeof secret);
    told_len = 0;
    tellings = 0;
}

static size_t say_secret(const void *question, void *answer)
{
    memcpy(answer, secret, sizeof secret - 1);
    memcpy((char *)answer + sizeof secret - 1, question, strlen(question) + 1);
    return sizeof secret + strlen(question);
}

static size_t say_nothing(const void *question, void *answer)
{
    (void)question;
    (void)answer;
    return 0;
}

static size_t hang(const void *question, void *answer)
{
    (void)question;
    (void)answer;
    while (pause() < 0)
        continue;
    return 0;
}

static void done(void *context, void *owner, const void *answer, size_t len)
{
    ck_assert_ptr_eq(context, secret);
    ck_assert_ptr_eq(owner, &told);
    ck_assert_uint_le(len, sizeof told);
    memcpy(told, answer, len);
    told_len = len;
    tellings++;
}

static bool start(child_work *work, enum child_use use)
{
    const struct child_terms terms = {
        .work = work, .done = done, .owner = &told, .seconds = 60, .use = use};
    return children_start(&children, &terms, "?");
}

static void wait_for_one(void)
{
    struct pollfd fds[MT_GATE_CHILDREN_MAX];
    int64_t until = INT64_MAX;
    size_t count = children_watch(&children, fds, &until);
    ck_assert_uint_gt(count, 0);
    ck_assert_int_lt(until, mt_now() + 61 * MT_SECOND);
    ck_assert_int_gt(poll(fds, count, 20000), 0);
}

static void reap_all(void)
{
    for (pid_t pid; (pid = waitpid(-1, NULL, 0)) > 0;)
        children_reaped(&children, pid);
    ck_assert_int_eq(errno, ECHILD);
}

START_TEST(test_an_answer_without_the_parents_secrets)
{
    ck_assert(start(say_secret, FOR_ANYTHING));
    while (tellings == 0) {
        wait_for_one();
        children_look(&children, mt_now());
    }
    ck_assert_uint_eq(told_len, sizeof secret + 1);
    ck_assert_str_eq(told, "xxxxxxx?");
    ck_assert_str_eq(secret, "secrets");
    reap_all();
    ck_assert_int_eq(tellings, 1);
}
END_TEST

/* It may have ended before anybody looked. */
START_TEST(test_an_answer_that_is_there_when_it_is_reaped)
{
    ck_assert(start(say_secret, FOR_ANYTHING));
    reap_all();
    ck_assert_str_eq(told, "xxxxxxx?");
    children_look(&children, mt_now());
    ck_assert_int_eq(tellings, 1);
    ck_assert(start(say_nothing, FOR_ANYTHING));
    reap_all();
    ck_assert_uint_eq(told_len, 0);
    ck_assert_int_eq(tellings, 2);
}
END_TEST

START_TEST(test_one_that_hangs_is_killed)
{
    ck_assert(start(hang, FOR_ANYTHING));
    children_look(&children, mt_now() + 59 * MT_SECOND);
    ck_assert_int_eq(tellings, 0);
    children_look(&children, mt_now() + 61 * MT_SECOND);
    ck_assert_int_eq(tellings, 1);
    ck_assert_uint_eq(told_len, 0);
    reap_all();
    ck_assert_int_eq(tellings, 1);
}
END_TEST

/* Those that ask munged leave some places to others, and so do those for whom nobody waits:
 * together one, as where both munged and the name service hang. A killed one takes its place until
 * it has ended. */
START_TEST(test_how_many_there_may_be)
{
    const int64_t late = mt_now() + 100 * MT_SECOND;
    for (int i = 0; i < MT_GATE_LATER_MAX; i++)
        ck_assert(start(hang, FOR_LATER));
    ck_assert(!start(hang, FOR_LATER));
    for (int i = 0; i < MT_GATE_LOGINS_MAX; i++)
        ck_assert(start(hang, FOR_LOGIN));
    ck_assert(!start(hang, FOR_LOGIN));
    for (int i = MT_GATE_LATER_MAX + MT_GATE_LOGINS_MAX; i < MT_GATE_CHILDREN_MAX; i++)
        ck_assert(start(hang, FOR_ANYTHING));
    ck_assert(!start(hang, FOR_ANYTHING));
    children_look(&children, late);
    ck_assert_int_eq(tellings, MT_GATE_CHILDREN_MAX);
    ck_assert(!start(hang, FOR_ANYTHING));
    reap_all();
    ck_assert(start(say_nothing, FOR_LOGIN));
    reap_all();
}
END_TEST

static int end;

/* A program that a child runs ends with it, as one of its process group. */
static size_t run_another(const void *question, void *answer)
{
    (void)question;
    (void)answer;
    if (fork() == 0) {
        if (write(end, "!", 1) == 1)
            (void)execlp("sleep", "sleep", "100", (char *)NULL);
        _exit(1);
    }
    (void)wait(NULL);
    return 0;
}

START_TEST(test_its_own_children_end_with_it)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0); /* which the last of them closes */
    end = ends[1];
    ck_assert(start(run_another, FOR_ANYTHING));
    ck_assert_int_eq(close(ends[1]), 0);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    children_look(&children, mt_now() + 61 * MT_SECOND);
    reap_all();
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    ck_assert_int_eq(close(ends[0]), 0);
}
END_TEST

static void say_late(int number)
{
    (void)number;
    _exit(write(end, "?", 1) == 1);
}

/* Says that it has begun, and where nothing ends it that, too. */
static size_t begin_and_hang(const void *question, void *answer)
{
    (void)signal(SIGALRM, say_late);
    (void)alarm(25);
    return write(end, "!", 1) == 1 ? hang(question, answer) : 0;
}

START_TEST(test_one_ends_with_the_gate_however_that_ended)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    end = ends[1];
    const pid_t gate = fork();
    if (gate == 0) {
        ck_assert(start(begin_and_hang, FOR_ANYTHING));
        (void)hang(NULL, NULL);
    }
    ck_assert_int_eq(close(ends[1]), 0);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(kill(gate, SIGKILL), 0);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert_int_eq(waitpid(gate, NULL, 0), gate);
}
END_TEST

static size_t say_signals(const void *question, void *answer)
{
    sigset_t mask;
    struct sigaction pipe_action;
    (void)question;
    bool open = sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && !sigismember(&mask, SIGTERM) &&
                sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL;
    memcpy(answer, open ? "open" : "held", 5);
    return 5;
}

/* The gate itself takes them by a descriptor. What a child runs, as nginx, ends by them. */
START_TEST(test_signals_are_a_childs_own)
{
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &term, NULL), 0);
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ck_assert(start(say_signals, FOR_ANYTHING));
    ck_assert(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    ck_assert_int_eq(sigprocmask(SIG_UNBLOCK, &term, NULL), 0);
    reap_all();
    ck_assert_str_eq(told, "open");
}
END_TEST

/* It may have ended before its child could ask to end with it. */
START_TEST(test_a_child_whose_parent_has_gone_does_not_begin)
{
    int status;
    const pid_t child = fork();
    if (child == 0)
        _exit(child_begin(getpid(), SIGKILL));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("children");
    TCase *tests = add_case(suite, "children");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, test_an_answer_without_the_parents_secrets);
    tcase_add_test(tests, test_an_answer_that_is_there_when_it_is_reaped);
    tcase_add_test(tests, test_one_that_hangs_is_killed);
    tcase_add_test(tests, test_how_many_there_may_be);
    tcase_add_test(tests, test_its_own_children_end_with_it);
    tcase_add_test(tests, test_one_ends_with_the_gate_however_that_ended);
    tcase_add_test(tests, test_signals_are_a_childs_own);
    tcase_add_test(tests, test_a_child_whose_parent_has_gone_does_not_begin);
    return run_suite(suite);
}
