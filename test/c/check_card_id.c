/* SPDX-License-Identifier: MIT */
/* Links: card_id. */
#include "card_id.h"

#include "helpers.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/*
 * From `printf 'hpc\0004711\0000c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c11\000' | sha256sum`, with the
 * version and variant digits set. A card keeps its id from one release to the next.
 */
START_TEST(test_known_answer)
{
    char id[MT_UUID_SIZE];
    ck_assert_int_eq(mt_card_id_make("hpc", 4711, SESSION, id), MT_OK);
    ck_assert_str_eq(id, "06775c3c-1b0f-890e-9853-4aef976faf24");
}
END_TEST

START_TEST(test_is_a_uuid_of_version_8)
{
    for (uint32_t job = 1; job < 200; job++) {
        char id[MT_UUID_SIZE];
        ck_assert_int_eq(mt_card_id_make("hpc", job, SESSION, id), MT_OK);
        ck_assert_uint_eq(strlen(id), 36);
        ck_assert_uint_eq(strspn(id, "0123456789abcdef-"), 36);
        ck_assert(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
        ck_assert_int_eq(id[14], '8');
        ck_assert_ptr_nonnull(strchr("89ab", id[19]));
    }
}
END_TEST

START_TEST(test_each_part_counts)
{
    static const struct {
        const char *cluster;
        uint32_t job_id;
        const char *session;
    } triples[] = {
        {"hpc", 4711, SESSION},  {"gpu", 4711, SESSION},       {"hpc", 4712, SESSION},
        {"hpc4", 711, SESSION},  {"hpc", 4711, OTHER_SESSION}, {"hpc", 4711, "1" SESSION},
        {"hpc", 47111, SESSION}, {"", 4711, SESSION},
    };
    char ids[COUNT_OF(triples)][MT_UUID_SIZE];
    for (size_t i = 0; i < COUNT_OF(triples); i++) {
        ck_assert_int_eq(
            mt_card_id_make(triples[i].cluster, triples[i].job_id, triples[i].session, ids[i]),
            MT_OK);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(ids[i], ids[j]);
    }
}
END_TEST

START_TEST(test_knows_its_own)
{
    char id[MT_UUID_SIZE];
    ck_assert_int_eq(mt_card_id_make("hpc", 4711, SESSION, id), MT_OK);
    ck_assert(mt_card_id_is_made(id));
    /* OOD's are of version 4. */
    ck_assert(!mt_card_id_is_made(SESSION));
    ck_assert(!mt_card_id_is_made(OTHER_SESSION));
    ck_assert(!mt_card_id_is_made(""));
    ck_assert(!mt_card_id_is_made("00000000-0000-8"));
}
END_TEST

START_TEST(test_leaves_no_openssl_error)
{
    char id[MT_UUID_SIZE];
    ck_assert_int_eq(mt_card_id_make("hpc", 4711, SESSION, id), MT_OK);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("card_id");
    TCase *tests = add_case(suite, "make");
    tcase_add_test(tests, test_known_answer);
    tcase_add_test(tests, test_is_a_uuid_of_version_8);
    tcase_add_test(tests, test_each_part_counts);
    tcase_add_test(tests, test_knows_its_own);
    tcase_add_test(tests, test_leaves_no_openssl_error);
    return run_suite(suite);
}
