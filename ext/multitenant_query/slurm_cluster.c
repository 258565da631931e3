/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slurm_cluster.h"

#include "directory.h"
#include "say.h"
#include "slurm_compat.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

const char *mt_slurm_version(char text[32])
{
    (void)snprintf(text, 32, "%d.%02d.%d", SLURM_VERSION_MAJOR(SLURM_VERSION_NUMBER),
                   SLURM_VERSION_MINOR(SLURM_VERSION_NUMBER),
                   SLURM_VERSION_MICRO(SLURM_VERSION_NUMBER));
    return text;
}

/* Another release's structures have their members elsewhere; the loader sees that by the library's
 * name, unless someone made a link of it. */
static int check_api(void)
{
    long api = slurm_api_version() >> 16;
    if (MT_SLURM_API == 0 || api == MT_SLURM_API)
        return 0;
    char version[32];
    return mt_say(EX_CONFIG,
                  "libslurm's API is %ld and this program was built for %d (Slurm %s); "
                  "run `gem pristine ood_multitenant` as `multitenant doctor` writes it",
                  api, MT_SLURM_API, mt_slurm_version(version));
}

/* For a file that it can't read libslurm waits a minute (slurm_conf_init, 22.05 to 26.05). */
static int check_conf(void)
{
    const char *path = getenv("SLURM_CONF");
    if (!path)
        return 0;
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = fd < 0 || fstat(fd, &st) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (!error && S_ISREG(st.st_mode))
        return 0;
    return mt_say(EX_CONFIG,
                  "SLURM_CONF names %s, which cannot be read (%s); set it to the slurm.conf of "
                  "this cluster",
                  path, error ? strerror(error) : "not a regular file");
}

static int load_conf(slurm_conf_t **conf)
{
    *conf = NULL;
    errno = 0;
    if (slurm_load_ctl_conf(0, conf) == SLURM_SUCCESS && *conf && (*conf)->cluster_name)
        return 0;
    return step_failed("slurmctld", errno);
}

static int no_accounting(const char *where)
{
    return mt_say(EX_CONFIG,
                  "Slurm's accounting is off %s, so that no job can be found by its WCKey; set "
                  "AccountingStorageType=accounting_storage/slurmdbd in slurm.conf",
                  where);
}

/* Without slurmdbd libslurm answers with no jobs instead of an error. */
static int check_accounting(const slurm_conf_t *conf)
{
    const char *type = conf->accounting_storage_type;
    return type && strstr(type, "slurmdbd") ? 0 : no_accounting("in slurmctld");
}

/*
 * errno alone tells of a failure: the connection may be there all the same. Neither is there where
 * this host's slurm.conf has no accounting.
 */
static int connect_db(struct mt_slurm_cluster *cluster)
{
    step_begin(&step_slurmdbd);
    errno = 0;
    cluster->db = slurmdb_connection_get(NULL);
    if (errno)
        return step_failed("slurmdbd", errno);
    return cluster->db ? 0 : no_accounting("on this host");
}

/* Makes libslurm talk to another cluster's slurmctld, whose address slurmdbd knows. */
static int turn_to(struct mt_slurm_cluster *cluster, const char *wanted)
{
    char names[256];
    (void)snprintf(names, sizeof names, "%s", wanted); /* libslurm takes no const */
    cluster->siblings = slurmdb_get_info_cluster(names);
    if (cluster->siblings) {
        mt_slurm_iter iter = slurm_list_iterator_create(cluster->siblings);
        for (slurmdb_cluster_rec_t *rec; (rec = slurm_list_next(iter));) {
            if (rec->name && strcmp(rec->name, wanted) == 0)
                working_cluster_rec = rec;
        }
        slurm_list_iterator_destroy(iter);
    }
    if (working_cluster_rec)
        return 0;
    return mt_say(EX_CONFIG,
                  "slurmdbd knows no cluster \"%s\" with a slurmctld; compare with "
                  "sacctmgr show cluster",
                  wanted);
}

