/* SPDX-License-Identifier: MIT */
#include "streams.h"

#include "mt_limits.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of Linux 5.3 and 5.6, on all architectures; older headers don't have them. */
#ifndef SYS_pidfd_open
#    define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#    define SYS_pidfd_getfd 438
#endif

#define PLACES 8
#define SETS (MT_GATE_STREAMS_MAX / PLACES)

/* IPv4 as IPv6 has it. */
struct client {
    struct in6_addr addr;
    uint16_t port;
};

struct streams {
    struct {
        struct client client;
        uid_t uid;
        int64_t at; /* 0: free */
    } places[MT_GATE_STREAMS_MAX];
};

struct streams *streams_new(void)
{
    return calloc(1, sizeof(struct streams));
}

void streams_free(struct streams *streams)
{
    free(streams);
}

static size_t set_of(const struct client *client)
{
    uint32_t parts[4];
    memcpy(parts, &client->addr, sizeof parts);
    uint32_t sum = (parts[0] ^ parts[1] ^ parts[2] ^ parts[3]) * 31 + client->port;
    return (sum * UINT32_C(2654435761) >> 16) % SETS * PLACES;
}

static bool is_same(const struct client *a, const struct client *b)
{
    return a->port == b->port && memcmp(&a->addr, &b->addr, sizeof a->addr) == 0;
}

static void from_ipv4(const void *addr, struct client *out)
{
    memset(&out->addr, 0, sizeof out->addr);
    memset(out->addr.s6_addr + 10, 0xff, 2);
    memcpy(out->addr.s6_addr + 12, addr, sizeof(struct in_addr));
}

static bool from_text(const char *addr, const char *port, struct client *out)
{
    struct in_addr ipv4;
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    if (number == 0 || number > UINT16_MAX || *end)
        return false;
    out->port = (uint16_t)number;
    if (inet_pton(AF_INET, addr, &ipv4) == 1) {
        from_ipv4(&ipv4, out);
        return true;
    }
    return inet_pton(AF_INET6, addr, &out->addr) == 1;
}

static bool from_name(const struct sockaddr_storage *name, struct client *out)
{
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)name;
        from_ipv4(&ipv4->sin_addr, out);
        out->port = ntohs(ipv4->sin_port);
        return true;
    }
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)name;
    if (name->ss_family != AF_INET6)
        return false;
    out->addr = ipv6->sin6_addr;
    out->port = ntohs(ipv6->sin6_port);
    return true;
}

/* The other end of a socket. */
static bool from_peer(int fd, struct client *out)
{
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof name;
    return getpeername(fd, (struct sockaddr *)&name, &len) == 0 && from_name(&name, out);
}

/* The port at this end of a socket, and whether it is listened on; 0: none. */
static uint16_t own_port(int fd, bool *listens)
{
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    struct client own;
    int on = 0;
    socklen_t len = sizeof on;
    *listens = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
    len = sizeof name;
    return getsockname(fd, (struct sockaddr *)&name, &len) == 0 && from_name(&name, &own) ? own.port
                                                                                          : 0;
}

void streams_note(struct streams *streams, const char *addr, const char *port, uid_t uid,
                  int64_t now)
{
    struct client client;
    if (!from_text(addr, port, &client))
        return;
    size_t first = set_of(&client);
    size_t place = first;
    for (size_t i = first; i < first + PLACES; i++) {
        if (streams->places[i].at && is_same(&streams->places[i].client, &client)) {
            place = i;
            break;
        }
        if (streams->places[i].at < streams->places[place].at)
            place = i;
    }
    streams->places[place].client = client;
    streams->places[place].uid = uid;
    streams->places[place].at = now;
}

/* Which connections are cut. */
struct cut {
    const struct streams *streams;
    bool (*is_out)(void *context, const uid_t *uid);
    void *context;
};

/* Whoever asks from ports enough can have their own connection forgotten: one of a client's that
 * may have been is anybody's. */
static bool is_cut(const struct cut *cut, const struct client *client, bool is_clients)
{
    bool full = true;
    size_t first = set_of(client);
    for (size_t i = first; i < first + PLACES; i++) {
        if (cut->streams->places[i].at && is_same(&cut->streams->places[i].client, client))
            return cut->is_out(cut->context, &cut->streams->places[i].uid);
        full = full && cut->streams->places[i].at;
    }
    return full && is_clients && cut->is_out(cut->context, NULL);
}

/* The number that an entry of /proc is named by; -1: another entry. */
static int number_of(const struct dirent *entry)
{
    char *end;
    long number = strtol(entry->d_name, &end, 10);
    return *entry->d_name && !*end && number >= 0 && number <= INT32_MAX ? (int)number : -1;
}

/* Cuts connections of a process. Returns how many, or -1. */
static int cut_in(const struct cut *cut, pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/fd", pid);
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    DIR *fds = process < 0 ? NULL : opendir(path);
    int count = fds ? 0 : -1;
    uint16_t listened = 0; /* these come first, as nginx has them from its beginning */
    for (const struct dirent *entry; count >= 0 && (entry = readdir(fds));) {
        struct client client;
        char target[8] = "";
        int number = number_of(entry);
        if (number < 0 || readlinkat(dirfd(fds), entry->d_name, target, sizeof target) < 7 ||
            memcmp(target, "socket:", 7) != 0)
            continue;
        int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
        if (fd < 0 && errno != EBADF) {
            count = -1;
        } else if (fd >= 0) {
            bool listens;
            uint16_t port = own_port(fd, &listens);
            if (listens && port)
                listened = port;
            if (from_peer(fd, &client) && is_cut(cut, &client, port == listened))
                count += shutdown(fd, SHUT_RDWR) == 0;
            (void)close(fd);
        }
    }
    if (fds)
        (void)closedir(fds);
    if (process >= 0)
        (void)close(process);
    return count;
}

int streams_cut(const struct streams *streams, pid_t nginx,
                bool is_out(void *context, const uid_t *uid), void *context)
{
    const struct cut cut = {.streams = streams, .is_out = is_out, .context = context};
    int count = 0;
    DIR *processes = opendir("/proc");
    if (!processes)
        return -1;
    for (const struct dirent *entry; count >= 0 && (entry = readdir(processes));) {
        int pid = number_of(entry);
        if (pid <= 0 || getpgid(pid) != nginx)
            continue;
        int cuts = cut_in(&cut, pid);
        count = cuts < 0 ? -1 : count + cuts;
    }
    (void)closedir(processes);
    return count;
}
