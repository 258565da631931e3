/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "own_slurm.h"

#include "helpers.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ASKED_MAX = 16384 };

struct own_slurm own_slurm;

static char *asked_words; /* shared with the child of a test */
static unsigned times[QUESTIONS];
static int held; /* what was handed out and not freed */

static slurm_conf_t conf_of(char *cluster)
{
    return (slurm_conf_t){.cluster_name = cluster,
                          .accounting_storage_type = "accounting_storage/slurmdbd",
                          .slurm_user_id = 64030};
}

void own_slurm_reset(void)
{
    if (!asked_words)
        asked_words =
            mmap(NULL, ASKED_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *asked_words = '\0';
    own_slurm = (struct own_slurm){.me = 2001,
                                   .api = (long)MT_SLURM_API << 16,
                                   .here = conf_of("hpc"),
                                   .controller = conf_of("hpc"),
                                   .hidden = "none",
                                   .siblings = {NULL, "gpu"}};
    own_slurm.nodes[0] =
        (node_info_t){.name = "n1", .node_hostname = "h1", .node_addr = "10.0.0.1"};
}

void add_job(uint32_t id)
{
    own_slurm.rows[own_slurm.row_count++] =
        (slurmdb_job_rec_t){.jobid = id, .uid = 1001, .user = "prof", .wckey = "multitenant"};
    own_slurm.jobs[own_slurm.job_count++] = (slurm_job_info_t){.job_id = id,
                                                               .user_id = 1001,
                                                               .name = "app|class|PAYLOAD",
                                                               .nodes = "n1",
                                                               .job_state = JOB_RUNNING,
                                                               .start_time = 5000 + id,
                                                               .end_time = 9000 + id};
}

const char *asked(void)
{
    return asked_words;
}

bool own_slurm_has_all_back(void)
{
    return held == 0;
}

/* printf to the end of a text: not that of helpers.h, as Check needs memory, which a test may have
 * taken away. */
__attribute__((format(printf, 3, 0))) static void vjoin(char *text, size_t size, const char *format,
                                                        va_list values)
{
    size_t len = strlen(text);
    (void)vsnprintf(text + len, size - len, format, values);
}

__attribute__((format(printf, 3, 4))) static void join(char *text, size_t size, const char *format,
                                                       ...)
{
    va_list values;
    va_start(values, format);
    vjoin(text, size, format, values);
    va_end(values);
}

/* Adds it to what was asked, in these words, and does what a test wants of it. Is it to be
 * answered? */
__attribute__((format(printf, 2, 3))) static bool answers(enum question which, const char *format,
                                                          ...)
{
    const struct fault *fault = &own_slurm.faults[which];
    va_list values;
    va_start(values, format);
    join(asked_words, ASKED_MAX, "%s", *asked_words ? " " : "");
    vjoin(asked_words, ASKED_MAX, format, values);
    va_end(values);
    if (times[which]++ < fault->after)
        return true;
    if (fault->log)
        dprintf(STDERR_FILENO, "%s\n", fault->log);
    if (fault->ends)
        exit(1);
    if (fault->hangs)
        (void)raise(SIGRTMIN);
    errno = fault->error;
    return !fault->error && !fault->is_empty;
}

/* Of a question that was not answered. */
static int outcome(enum question which)
{
    return own_slurm.faults[which].is_empty ? SLURM_SUCCESS : SLURM_ERROR;
}

static void let_go(void *item)
{
    (void)item;
    held--;
}

static mt_slurm_list list_of(void *items, size_t count, size_t size)
{
    mt_slurm_list list = slurm_list_create(let_go);
    for (size_t i = 0; i < count; i++) {
        slurm_list_append(list, (char *)items + i * size);
        held++;
    }
    return list;
}

/* The texts of a list, as ":a:b". */
static void add_words(char *words, size_t size, const char *first, mt_slurm_list list)
{
    mt_slurm_iter iter = slurm_list_iterator_create(list);
    join(words, size, "%s", first);
    for (const char *word; (word = slurm_list_next(iter));)
        join(words, size, ":%s", word);
    slurm_list_iterator_destroy(iter);
}

/* ---- instead of libslurm's: the configuration ---- */

uid_t __wrap_getuid(void)
{
    return own_slurm.me;
}

time_t __wrap_time(const time_t *into)
{
    (void)into;
    return 1000000;
}

long __wrap_slurm_api_version(void)
{
    return own_slurm.api;
}

void __wrap_slurm_init(const char *path)
{
    (void)path;
    (void)answers(READ_CONF, "conf");
}

slurm_conf_t *__wrap_slurm_conf_lock(void)
{
    return &own_slurm.here;
}

void __wrap_slurm_conf_unlock(void)
{
}

int __wrap_slurm_load_ctl_conf(time_t since, slurm_conf_t **conf)
{
    (void)since;
    if (!answers(ASK_CONTROLLER, "controller"))
        return outcome(ASK_CONTROLLER);
    *conf = &own_slurm.controller;
    held++;
    return SLURM_SUCCESS;
}

void __wrap_slurm_free_ctl_conf(slurm_conf_t *conf)
{
    let_go(conf);
}

/* ---- slurmdbd ---- */

void *__wrap_slurmdb_connection_get(const uint16_t *flags)
{
    (void)flags;
    (void)answers(CONNECT, "connect"); /* where it fails, too, there is a connection */
    if (own_slurm.no_accounting)
        return NULL;
    held++;
    return &own_slurm;
}

int __wrap_slurmdb_connection_close(void **connection)
{
    let_go(*connection);
    *connection = NULL;
    return SLURM_SUCCESS;
}

mt_slurm_list __wrap_slurmdb_config_get(void *connection)
{
    static struct mt_slurm_key_pair pairs[] = {
        {NULL, "jobs"}, {"PrivateData", NULL}, {"Jobs", "jobs"}, {"privatedata", NULL}};
    (void)connection;
    if (!answers(ASK_HIDDEN, "hidden"))
        return NULL;
    pairs[3].value = (char *)own_slurm.hidden;
    return list_of(pairs, COUNT_OF(pairs), sizeof *pairs);
}

mt_slurm_list __wrap_slurmdb_get_info_cluster(char *names)
{
    static slurmdb_cluster_rec_t clusters[COUNT_OF(own_slurm.siblings)];
    if (!answers(ASK_CLUSTERS, "cluster:%s", names) || own_slurm.no_siblings)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(clusters); i++)
        clusters[i] =
            (slurmdb_cluster_rec_t){.name = (char *)own_slurm.siblings[i], .dimensions = 1};
    return list_of(clusters, COUNT_OF(clusters), sizeof *clusters);
}