/* Operators and administrators of slurmdbd see all jobs in both daemons. */
static bool has_admin_level(void *db, char *name)
{
    mt_slurm_list names = slurm_list_create(NULL);
    slurm_list_append(names, name);
    slurmdb_assoc_cond_t of_name = {.user_list = names};
    slurmdb_user_cond_t cond = {.assoc_cond = &of_name};
    mt_slurm_list users = slurmdb_users_get(db, &cond);
    slurmdb_user_rec_t *user = users ? slurm_list_pop(users) : NULL;
    bool admin = user && user->admin_level >= SLURMDB_ADMIN_OPERATOR;
    slurmdb_destroy_user_rec(user);
    if (users)
        slurm_list_destroy(users);
    slurm_list_destroy(names);
    return admin;
}

/* What can't be learned counts as no: a stream of "own" takes nothing away. */
static bool is_operator(void *db)
{
    struct mt_user me;
    step_begin(&mt_directory_step);
    enum mt_answer found = mt_user_find(&me, getuid());
    step_begin(&step_slurmdbd);
    bool admin = found == MT_YES && has_admin_level(db, me.name);
    mt_user_free(&me);
    return admin;
}

static int look_what_is_hidden(struct mt_slurm_cluster *cluster, const slurm_conf_t *conf)
{
    uid_t me = getuid();
    bool hides = (conf->private_data & PRIVATE_DATA_JOBS) != 0;
    if (!hides && cluster->is_assumed)
        return 0; /* what slurmdbd hides is known */
    errno = 0;
    if (!hides && !mt_slurmdbd_hides_jobs(cluster->db, hides, &hides))
        return step_failed("slurmdbd", errno);
    cluster->hides_jobs = hides;
    cluster->sees_all = !hides || me == 0 || me == conf->slurm_user_id || is_operator(cluster->db);
    return 0;
}

static int take_conf(struct mt_slurm_cluster *cluster, const slurm_conf_t *conf)
{
    free(cluster->name);
    cluster->name = strdup(conf->cluster_name);
    if (!cluster->name)
        return mt_say_no_memory();
    cluster->is_limited =
        conf->slurmctld_params && strcasestr(conf->slurmctld_params, "rl_enable") != NULL;
    step_begin(&step_slurmdbd);
    return look_what_is_hidden(cluster, conf);
}

static int ask_conf(struct mt_slurm_cluster *cluster)
{
    slurm_conf_t *conf = NULL;
    step_begin(&step_slurmctld);
    int status = load_conf(&conf);
    if (status == 0)
        status = check_accounting(conf);
    if (status == 0)
        status = take_conf(cluster, conf);
    cluster->is_assumed = false;
    if (conf)
        mt_slurm_conf_free(conf);
    return status;
}

int mt_slurm_cluster_open(struct mt_slurm_cluster *cluster, const char *wanted)
{
    *cluster = (struct mt_slurm_cluster){.sees_all = true};
    step_begin(&step_conf);
    int status = check_api();
    if (status == 0)
        status = check_conf();
    if (status)
        return status;
    slurm_init(NULL);
    const slurm_conf_t *conf = slurm_conf_lock();
    slurm_conf_unlock(); /* nobody else is here who reads it anew */
    if ((status = connect_db(cluster)))
        return status;
    bool is_own = !*wanted || strcasecmp(wanted, conf->cluster_name) == 0;
    if (!is_own && (status = turn_to(cluster, wanted)))
        return status;
    if (!is_own || (conf->private_data & PRIVATE_DATA_JOBS))
        return ask_conf(cluster);
    status = take_conf(cluster, conf);
    cluster->is_assumed = true;
    return status;
}

int mt_slurm_cluster_confirm(struct mt_slurm_cluster *cluster, bool *is_other)
{
    *is_other = false;
    if (!cluster->is_assumed)
        return 0;
    char *assumed = cluster->name;
    cluster->name = NULL;
    int status = ask_conf(cluster);
    *is_other = status == 0 && strcmp(cluster->name, assumed) != 0;
    if (!cluster->name)
        cluster->name = assumed;
    else
        free(assumed);
    return status;
}

void mt_slurm_cluster_close(struct mt_slurm_cluster *cluster)
{
    if (cluster->db)
        slurmdb_connection_close(&cluster->db);
    working_cluster_rec = NULL;
    if (cluster->siblings)
        slurm_list_destroy(cluster->siblings);
    free(cluster->name);
    *cluster = (struct mt_slurm_cluster){0};
}
