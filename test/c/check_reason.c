/* SPDX-License-Identifier: MIT */
/* Links: reason. */
#include "reason.h"

#include "helpers.h"

#include <ctype.h>
#include <string.h>

/* The contract's list, in its order. Sites read these codes: one that changes is a new release. */
static const char contract[] =
    "ok not_member not_recipient publisher_not_member publisher_not_allowed too_many "
    "malformed_name name_too_long envelope_not_accepted bad_base64 bad_cipher bad_gzip too_large "
    "bad_message bad_session_id bad_app_name bad_title bad_service bad_method delivery_not_allowed "
    "bad_connection_key "
    "bad_connection_value wrong_job wrong_publisher stale "
    "form_only own_session dismissed other_member service_taken duplicate_session unknown_cluster "
    "no_address bad_address port_not_allowed address_open other_kind no_node "
    "lookup_failed envelope_unavailable out_of_time";

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += len) {
        bool begins = at == words || at[-1] == ' ';
        if (begins && (at[len] == ' ' || at[len] == '\0'))
            return true;
    }
    return false;
}

START_TEST(test_codes_are_the_contracts)
{
    char codes[4096] = "";
    for (int i = 0; i < MT_REASON_COUNT; i++) {
        const char *code = mt_reason_code((enum mt_reason)i);
        append(codes, sizeof codes, "%s%s", i > 0 ? " " : "", code);
    }
    ck_assert_str_eq(codes, contract);
}
END_TEST

/* What is sealed in a message, or the viewer's own affair, is not seen from outside. */
START_TEST(test_outer_reasons)
{
    static const char outer[] =
        "publisher_not_member publisher_not_allowed too_many malformed_name "
        "name_too_long envelope_not_accepted bad_base64 bad_cipher "
        "too_large bad_address port_not_allowed lookup_failed out_of_time";
    for (int i = 0; i < MT_REASON_COUNT; i++) {
        const char *code = mt_reason_code((enum mt_reason)i);
        ck_assert_msg(mt_reason_is_outer((enum mt_reason)i) == has_word(outer, code), "%s", code);
    }
    ck_assert(!mt_reason_is_outer(MT_REASON_UNTRIED));
}
END_TEST

START_TEST(test_ok_is_the_first)
{
    ck_assert_int_eq(MT_REASON_ok, 0);
}
END_TEST

START_TEST(test_code_is_lower_case_and_unique)
{
    const char *code = mt_reason_code((enum mt_reason)_i);
    for (const char *at = code; *at; at++)
        ck_assert_msg(islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_',
                      "%s", code);
    for (int other = 0; other < _i; other++)
        ck_assert_str_ne(code, mt_reason_code((enum mt_reason)other));
}
END_TEST

START_TEST(test_sentence_ends_with_a_full_stop)
{
    const char *sentence = mt_reason_sentence((enum mt_reason)_i);
    ck_assert_uint_gt(strlen(sentence), 1);
    ck_assert_int_eq(sentence[strlen(sentence) - 1], '.');
    ck_assert(isupper((unsigned char)sentence[0]));
    /* `specs --explain` prints it as the last of four columns. */
    ck_assert_ptr_null(strpbrk(sentence, "\t\n"));
    for (int other = 0; other < _i; other++)
        ck_assert_str_ne(sentence, mt_reason_sentence((enum mt_reason)other));
}
END_TEST

START_TEST(test_temporary_ones_are_exactly_these)
{
    static const char temporary[] = "no_node lookup_failed envelope_unavailable out_of_time";
    enum mt_reason reason = (enum mt_reason)_i;
    ck_assert_int_eq(mt_reason_is_temporary(reason), has_word(temporary, mt_reason_code(reason)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reason");
    TCase *tests = add_case(suite, "table");
    tcase_add_test(tests, test_codes_are_the_contracts);
    tcase_add_test(tests, test_outer_reasons);
    tcase_add_test(tests, test_ok_is_the_first);
    tcase_add_loop_test(tests, test_code_is_lower_case_and_unique, 0, MT_REASON_COUNT);
    tcase_add_loop_test(tests, test_sentence_ends_with_a_full_stop, 0, MT_REASON_COUNT);
    tcase_add_loop_test(tests, test_temporary_ones_are_exactly_these, 0, MT_REASON_COUNT);
    return run_suite(suite);
}