mt_slurm_list __wrap_slurmdb_users_get(void *connection, slurmdb_user_cond_t *condition)
{
    static slurmdb_user_rec_t user;
    (void)connection;
    char words[64] = "";
    add_words(words, sizeof words, "operator", condition->assoc_cond->user_list);
    if (!answers(ASK_OPERATOR, "%s", words))
        return own_slurm.faults[ASK_OPERATOR].is_empty ? list_of(NULL, 0, 0) : NULL;
    user = (slurmdb_user_rec_t){.admin_level = own_slurm.admin_level};
    return list_of(&user, 1, sizeof user);
}

void __wrap_slurmdb_destroy_user_rec(void *user)
{
    if (user)
        let_go(user);
}

mt_slurm_list __wrap_slurmdb_jobs_get(void *connection, slurmdb_job_cond_t *condition)
{
    char words[512] = "";
    (void)connection;
    add_words(words, sizeof words, "rows", condition->cluster_list);
    add_words(words, sizeof words, "", condition->state_list);
    add_words(words, sizeof words, "", condition->wckey_list);
    if (!answers(ASK_ROWS, "%s", words))
        return own_slurm.faults[ASK_ROWS].is_empty ? list_of(NULL, 0, 0) : NULL;
    return list_of(own_slurm.rows, own_slurm.row_count, sizeof *own_slurm.rows);
}

/* ---- slurmctld ---- */

/* How libslurm keeps a question: the first three are its own (job_ids.c). */
struct request {
    time_t last_update;
    uint16_t show_flags;
    mt_slurm_list ids;
    enum { OF_ID, OF_USER, LISTED, OF_NODE, OF_NODES } kind;
    uint32_t number;
    const char *name;
};

/* A message is large, and somewhere in it points to the question. */
struct message {
    const void *before[20];
    const struct request *request;
    const void *after[20];
};

static const struct request *sent; /* what slurmctld has before it */
static job_info_msg_t told_jobs;
static node_info_msg_t told_nodes;

static bool is_listed(uint32_t id)
{
    bool found = false;
    mt_slurm_iter iter = slurm_list_iterator_create(sent->ids);
    for (const uint32_t *listed; (listed = slurm_list_next(iter));)
        found = found || *listed == id;
    slurm_list_iterator_destroy(iter);
    return found;
}

static bool is_asked_for(const slurm_job_info_t *job)
{
    if (sent->kind == OF_USER)
        return job->user_id == sent->number;
    if (sent->kind == OF_ID)
        return job->job_id == sent->number || job->array_job_id == sent->number;
    return !sent->ids || is_listed(job->job_id);
}

