/* SPDX-License-Identifier: MIT */
/* What nginx asks the gate, and the token in it. */
#include "block.h"
#include "gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gate gate;
    struct scgi_request request;
    char token[TOKEN_SIZE];
    uid_t uid;
    int64_t expires;
    char *text = block_of(data, size);
    if (scgi_read(text, size, &request) == SCGI_WHOLE &&
        (request.body + request.body_len > size || strlen(request.cookie) > size ||
         (request_token(&gate, &request, &uid, &expires, token) == CODE_ok && expires == 0)))
        abort();
    free(text);
    return 0;
}
