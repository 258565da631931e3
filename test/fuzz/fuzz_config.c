/* SPDX-License-Identifier: MIT */
/* What the gate is told by its job: what config_read does with the bytes of the file. */
#include "block.h"
#include "config.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = block_of(data, size);
    struct config config = {.cluster = NULL};
    if (mt_json_load(text, size, &config.json) == MT_OK && read_scalars(&config) == 0 &&
        read_recipients(&config) == 0 && read_bases(&config) == 0 &&
        read_argv(&config, "nginx", &config.nginx) == 0)
        for (char **arg = config.nginx; arg && *arg; arg++) {
            if (strlen(*arg) > size)
                abort();
        }
    config_free(&config);
    free(text);
    return 0;
}
