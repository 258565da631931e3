/* SPDX-License-Identifier: MIT */
/* Links: text. */
#include "text.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

/* A character as UTF-8, in `out`, and its length. */
static size_t encode(uint32_t c, char out[5])
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[len] | c);
    out[len] = '\0';
    return len;
}

static bool is_surrogate(uint32_t c)
{
    return c >= 0xd800 && c <= 0xdfff;
}

/* What YAML 1.1 calls printable, without what a reader folds or drops; written as the standard has
 * it. */
static bool yaml_prints(uint32_t c)
{
    return (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xd7ff) ||
           (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) || (c >= 0x10000 && c <= 0x10ffff);
}

START_TEST(test_yaml_every_character)
{
    char text[5];
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (is_surrogate(c))
            continue;
        size_t len = encode(c, text);
        if (mt_text_is_yaml(text, len) != yaml_prints(c))
            ck_abort_msg("U+%04X", c);
    }
}
END_TEST

START_TEST(test_yaml_empty)
{
    ck_assert(mt_text_is_yaml("", 0));
}
END_TEST

START_TEST(test_yaml_looks_at_all_and_no_more)
{
    ck_assert(mt_text_is_yaml("abc\x01", 3));
    ck_assert(!mt_text_is_yaml("abc\x01", 4));
    ck_assert(!mt_text_is_yaml("\x01xy", 3));
    ck_assert(!mt_text_is_yaml("a\0b", 3));
}
END_TEST

#define FEW 64

static const char *const titles[] = {
    "A",
    "Ollama_API",
    "Jupyter (GPU) 2.1: lab #3, 50% of n1",
    "K\xc3\xb6nigs-Datenbank",
    "\xe6\x95\xb0\xe6\x8d\xae\xe5\xba\x93",
    "chat \xf0\x9f\x98\x80",
    "a  b",
};

START_TEST(test_title)
{
    ck_assert(mt_text_is_title(titles[_i], FEW));
}
END_TEST

static const char *const not_titles[] = {
    "",     " ",     " a",        "a ",   "\xc2\xa0x", "a\xc2\xa0", "a\xe3\x80\x80", "\xe2\x80\x83",
    "<b>",  "a>b",   "a&b",       "a\"b", "a'b",       "a`b",       "a\\b",          "a\nb",
    "a\tb", "a\x7f", "a\xc2\x85",
};

START_TEST(test_not_a_title)
{
    ck_assert(!mt_text_is_title(not_titles[_i], FEW));
}
END_TEST

/* The length is in characters, not in bytes. */
START_TEST(test_title_length)
{
    static const char *const characters[] = {"a", "\xc3\xbc", "\xe6\x95\xb0", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        char *longest = repeat(characters[i], FEW);
        char *over = repeat(characters[i], FEW + 1);
        ck_assert(mt_text_is_title(longest, FEW));
        ck_assert(!mt_text_is_title(over, FEW));
        free(longest);
        free(over);
    }
    ck_assert(!mt_text_is_title("a", 0));
}
END_TEST

/* No title holds a character that YAML can't carry. */
START_TEST(test_title_of_every_character)
{
    char text[5];
    for (uint32_t c = 1; c <= 0x10ffff; c++) {
        if (is_surrogate(c))
            continue;
        (void)encode(c, text);
        if (mt_text_is_title(text, FEW) && !yaml_prints(c))
            ck_abort_msg("U+%04X", c);
    }
}
END_TEST

struct range {
    uint32_t first;
    uint32_t last;
};

/* Characters that are drawn as nothing or as another one (Unicode 15: General_Category Zs but for
 * the blank, Cf, Zl, Zp, and what Default_Ignorable_Code_Point names besides), and those that turn
 * the direction of writing. */
static const struct range unseen[] = {
    {0x00a0, 0x00a0},   /* no-break space */
    {0x1680, 0x1680},   /* Ogham space mark */
    {0x2000, 0x200a},   /* en quad to hair space */
    {0x202f, 0x202f},   /* narrow no-break space */
    {0x205f, 0x205f},   /* medium mathematical space */
    {0x3000, 0x3000},   /* ideographic space */
    {0xfe00, 0xfe0f},   /* variation selectors */
    {0x0600, 0x0605},   /* Arabic number signs */
    {0x06dd, 0x06dd},   /* Arabic end of ayah */
    {0x070f, 0x070f},   /* Syriac abbreviation mark */
    {0x0890, 0x0891},   /* Arabic pound and piastre marks above */
    {0x08e2, 0x08e2},   /* Arabic disputed end of ayah */
    {0x110bd, 0x110bd}, /* Kaithi number sign */
    {0x110cd, 0x110cd}, /* Kaithi number sign above */
    {0x13430, 0x1343f}, /* Egyptian hieroglyph format controls */
    {0x00ad, 0x00ad},   /* soft hyphen */
    {0x061c, 0x061c},   /* Arabic letter mark */
    {0x180e, 0x180e},   /* Mongolian vowel separator */
    {0x200b, 0x200f},   /* zero width space to right-to-left mark */
    {0x2028, 0x2029},   /* line and paragraph separator */
    {0x202a, 0x202e},   /* embeddings and overrides */
    {0x2060, 0x2064},   /* word joiner, invisible operators */
    {0x2066, 0x2069},   /* isolates */
    {0x206a, 0x206f},   /* deprecated format characters */
    {0xfff9, 0xfffc},   /* interlinear annotation, object replacement */
    {0xe0001, 0xe0001}, /* language tag */
    {0xe0020, 0xe007f}, /* tags */
};

