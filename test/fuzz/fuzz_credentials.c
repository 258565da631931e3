/* SPDX-License-Identifier: MIT */
/*
 * The lines of credentials that multitenant-munge reads, and what it writes of each, which the core
 * has to be able to read. In place of libmunge: a credential's first byte is what munged says of
 * it, the second how it is restricted, and the rest is what is in it.
 */
#include "block.h"
#include "deadline.h"
#include "opened.h"

#define mt_deadline_soft() INT64_MAX
#define main munge_main
int munge_main(int argc, char **argv);
#include "munge.c"
#undef main

static char restriction;

munge_ctx_t munge_ctx_create(void)
{
    return (munge_ctx_t)&restriction;
}

void munge_ctx_destroy(munge_ctx_t ctx)
{
    (void)ctx;
}

munge_err_t munge_ctx_set(munge_ctx_t ctx, int option, ...)
{
    (void)ctx;
    (void)option;
    return EMUNGE_SUCCESS;
}

munge_err_t munge_ctx_get(munge_ctx_t ctx, int option, ...)
{
    const char wanted = option == MUNGE_OPT_UID_RESTRICTION ? 'u' : 'g';
    va_list values;
    (void)ctx;
    va_start(values, option);
    *va_arg(values, uint32_t *) = restriction == wanted ? 1001 : UINT32_MAX;
    va_end(values);
    return EMUNGE_SUCCESS;
}

munge_err_t munge_decode(const char *cred, munge_ctx_t ctx, void **buf, int *len, uid_t *uid,
                         gid_t *gid)
{
    const size_t all = strlen(cred);
    const size_t head = all < 2 ? all : 2;
    (void)ctx;
    *uid = *gid = 1001;
    restriction = cred[head - 1];
    *len = (int)(all - head);
    *buf = block_of((const uint8_t *)cred + head, all - head + 1);
    /* '0' is success, what follows are libmunge's other words in their order. */
    return (munge_err_t)((unsigned char)(cred[0] - '0') % (EMUNGE_CRED_UNAUTHORIZED + 1));
}

munge_err_t munge_encode(char **cred, munge_ctx_t ctx, const void *buf, int len)
{
    (void)cred;
    (void)ctx;
    (void)buf;
    (void)len;
    return EMUNGE_SNAFU;
}

const char *munge_strerror(munge_err_t e)
{
    (void)e;
    return "";
}

/* One credential is asked for once. `text` has become lines that end with a NUL. */
static bool has_twice(const char *text, size_t size)
{
    for (const char *a = text; a < text + size; a += strlen(a) + 1)
        for (const char *b = a + strlen(a) + 1; b < text + size; b += strlen(b) + 1) {
            if (strcmp(a, b) == 0)
                return true;
        }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    char *written = NULL;
    size_t len = 0;
    size_t bad_line;
    struct mt_opened opened = {.items = NULL};
    FILE *out = stdout;
    stdout = open_memstream(&written, &len);
    if (!stdout)
        abort();
    const struct mt_buf input = {.data = text, .len = size + 1, .limit = size + 1};
    const int status = answer_all(&input, NULL);
    if (fclose(stdout) != 0)
        abort();
    stdout = out;
    if (status == 0 && (mt_opened_read(written, len, &opened, &bad_line) != MT_OK ||
                        (bad_line > 0 && !has_twice(text, size))))
        abort();
    mt_opened_free(&opened);
    free(written);
    free(text);
    return 0;
}
