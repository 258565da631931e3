/* SPDX-License-Identifier: MIT */
/*
 * multitenant-gate: knows who may use the service of a job. nginx, its child, asks it about every
 * request, and sends it logins; no traffic passes through it.
 */
#include "gate.h"

#include "clock.h"
#include "nginx.h"
#include "program.h"
#include "say.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static const char help[] =
    "usage: multitenant-gate --config FILE\n"
    "       multitenant-gate --new-keys DIRECTORY\n"
    "\n"
    "Run in a job: decides who may use its service, and each by their own name. nginx, which it\n"
    "starts, asks it about every request, and sends it the logins, which munged vouches for.\n"
    "\n"
    "  --config FILE         what is shared with whom (0600); stays until SIGTERM or nginx's end\n"
    "  --new-keys DIRECTORY  make what is missing of a service's keys, and end\n"
    "  --help, --version     this text; the program's version\n"
    "\n"
    "Exit codes: 0 fine, 64 usage, 70 nginx or the process that keeps the state's files ended,\n"
    "71 internal, 74 input or output, 78 the configuration or the state is not of its form.\n";

#define BACKLOG 1024

struct gate_options {
    const char *config;
    const char *new_keys;
};

static int take(void *into, int option, const char *value)
{
    struct gate_options *options = into;
    if (option == 'c')
        options->config = value;
    else
        options->new_keys = value;
    return 0;
}

/* Nobody reads our memory, not even this user's other processes; and all files are ours alone. */
static int close_up(void)
{
    const struct rlimit none = {.rlim_cur = 0};
    (void)umask(077);
    if (prctl(PR_SET_DUMPABLE, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0)
        return 0;
    return mt_say(EX_OSERR, "this process can't be closed to others (%s)", strerror(errno));
}

/* In a directory that is this user's alone. */
static int listen_at(const char *path, int *out)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat st;
    char *directory = strndup(path, (size_t)(strrchr(path, '/') ? strrchr(path, '/') - path : 0));
    bool own =
        directory && stat(directory, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
    free(directory);
    if (!own)
        return mt_say(EX_CONFIG, "%s is not in a directory of this user's alone", path);
    memcpy(name.sun_path, path, strlen(path)); /* config.c has seen to its length */
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
    *out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*out >= 0 && bind(*out, (const struct sockaddr *)&name, sizeof name) == 0 &&
        listen(*out, BACKLOG) == 0)
        return 0;
    return mt_say(EX_OSERR, "nobody can be listened to at %s (%s)", path, strerror(errno));
}

static int take_signals(int *out)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (signal(SIGPIPE, SIG_IGN) != SIG_ERR && sigprocmask(SIG_SETMASK, &set, NULL) == 0 &&
        (*out = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) >= 0)
        return 0;
    return mt_say(EX_OSERR, "signals can't be taken (%s)", strerror(errno));
}

static void wipe(void *context)
{
    struct gate *gate = context;
    keys_wipe(&gate->keys);
}

static int open_tables(struct gate *gate)
{
    gate->children.context = gate;
    gate->children.before = wipe;
    gate->tenants = tenants_new();
    gate->nonces = nonces_new();
    gate->streams = streams_new();
    return gate->tenants && gate->nonces && gate->streams ? 0 : mt_say_no_memory();
}

/* The keeper comes before the keys, so that it never has them. */
static int begin(struct gate *gate, const char *path)
{
    int code = config_read(path, &gate->config);
    if (code == 0)
        code = take_signals(&gate->signals);
    if (code == 0)
        code = keeper_start(&gate->keeper, &gate->config, &gate->lists);
    if (code == 0)
        code = keys_load(gate->config.state, &gate->keys);
    if (code == 0)
        code = open_tables(gate);
    if (code == 0)
        code = listen_at(gate->config.socket, &gate->listener);
    gate->seen_due = true;
    return code == 0 ? nginx_start(gate->config.nginx, &gate->nginx) : code;
}

/* -1: nothing that matters has ended. */
static int reap(struct gate *gate)
{
    int code = -1;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        children_reaped(&gate->children, pid);
        if (pid == gate->nginx) {
            gate->nginx_ended = true;
            code = WIFSIGNALED(status)
                       ? mt_say(EX_SOFTWARE,
                                "nginx was ended by signal %d, and so the service is "
                                "closed",
                                WTERMSIG(status))
                       : mt_say(EX_SOFTWARE, "nginx ended with %d, and so the service is closed",
                                WEXITSTATUS(status));
        } else if (pid == gate->keeper.pid) {
            code = mt_say(EX_SOFTWARE, "the process that keeps the state's files ended, and so "
                                       "the service is closed");
        }
    }
    return code;
}

