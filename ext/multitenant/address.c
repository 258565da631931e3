/* SPDX-License-Identifier: MIT */
#include "address.h"

#include "text.h"

#include <string.h>

static const char *const kinds[] = {
#define X(kind) #kind,
    MT_ADDRESS_KINDS(X)
#undef X
};

/* NFS; slurmctld, slurmd, slurmdbd and slurmrestd; node_exporter: none is a publisher's. */
static const struct {
    uint32_t first;
    uint32_t last;
} not_allowed[] = {{0, MT_GATE_MIN - 1}, {2049, 2049}, {6817, 6820}, {9100, 9100}};

/* The rest of a word, from which parts are taken. */
struct rest {
    const char *at;
    const char *end;
};

/* Takes what stands before the next colon, or before the end, as a text of at most `max` bytes. */
static bool take(struct rest *rest, bool last, char *out, size_t max)
{
    const char *colon = memchr(rest->at, ':', (size_t)(rest->end - rest->at));
    const char *stop = colon ? colon : rest->end;
    size_t len = (size_t)(stop - rest->at);
    if (last != !colon || len == 0 || len > max || memchr(rest->at, '\0', len))
        return false;
    memcpy(out, rest->at, len);
    out[len] = '\0';
    rest->at = stop + !last;
    return true;
}

/* Characters that need no escape in a path, and no segment that climbs. */
static bool is_check(const char *path)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~/-";
    return path[strspn(path, set)] == '\0' && !strstr(path, "..") && !strstr(path, "//") &&
           strlen(path) <= MT_ADDRESS_CHECK_MAX;
}

static bool read_kind(const char *text, struct mt_address *out)
{
    out->open = strncmp(text, "open-", 5) == 0;
    text += out->open ? 5 : 0;
    size_t len = strcspn(text, "/");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strlen(kinds[i]) == len && strncmp(kinds[i], text, len) == 0)
            out->kind = kinds[i];
    }
    if (!out->kind)
        return false;
    if (text[len] == '\0')
        return true;
    if (strcmp(out->kind, "web") != 0 || !is_check(text + len))
        return false;
    memcpy(out->check, text + len, strlen(text + len) + 1);
    return true;
}

static bool read_port(const char *text, uint32_t *out)
{
    *out = 0;
    if (*text == '0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *out = *out * 10 + (uint32_t)(*text - '0');
    }
    return *out <= MT_GATE_MAX;
}

static bool is_allowed(uint32_t port)
{
    for (size_t i = 0; i < sizeof not_allowed / sizeof *not_allowed; i++) {
        if (port >= not_allowed[i].first && port <= not_allowed[i].last)
            return false;
    }
    return true;
}

enum mt_reason mt_address_read(const char *label, size_t len, struct mt_address *out)
{
    char kind[sizeof "open-web" + MT_ADDRESS_CHECK_MAX];
    char port[6];
    const char *blank = memrchr(label, ' ', len);
    struct rest rest = {.at = blank ? blank + 1 : label, .end = label + len};
    struct mt_address address = {0};
    memset(out, 0, sizeof *out);
    if (rest.end - rest.at < 3 || memcmp(rest.at, "mt:", 3) != 0)
        return MT_REASON_no_address;
    rest.at += 3;
    if (!take(&rest, false, address.service, sizeof address.service - 1) ||
        !take(&rest, false, kind, sizeof kind - 1) || !take(&rest, true, port, sizeof port - 1) ||
        !mt_text_is_service(address.service) || !read_kind(kind, &address) ||
        !read_port(port, &address.port))
        return MT_REASON_bad_address;
    *out = address;
    return is_allowed(address.port) ? MT_REASON_ok : MT_REASON_port_not_allowed;
}

static enum mt_status encode(const char *text, size_t len, struct mt_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    enum mt_status status = MT_OK;
    for (size_t i = 0; i < len && status == MT_OK; i++) {
        unsigned char c = (unsigned char)text[i];
        const char escape[] = {'%', digits[c >> 4], digits[c & 15]};
        bool as_is = memchr(plain, c, sizeof plain - 1) != NULL;
        status = as_is ? mt_buf_append(out, text + i, 1) : mt_buf_append(out, escape, 3);
    }
    return status;
}

enum mt_status mt_address_fill(const char *form, const char *user, const char *service,
                               const char *group, size_t group_len, struct mt_buf *out)
{
    const struct {
        const char *name;
        const char *text;
        size_t len;
    } names[] = {{"{user}", user, strlen(user)},
                 {"{service}", service, strlen(service)},
                 {"{group}", group, group_len}};
    enum mt_status status = MT_OK;
    while (*form && status == MT_OK) {
        size_t n = 0;
        while (n < 3 && strncmp(form, names[n].name, strlen(names[n].name)) != 0)
            n++;
        status = n < 3 ? encode(names[n].text, names[n].len, out) : mt_buf_append(out, form, 1);
        form += n < 3 ? strlen(names[n].name) : 1;
    }
    return status;
}
