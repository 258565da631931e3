/* SPDX-License-Identifier: MIT */
/* Links: digest. */
#include "digest.h"

#include "helpers.h"

#include <string.h>

/* From `printf 'a\0b\0' | sha256sum` and the like. */
static const struct {
    const char *texts[3];
    size_t count;
    const char *hex;
} known[] = {
    {{NULL}, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {{""}, 1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {{"a", "b"}, 2, "8fb20ef63ced4145fc2e983ffe597d1dcff39154c3bf21f0fa9dde6a0c50fdc9"},
};

START_TEST(test_known_answer)
{
    unsigned char digest[MT_DIGEST_BYTES];
    char hex[2 * MT_DIGEST_BYTES + 1] = "";
    ck_assert_int_eq(mt_digest(known[_i].texts, known[_i].count, digest), MT_OK);
    for (size_t i = 0; i < sizeof digest; i++)
        append(hex, sizeof hex, "%02x", digest[i]);
    ck_assert_str_eq(hex, known[_i].hex);
}
END_TEST

START_TEST(test_where_texts_end_counts)
{
    static const char *const lists[][3] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}};
    unsigned char digests[COUNT_OF(lists)][MT_DIGEST_BYTES];
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        ck_assert_int_eq(mt_digest(lists[i], 2, digests[i]), MT_OK);
        for (size_t j = 0; j < i; j++)
            ck_assert_mem_ne(digests[i], digests[j], MT_DIGEST_BYTES);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tests = add_case(suite, "digest");
    tcase_add_loop_test(tests, test_known_answer, 0, (int)COUNT_OF(known));
    tcase_add_test(tests, test_where_texts_end_counts);
    return run_suite(suite);
}
