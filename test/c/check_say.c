/* SPDX-License-Identifier: MIT */
/* Links: say buf. */
#include "say.h"

#include "forked.h"
#include "helpers.h"
#include "mt_limits.h"

#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int say_text(void *text)
{
    return mt_say(EX_CONFIG, "%s", (const char *)text);
}

static const char *const texts[][2] = {
    {"it is 5 % off", "program: it is 5 % off\n"},
    {"", "program: \n"},
    {"a\nb\tc\033[31m\xff\xc3\xa4\x7f", "program: a?b?c?[31m????\n"},
};

START_TEST(test_a_sentence_is_one_printable_line)
{
    struct forked is = run_forked(say_text, (void *)texts[_i][0], "", 0);
    ck_assert_int_eq(is.status, EX_CONFIG);
    ck_assert_str_eq(is.err, texts[_i][1]);
    ck_assert_str_eq(is.out, "");
}
END_TEST

START_TEST(test_a_sentence_is_bounded)
{
    char *text = repeat("x", 2 * MT_SENTENCE_MAX);
    struct forked is = run_forked(say_text, text, "", 0);
    ck_assert_uint_eq(strlen(is.err), MT_SENTENCE_MAX);
    ck_assert_str_eq(is.err + MT_SENTENCE_MAX - 2, "x\n");
    free(text);
}
END_TEST

static int say_twice(void *none)
{
    const char *const parts[] = {"one", " and ", "two"};
    (void)none;
    mt_say_joined(parts, COUNT_OF(parts));
    return mt_say_no_memory();
}

START_TEST(test_the_first_sentence_wins)
{
    struct forked is = run_forked(say_twice, NULL, "", 0);
    ck_assert_int_eq(is.status, EX_OSERR);
    ck_assert_str_eq(is.err, "program: one and two\n");
}
END_TEST

static int say_elsewhere(void *none)
{
    (void)none;
    mt_say_to(STDOUT_FILENO);
    return mt_say_no_memory();
}

START_TEST(test_another_descriptor)
{
    struct forked is = run_forked(say_elsewhere, NULL, "", 0);
    ck_assert_str_eq(is.out, "program: out of memory\n");
    ck_assert_str_eq(is.err, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("say");
    TCase *tests = add_case(suite, "say");
    tcase_add_loop_test(tests, test_a_sentence_is_one_printable_line, 0, COUNT_OF(texts));
    tcase_add_test(tests, test_a_sentence_is_bounded);
    tcase_add_test(tests, test_the_first_sentence_wins);
    tcase_add_test(tests, test_another_descriptor);
    return run_suite(suite);
}
