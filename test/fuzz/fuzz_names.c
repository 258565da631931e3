/* SPDX-License-Identifier: MIT */
/* The questions that multitenant-names reads. */
#include "block.h"

#define main names_main
int names_main(int argc, char **argv);
#include "names.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct question items[MT_QUESTIONS_MAX];
    struct questions questions = {
        .items = items, .input = {.data = block_of(data, size), .len = size, .limit = size}};
    /* Without any, they are not split. */
    if (size > 0 && !split(&questions))
        for (size_t i = 0; i < questions.count; i++) {
            const char *group = questions.items[i].group;
            if (group && (!*group || strlen(group) > MT_NAME_MAX))
                abort();
        }
    free(questions.input.data);
    return 0;
}
