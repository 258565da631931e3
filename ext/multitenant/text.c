/* SPDX-License-Identifier: MIT */
#include "text.h"

#include "mt_limits.h"

#include <stdio.h>
#include <string.h>

/* Characters that show nothing, look like others or change the direction of writing (Unicode 15: Zs
 * but for the blank, Zl, Zp, Cf, and Default_Ignorable or blank ones of other categories), and what
 * stands for an object that is not there. */
static const struct mt_text_range unseen[] = {
    {0x00a0, 0x00a0},   {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x0600, 0x0605},
    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x0890, 0x0891},
    {0x08e2, 0x08e2},   {0x115f, 0x1160},   {0x1680, 0x1680},   {0x17b4, 0x17b5},
    {0x180b, 0x180f},   {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},
    {0x2800, 0x2800},   {0x3000, 0x3000},   {0x3164, 0x3164},   {0xfe00, 0xfe0f},
    {0xffa0, 0xffa0},   {0xfff0, 0xfffc},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x13442}, {0x16fe4, 0x16fe4}, {0x1bca0, 0x1bca3}, {0x1d159, 0x1d159},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

/* Marks that fonts pile up above or below a letter, over the lines beside it (Mn and Me of Latin,
 * Cyrillic, Hebrew, Arabic, Syriac, Thai, Lao, Tibetan, Ethiopic, and for symbols). */
static const struct mt_text_range marks[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x06d6, 0x06dc}, {0x06df, 0x06e4}, {0x0730, 0x074a}, {0x08d3, 0x08ff}, {0x0e31, 0x0e31},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x0eb1, 0x0eb1}, {0x0eb4, 0x0ebc}, {0x0ec8, 0x0ece},
    {0x0f71, 0x0f84}, {0x135d, 0x135f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff},
    {0x302a, 0x302f}, {0xfe20, 0xfe2f},
};

/* The character at `text`, which is valid UTF-8, and its length in bytes. */
static uint32_t decode(const char *text, size_t *len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *len = 1;
        return s[0];
    }
    *len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    uint32_t c = s[0] & (0xffu >> (*len + 1));
    for (size_t i = 1; i < *len; i++)
        c = c << 6 | (s[i] & 0x3fu);
    return c;
}

static bool yaml_carries(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xfeff)
        return false;
    return c <= 0xfffd || c >= 0x10000;
}

bool mt_text_is_yaml(const char *text, size_t len)
{
    size_t bytes;
    for (size_t at = 0; at < len; at += bytes) {
        if (!yaml_carries(decode(text + at, &bytes)))
            return false;
    }
    return true;
}

static bool among(uint32_t c, const struct mt_text_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

static bool title_carries(uint32_t c)
{
    if (c < 0x80 && strchr("<>&\"'`\\", (int)c))
        return false;
    return yaml_carries(c) && !among(c, unseen, sizeof unseen / sizeof *unseen);
}

const struct mt_text_range *mt_text_unseen(size_t *count)
{
    *count = sizeof unseen / sizeof *unseen;
    return unseen;
}

const struct mt_text_range *mt_text_marks(size_t *count)
{
    *count = sizeof marks / sizeof *marks;
    return marks;
}

bool mt_text_is_title(const char *text, size_t max)
{
    size_t count = 0;
    size_t piled = 0;
    size_t bytes;
    if (*text == ' ')
        return false;
    for (; *text; text += bytes, count++) {
        uint32_t c = decode(text, &bytes);
        piled = among(c, marks, sizeof marks / sizeof *marks) ? piled + 1 : 0;
        if (count == max || piled > MT_MARKS_MAX || !title_carries(c))
            return false;
    }
    return count > 0 && text[-1] != ' ';
}

bool mt_text_is_service(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return text[len] == '\0' && text[0] != '-' && len > 0 && len <= MT_SERVICE_MAX;
}

bool mt_text_is_door(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    /* The last of 43 digits has four bits, and two more that are zero. */
    size_t len = strspn(text, digits);
    return len == MT_DOOR_CHARS && text[len] == '\0' && strchr("AEIMQUYcgkosw048", text[len - 1]);
}

size_t mt_text_of_job(uint32_t job_id, char out[MT_JOB_TEXT_SIZE])
{
    return (size_t)snprintf(out, MT_JOB_TEXT_SIZE, "%lu", (unsigned long)job_id);
}

bool mt_text_list_has(const char *list, const char *item, size_t len)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n == len && memcmp(list, item, len) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

bool mt_text_is_uuid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == '-' ? text[i] != '-' : !text[i] || !strchr("0123456789abcdef", text[i]))
            return false;
    }
    return text[sizeof form - 1] == '\0';
}