/* -1: it goes on; else what the gate ends with. */
static int look_at_signals(struct gate *gate)
{
    struct signalfd_siginfo info;
    int code = -1;
    while (code < 0 && read(gate->signals, &info, sizeof info) == (ssize_t)sizeof info)
        code = info.ssi_signo == SIGCHLD ? reap(gate) : 0;
    return code;
}

/* As above. */
static int look_at_keeper(struct gate *gate)
{
    static struct lists lists;
    switch (keeper_read(&gate->keeper, &lists)) {
    case KEEPER_LISTS:
        bans_act(gate, &lists);
        return -1;
    case KEEPER_ROTATED:
        (void)kill(gate->nginx, SIGUSR1);
        return -1;
    case KEEPER_ENDED:
        return mt_say(EX_SOFTWARE, "the process that keeps the state's files ended");
    default:
        return -1;
    }
}

/* Who is read from; the first ones are always there. */
enum { SIGNALS, KEEPER, LISTENER, ALWAYS };

struct watch {
    size_t count;
    int64_t until; /* when to look in any case; INT64_MAX: never */
    struct pollfd fds[ALWAYS + MT_GATE_CHILDREN_MAX + MT_GATE_CONNECTIONS_MAX];
};

static void watch(const struct gate *gate, struct watch *out)
{
    bool room = false;
    out->fds[SIGNALS] = (struct pollfd){.fd = gate->signals, .events = POLLIN};
    out->fds[KEEPER] = (struct pollfd){.fd = gate->keeper.socket, .events = POLLIN};
    out->count = ALWAYS;
    out->count += children_watch(&gate->children, out->fds + out->count, &out->until);
    for (size_t i = 0; i < MT_GATE_CONNECTIONS_MAX; i++) {
        const struct connection *connection = gate->connections + i;
        room = room || connection->stage == FREE;
        if (connection->stage == READS)
            out->fds[out->count++] = (struct pollfd){.fd = connection->fd, .events = POLLIN};
        if ((connection->stage == READS || connection->stage == WAITS) &&
            connection->until < out->until)
            out->until = connection->until;
    }
    out->fds[LISTENER] = (struct pollfd){.fd = room ? gate->listener : -1, .events = POLLIN};
}

static int milliseconds_until(int64_t until)
{
    const int64_t left = (until - mt_now()) / (MT_SECOND / 1000) + 1;
    return until == INT64_MAX ? -1 : left > 0 ? (int)left : 0;
}

static int serve(struct gate *gate)
{
    static struct watch waits;
    int code = -1;
    while (code < 0) {
        waits.until = INT64_MAX;
        accounts_tick(gate, mt_now(), &waits.until);
        watch(gate, &waits);
        if (poll(waits.fds, waits.count, milliseconds_until(waits.until)) < 0 && errno != EINTR)
            return mt_say(EX_OSERR, "nothing can be waited for (%s)", strerror(errno));
        const int64_t now = mt_now();
        if (waits.fds[KEEPER].revents)
            code = look_at_keeper(gate);
        /* Before whoever waits for a child is tried anew: only one that was reaped leaves room. */
        if (code < 0 && waits.fds[SIGNALS].revents)
            code = look_at_signals(gate);
        if (code >= 0)
            break;
        children_look(&gate->children, now);
        for (size_t i = 0; i < MT_GATE_CONNECTIONS_MAX; i++) {
            if (gate->connections[i].stage == READS)
                request_read(gate, gate->connections + i, now);
        }
        requests_retry(gate, now);
        if (waits.fds[LISTENER].revents)
            requests_accept(gate, now);
    }
    return code;
}

static void end(struct gate *gate)
{
    nginx_end(gate->nginx, gate->nginx_ended);
    if (gate->listener >= 0)
        (void)unlink(gate->config.socket);
    for (size_t i = 0; i < MT_GATE_CONNECTIONS_MAX; i++) {
        if (gate->connections[i].stage != FREE)
            request_end(gate->connections + i);
    }
    keys_wipe(&gate->keys);
    tenants_free(gate->tenants);
    nonces_free(gate->nonces);
    streams_free(gate->streams);
    config_free(&gate->config);
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},
        {"new-keys", required_argument, NULL, 'n'},
        MT_OPTIONS_OF_DAEMONS,
    };
    static const struct mt_program program = {.help = help, .options = known, .take = take};
    static struct gate gate = {.listener = -1};
    struct gate_options options = {.config = NULL};
    int code;

    if (!mt_program_begin(&program, argc, argv, &options, &code))
        return code;
    if (!options.config == !options.new_keys)
        return mt_usage("either --config or --new-keys is needed");
    code = close_up();
    if (code == 0 && options.new_keys)
        return keys_make(options.new_keys);
    if (code == 0)
        code = begin(&gate, options.config);
    if (code == 0)
        code = serve(&gate);
    end(&gate);
    return code;
}
