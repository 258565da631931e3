/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "buf.h"
#include "json.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

static int wrong(const char *key)
{
    return mt_say(EX_CONFIG, "the configuration's \"%s\" is missing or not of its form", key);
}

static int read_text(const char *path, struct mt_buf *text)
{
    struct stat st;
    int code = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0)
        code = mt_say(EX_IOERR, "%s can't be read (%s)", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        code = mt_say(EX_CONFIG, "%s is not a file of this user's alone; chmod 0600 it", path);
    else if (mt_buf_read(text, fd) != MT_OK)
        code = mt_say(EX_IOERR, "%s can't be read, or is too long", path);
    if (fd >= 0)
        (void)close(fd);
    return code;
}

static int by_number(const void *a, const void *b)
{
    return MT_ORDER(*(const uid_t *)a, *(const uid_t *)b);
}

/* The key "to", which need not be there. */
static int read_recipients(struct config *config)
{
    const json_t *list = json_object_get(config->json, "to");
    size_t count = json_array_size(list);
    config->recipients = (struct recipients){.listed = list != NULL, .publisher = getuid()};
    if (!list)
        return 0;
    if (!json_is_array(list) || count > MT_RECIPIENTS_MAX)
        return wrong("to");
    config->uids = calloc(count + 1, sizeof *config->uids);
    if (!config->uids)
        return mt_say_no_memory();
    for (size_t i = 0; i < count; i++) {
        const json_t *uid = json_array_get(list, i);
        if (!json_is_integer(uid) || json_integer_value(uid) < 0 ||
            json_integer_value(uid) > UINT32_MAX)
            return wrong("to");
        config->uids[i] = (uid_t)json_integer_value(uid);
    }
    qsort(config->uids, count, sizeof *config->uids, by_number);
    config->recipients.uids = config->uids;
    config->recipients.count = count;
    return 0;
}

/* A list of texts, up to a NULL. */
static int read_argv(const struct config *config, const char *key, char ***out)
{
    const json_t *list = json_object_get(config->json, key);
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0)
        return wrong(key);
    *out = calloc(count + 1, sizeof **out);
    if (!*out)
        return mt_say_no_memory();
    for (size_t i = 0; i < count; i++) {
        const json_t *text = json_array_get(list, i);
        if (!mt_json_is_text(text))
            return wrong(key);
        (*out)[i] = (char *)json_string_value(text);
    }
    return (*out)[0][0] == '/' ? 0 : wrong(key);
}

/* What may stand in a header of HTTP, and begins and ends with a slash. */
static bool is_base(const char *text)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789-._~%/@+";
    size_t len = strlen(text);
    return len > 0 && text[0] == '/' && text[1] != '/' && text[len - 1] == '/' &&
           text[strspn(text, fine)] == '\0';
}

static int read_bases(struct config *config)
{
    const json_t *list = json_object_get(config->json, "bases");
    size_t count = json_array_size(list);
    if ((list && !json_is_array(list)) || count > MT_GATE_BASES_MAX)
        return wrong("bases");
    for (size_t i = 0; i < count; i++) {
        const json_t *base = json_array_get(list, i);
        if (!mt_json_is_text(base) || !is_base(json_string_value(base)))
            return wrong("bases");
        config->bases[i] = json_string_value(base);
    }
    return 0;
}

static int read_scalars(struct config *config)
{
    const char *kind;
    int64_t rate;
    if (!mt_json_text(config->json, "cluster", &config->cluster))
        return wrong("cluster");
    if (!mt_json_u32(config->json, "job", &config->job_id))
        return wrong("job");
    if (!mt_json_u32(config->json, "restarts", &config->restarts))
        return wrong("restarts");
    if (!mt_json_text(config->json, "group", &config->group))
        return wrong("group");
    if (!mt_json_text(config->json, "state", &config->state))
        return wrong("state");
    if (!mt_json_text(config->json, "socket", &config->socket) ||
        strlen(config->socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return wrong("socket");
    if (!mt_json_integer(config->json, "expires", 0, MT_UNTIL_MAX, &config->expires))
        return wrong("expires");
    if (!mt_json_integer(config->json, "rate", 0, MT_GATE_RATE_MAX, &rate))
        return wrong("rate");
    config->rate = (uint32_t)rate;
    if (json_object_get(config->json, "munge_socket") &&
        !mt_json_text(config->json, "munge_socket", &config->munge_socket))
        return wrong("munge_socket");
    if (!mt_json_text(config->json, "kind", &kind) ||
        (strcmp(kind, "http") != 0 && strcmp(kind, "accounts") != 0))
        return wrong("kind");
    return strcmp(kind, "accounts") == 0 ? read_argv(config, "accounts", &config->accounts) : 0;
}

int config_read(const char *path, struct config *out)
{
    struct mt_buf text = MT_BUF_INIT(MT_FILE_READ_MAX);
    *out = (struct config){.cluster = NULL};
    int code = read_text(path, &text);
    if (code == 0 && mt_json_load(text.data ? text.data : "", text.len, &out->json) != MT_OK)
        code = mt_say(EX_CONFIG, "%s is not JSON", path);
    if (code == 0)
        code = read_scalars(out);
    if (code == 0)
        code = read_recipients(out);
    if (code == 0)
        code = read_bases(out);
    if (code == 0)
        code = read_argv(out, "nginx", &out->nginx);
    mt_buf_wipe(&text);
    return code;
}

void config_free(struct config *config)
{
    free(config->nginx);
    free(config->accounts);
    free(config->uids);
    json_decref(config->json);
    *config = (struct config){.cluster = NULL};
}
