/* SPDX-License-Identifier: MIT */
/* A job's name, and the address that its label asks for. */
#include "address.h"
#include "block.h"
#include "jobname.h"
#include "text.h"

static void read_label(const char *label, size_t len)
{
    struct mt_address address;
    struct mt_buf path = MT_BUF_INIT(4 * MT_JOBNAME_MAX);
    enum mt_reason reason = mt_address_read(label, len, &address);
    if ((reason == MT_REASON_ok || reason == MT_REASON_port_not_allowed) &&
        (!address.kind || !mt_text_is_service(address.service)))
        abort();
    /* A component of a path stays one, whatever the names are. */
    if (mt_address_fill("{group}", "", "", label, len, &path) == MT_OK && path.len > 0 &&
        memchr(path.data, '/', path.len))
        abort();
    mt_buf_wipe(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    struct mt_jobname name;
    read_label(text, size);
    if (mt_jobname_split(text, size, &name)) {
        char *label = block_of((const uint8_t *)name.label, name.label_len);
        read_label(label, name.label_len);
        free(label);
    }
    free(text);
    return 0;
}