static int tell_jobs(void)
{
    static slurm_job_info_t found[OWN_JOBS_MAX];
    bool is_answered;
    if (sent->kind == LISTED)
        is_answered = answers(ASK_JOBS, "jobs:%d", sent->ids ? slurm_list_count(sent->ids) : -1);
    else
        is_answered =
            answers(ASK_JOBS, "%s:%u", sent->kind == OF_ID ? "job" : "user", sent->number);
    if (!is_answered)
        return outcome(ASK_JOBS);
    told_jobs = (job_info_msg_t){.job_array = found};
    for (size_t i = 0; i < own_slurm.job_count; i++) {
        if (is_asked_for(&own_slurm.jobs[i]))
            found[told_jobs.record_count++] = own_slurm.jobs[i];
    }
    if (told_jobs.record_count > 0 || sent->kind != OF_ID)
        return SLURM_SUCCESS;
    errno = ESLURM_INVALID_JOB_ID;
    return SLURM_ERROR;
}

static int tell_nodes(void)
{
    static node_info_t found[COUNT_OF(own_slurm.nodes)];
    if (!answers(ASK_NODES, "%s%s", sent->name ? "node:" : "nodes", sent->name ? sent->name : ""))
        return outcome(ASK_NODES);
    told_nodes = (node_info_msg_t){.node_array = found};
    for (size_t i = 0; i < COUNT_OF(found); i++) {
        const char *name = own_slurm.nodes[i].name;
        if (!sent->name || (name && strcmp(name, sent->name) == 0))
            found[told_nodes.record_count++] = own_slurm.nodes[i];
    }
    if (told_nodes.record_count > 0)
        return SLURM_SUCCESS;
    errno = ESLURM_INVALID_NODE_NAME;
    return SLURM_ERROR;
}

/* libslurm's own function. */
static int carry(void *message, void *answer, slurmdb_cluster_rec_t *cluster)
{
    (void)message;
    (void)answer;
    (void)cluster;
    return sent->kind < OF_NODE ? tell_jobs() : tell_nodes();
}

void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name)
{
    return strcmp(name, "slurm_send_recv_controller_msg") == 0 ? (void *)carry
                                                               : __real_dlsym(handle, name);
}

int slurm_send_recv_controller_msg(void *message, void *answer, slurmdb_cluster_rec_t *cluster);

static int send_question(const struct request *request)
{
    struct message message = {.request = own_slurm.is_strange ? NULL : request};
    sent = request;
    return own_slurm.is_unheard ? carry(&message, NULL, NULL)
                                : slurm_send_recv_controller_msg(&message, NULL, NULL);
}

static int ask_jobs(job_info_msg_t **answer, const struct request *request)
{
    int rc = send_question(request);
    if (rc != SLURM_SUCCESS || !told_jobs.job_array)
        return rc;
    *answer = &told_jobs;
    held++;
    return rc;
}

int __wrap_slurm_load_job(job_info_msg_t **answer, uint32_t id, uint16_t flags)
{
    struct request request = {.show_flags = flags, .kind = OF_ID, .number = id};
    return ask_jobs(answer, &request);
}

int __wrap_slurm_load_job_user(job_info_msg_t **answer, uint32_t uid, uint16_t flags)
{
    struct request request = {.show_flags = flags, .kind = OF_USER, .number = uid};
    return ask_jobs(answer, &request);
}

int __wrap_slurm_load_jobs(time_t since, job_info_msg_t **answer, uint16_t flags)
{
    struct request request = {.last_update = since, .show_flags = flags, .kind = LISTED};
    return ask_jobs(answer, &request);
}

void __wrap_slurm_free_job_info_msg(job_info_msg_t *answer)
{
    *answer = (job_info_msg_t){.record_count = 0};
    let_go(answer);
}

static int ask_nodes(node_info_msg_t **answer, const struct request *request)
{
    int rc = send_question(request);
    if (rc != SLURM_SUCCESS || !told_nodes.node_array)
        return rc;
    *answer = &told_nodes;
    held++;
    return rc;
}

int __wrap_slurm_load_node_single(node_info_msg_t **answer, const char *name, uint16_t flags)
{
    struct request request = {.show_flags = flags, .kind = OF_NODE, .name = name};
    return ask_nodes(answer, &request);
}

int __wrap_slurm_load_node(time_t since, node_info_msg_t **answer, uint16_t flags)
{
    struct request request = {.last_update = since, .show_flags = flags, .kind = OF_NODES};
    return ask_nodes(answer, &request);
}

void __wrap_slurm_free_node_info_msg(node_info_msg_t *answer)
{
    *answer = (node_info_msg_t){.record_count = 0};
    let_go(answer);
}
