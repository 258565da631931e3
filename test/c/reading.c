/* SPDX-License-Identifier: MIT */
#include "reading.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct mt_streams streams;
struct script script;
size_t bad_line;

void setup(void)
{
    memset(&streams, 0, sizeof streams);
}

void teardown(void)
{
    mt_streams_free(&streams);
    script_free(&script);
}

enum mt_status read_bytes(const char *text, size_t len)
{
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, text, len);
    enum mt_status status = mt_streams_read(&streams, block, len, &bad_line);
    free(block);
    return status;
}

enum mt_status read_script(void)
{
    return read_bytes(script.text, script.len);
}
