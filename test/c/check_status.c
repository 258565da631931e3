/* SPDX-License-Identifier: MIT */
/* Links: status. */
#include "status.h"

#include "helpers.h"

#include <string.h>

START_TEST(test_ok_is_zero)
{
    ck_assert_int_eq(MT_OK, 0);
    ck_assert_str_eq(mt_status_name(MT_OK), "ok");
}
END_TEST

START_TEST(test_every_status_has_a_name_of_its_own)
{
    ck_assert_str_ne(mt_status_name((enum mt_status)_i), "");
    for (int other = 0; other < _i; other++)
        ck_assert_str_ne(mt_status_name((enum mt_status)_i), mt_status_name((enum mt_status)other));
}
END_TEST

START_TEST(test_every_status_has_a_sentence)
{
    const char *sentence = mt_status_sentence((enum mt_status)_i);
    ck_assert_uint_gt(strlen(sentence), 1);
    ck_assert_ptr_nonnull(strchr(".?", sentence[strlen(sentence) - 1]));
    ck_assert_ptr_null(strchr(sentence, '\n'));
}
END_TEST

START_TEST(test_any_other_number_is_internal)
{
    static const int others[] = {MT_STATUS_COUNT, MT_STATUS_COUNT + 1, -1, 1 << 30};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        ck_assert_str_eq(mt_status_name((enum mt_status)others[i]), "internal");
        ck_assert_ptr_eq(mt_status_sentence((enum mt_status)others[i]),
                         mt_status_sentence(MT_INTERNAL));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tests = add_case(suite, "table");
    tcase_add_test(tests, test_ok_is_zero);
    tcase_add_loop_test(tests, test_every_status_has_a_name_of_its_own, 0, MT_STATUS_COUNT);
    tcase_add_loop_test(tests, test_every_status_has_a_sentence, 0, MT_STATUS_COUNT);
    tcase_add_test(tests, test_any_other_number_is_internal);
    return run_suite(suite);
}
