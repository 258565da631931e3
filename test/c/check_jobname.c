/* SPDX-License-Identifier: MIT */
/* Links: jobname. */
#include "jobname.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

/* Splits a block that ends where the name does, and keeps it until the next. */
static bool split(const char *name, size_t len, struct mt_jobname *out)
{
    static char *block;
    free(block);
    block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, name, len);
    bool ok = mt_jobname_split(block, len, out);
    static const struct mt_jobname zeroed;
    if (!ok)
        ck_assert_mem_eq(out, &zeroed, sizeof zeroed);
    return ok;
}

#define assert_part(part, len, expected)          \
    do {                                          \
        ck_assert_uint_eq(len, strlen(expected)); \
        ck_assert_mem_eq(part, expected, len);    \
    } while (0)

static const struct {
    const char *name;
    const char *label;
    const char *group;
    const char *payload;
} good[] = {
    {"sys/dashboard|hpcGrp|AAAA", "sys/dashboard", "hpcGrp", "AAAA"},
    {"|g|p", "", "g", "p"},
    {"l|Domain Users|MUNGE:x:", "l", "Domain Users", "MUNGE:x:"},
    {"l\n\x01|gr\xc3\xbcppe|p\n", "l\n\x01", "gr\xc3\xbcppe", "p\n"},
    {"l|AD\\staff@site|p", "l", "AD\\staff@site", "p"},
};

START_TEST(test_good)
{
    struct mt_jobname parts;
    ck_assert(split(good[_i].name, strlen(good[_i].name), &parts));
    assert_part(parts.label, parts.label_len, good[_i].label);
    assert_part(parts.group, parts.group_len, good[_i].group);
    assert_part(parts.payload, parts.payload_len, good[_i].payload);
}
END_TEST

static const char *const bad[] = {
    "",
    "|",
    "||",
    "|||",
    "name",
    "sys/dashboard",
    "sys/dashboard|hpcGrp",
    "sys/dashboard|hpcGrp|",
    "sys/dashboard||AAAA",
    "||AAAA",
    "l|g|p|",
    "l|g|p|q",
    "l|g||p",
    "l|gr\np|p",
    "l|gr\tp|p",
    "l|\x1f|p",
    "l|g\x7f|p",
};

START_TEST(test_bad)
{
    struct mt_jobname parts;
    ck_assert(!split(bad[_i], strlen(bad[_i]), &parts));
}
END_TEST

START_TEST(test_nul_ends_nothing)
{
    struct mt_jobname parts;
    ck_assert(split("l\0l|g|p\0p", 9, &parts));
    ck_assert_uint_eq(parts.label_len, 3);
    ck_assert_uint_eq(parts.payload_len, 3);
    ck_assert_mem_eq(parts.payload, "p\0p", 3);
    ck_assert(!split("l|g\0g|p", 7, &parts));
}
END_TEST

START_TEST(test_group_length)
{
    struct mt_jobname parts;
    char *group = repeat("g", MT_NAME_MAX);
    const char *name = format("l|%s|p", group);
    ck_assert(split(name, strlen(name), &parts));
    ck_assert_uint_eq(parts.group_len, MT_NAME_MAX);
    name = format("l|%sg|p", group);
    ck_assert(!split(name, strlen(name), &parts));
    free(group);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobname");
    TCase *tests = add_case(suite, "split");
    tcase_add_loop_test(tests, test_good, 0, (int)COUNT_OF(good));
    tcase_add_loop_test(tests, test_bad, 0, (int)COUNT_OF(bad));
    tcase_add_test(tests, test_nul_ends_nothing);
    tcase_add_test(tests, test_group_length);
    return run_suite(suite);
}
