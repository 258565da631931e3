/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    struct mt_mark mark;
    struct mt_db db;
    (void)mt_mark_parse(text, size, &mark);
    (void)mt_db_parse(text, size, &db);
    (void)mt_db_same(text, size, text, size / 2);
    json_decref(mark.json);
    json_decref(db.json);
    free(text);
    return 0;
}