START_TEST(test_title_has_nothing_unseen)
{
    char text[16] = "a";
    for (uint32_t c = unseen[_i].first; c <= unseen[_i].last; c++) {
        size_t len = encode(c, text + 1);
        text[1 + len] = 'b';
        text[2 + len] = '\0';
        if (mt_text_is_title(text, FEW))
            ck_abort_msg("U+%04X", c);
    }
}
END_TEST

/* A name of these alone would be an empty title. */
static const struct range blanks[] = {
    {0x115f, 0x1160},   /* Hangul fillers */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xffa0, 0xffa0},   /* half-width Hangul filler */
    {0x1bca0, 0x1bca3}, /* shorthand format controls */
    {0x1d173, 0x1d17a}, /* musical format controls */
    {0x2800, 0x2800},   /* Braille pattern blank */
    {0x13441, 0x13442}, /* Egyptian hieroglyph blanks */
    {0x16fe4, 0x16fe4}, /* Khitan filler */
    {0x1d159, 0x1d159}, /* musical null notehead */
};

START_TEST(test_title_is_not_only_unseen)
{
    char text[5];
    for (uint32_t c = blanks[_i].first; c <= blanks[_i].last; c++) {
        (void)encode(c, text);
        if (mt_text_is_title(text, FEW))
            ck_abort_msg("U+%04X", c);
    }
}
END_TEST

/* Whatever they are, and however they are mixed: they would cover the lines above and below. */
START_TEST(test_title_has_few_marks_on_a_letter)
{
    size_t count;
    const struct mt_text_range *ranges = mt_text_marks(&count);
    char text[64] = "a";
    size_t len = 1;
    for (size_t i = 0; i < MT_MARKS_MAX; i++)
        len += encode(ranges[i].first, text + len);
    text[len] = '\0';
    ck_assert(mt_text_is_title(text, FEW));
    for (size_t i = 0; i < count; i++) {
        for (uint32_t c = ranges[i].first; c <= ranges[i].last; c++) {
            text[len + encode(c, text + len)] = '\0';
            if (mt_text_is_title(text, FEW))
                ck_abort_msg("U+%04X", c);
        }
    }
    memcpy(text + len, "b\xcc\x81", sizeof "b\xcc\x81");
    ck_assert(mt_text_is_title(text, FEW));
}
END_TEST

START_TEST(test_uuid)
{
    ck_assert(mt_text_is_uuid(SESSION));
    ck_assert(mt_text_is_uuid("00000000-0000-0000-0000-000000000000"));
    ck_assert(mt_text_is_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff"));
}
END_TEST

static const char *const not_uuids[] = {
    "",
    "-",
    "0c3a8b1e",
    "0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c1",   /* one short */
    "0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c110", /* one more */
    "0C3A8B1E-7D42-4C8E-9A51-2B6F0D9E8C11",
    "0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c1g",
    "0c3a8b1e7d424c8e9a512b6f0d9e8c11",
    "0c3a8b1e-7d42-4c8e-9a512b6f0d9e8c11-",
    "-c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c11",
    "{0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c11}",
    "0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c11\n",
    " 0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c1",
    "../../../../../../../../../etc/passwd",
    "0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c1\xc3",
};

START_TEST(test_not_a_uuid)
{
    /* In a block that ends where the text does. */
    char *block = strdup(not_uuids[_i]);
    ck_assert(!mt_text_is_uuid(block));
    free(block);
}
END_TEST

START_TEST(test_uuid_cut_anywhere)
{
    for (size_t len = 0; len < strlen(SESSION); len++) {
        char *block = strndup(SESSION, len);
        ck_assert(!mt_text_is_uuid(block));
        free(block);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = add_case(suite, "yaml");
    tcase_add_test(tests, test_yaml_every_character);
    tcase_add_test(tests, test_yaml_empty);
    tcase_add_test(tests, test_yaml_looks_at_all_and_no_more);
    tests = add_case(suite, "title");
    tcase_add_loop_test(tests, test_title, 0, (int)COUNT_OF(titles));
    tcase_add_loop_test(tests, test_not_a_title, 0, (int)COUNT_OF(not_titles));
    tcase_add_test(tests, test_title_length);
    tcase_add_test(tests, test_title_of_every_character);
    tcase_add_loop_test(tests, test_title_has_nothing_unseen, 0, (int)COUNT_OF(unseen));
    tcase_add_test(tests, test_title_has_few_marks_on_a_letter);
    tcase_add_loop_test(tests, test_title_is_not_only_unseen, 0, (int)COUNT_OF(blanks));
    tests = add_case(suite, "uuid");
    tcase_add_test(tests, test_uuid);
    tcase_add_loop_test(tests, test_not_a_uuid, 0, (int)COUNT_OF(not_uuids));
    tcase_add_test(tests, test_uuid_cut_anywhere);
    return run_suite(suite);
}
