/* SPDX-License-Identifier: MIT */
#include "block.h"
#include "scgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scgi_request request;
    char *text = block_of(data, size);
    if (scgi_read(text, size, &request) == SCGI_WHOLE &&
        (request.body + request.body_len > size || strlen(request.cookie) > size))
        abort();
    free(text);
    return 0;
}
