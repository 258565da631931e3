/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdio.h>
#include <string.h>

/* Characters that show nothing, look like others or change the direction of writing (Unicode 15: Zs
 * but for the blank, Zl, Zp, Cf, and Default_Ignorable or blank ones of other categories). */
static const struct mt_text_range unseen[] = {
    {0x00a0, 0x00a0},   {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x0600, 0x0605},
    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x0890, 0x0891},
    {0x08e2, 0x08e2},   {0x115f, 0x1160},   {0x1680, 0x1680},   {0x17b4, 0x17b5},
    {0x180b, 0x180f},   {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},
    {0x2800, 0x2800},   {0x3000, 0x3000},   {0x3164, 0x3164},   {0xfe00, 0xfe0f},
    {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x13442}, {0x16fe4, 0x16fe4}, {0x1bca0, 0x1bca3}, {0x1d159, 0x1d159},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
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

static bool title_carries(uint32_t c)
{
    if (c < 0x80 && strchr("<>&\"'`\\", (int)c))
        return false;
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++) {
        if (c >= unseen[i].first && c <= unseen[i].last)
            return false;
    }
    return yaml_carries(c);
}

const struct mt_text_range *mt_text_unseen(size_t *count)
{
    *count = sizeof unseen / sizeof *unseen;
    return unseen;
}

bool mt_text_is_title(const char *text, size_t max)
{
    size_t count = 0;
    size_t bytes;
    if (*text == ' ')
        return false;
    for (; *text; text += bytes, count++) {
        if (count == max || !title_carries(decode(text, &bytes)))
            return false;
    }
    return count > 0 && text[-1] != ' ';
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
