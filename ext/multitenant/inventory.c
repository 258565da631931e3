/* SPDX-License-Identifier: MIT */
#include "inventory.h"

#include "policy.h"
#include "text.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tokens of what comes with the gem. */
#define SHIPPED "sys/multitenant-delivery_*"

/* One walk. `db` is the db directory or -1. */
struct walk {
    int root;
    int db;
    const struct mt_settings *settings;
    bool every;
    struct mt_inventory *out;
    mt_trouble_fn *trouble;
    void *arg;
    bool marked; /* only what has a mark counts */
};

static void found_free(struct mt_found *found)
{
    free(found->dir);
    free(found->token);
    free(found->db_job_id);
    json_decref(found->mark.json);
}

void mt_inventory_free(struct mt_inventory *inventory)
{
    for (size_t i = 0; i < inventory->count; i++)
        found_free(&inventory->items[i]);
    free(inventory->items);
    mt_names_free(&inventory->outputs);
    memset(inventory, 0, sizeof *inventory);
}

/* How many names there are, leftovers of ours and `known` not counted. */
static size_t others(const struct mt_names *names, const char *known)
{
    size_t n = 0;
    for (size_t i = 0; i < names->count; i++)
        n += strcmp(names->items[i], known) != 0 && !mt_store_is_scratch(names->items[i]);
    return n;
}

/* MT_OK and *out, or MT_NOMEM; one that can't be read for another reason is not ours. */
static enum mt_status is_file(int dir, const char *name, bool *out)
{
    struct mt_file file = MT_FILE_INIT;
    enum mt_status status = mt_store_read(dir, name, &file);
    *out = status == MT_OK && file.found;
    mt_buf_wipe(&file.bytes);
    return status == MT_NOMEM ? status : MT_OK;
}

/* Sets the owner of an output directory without a mark, by what it holds; *empty: nothing but
 * leftovers of ours. */
static enum mt_status look_into(int dir, struct mt_found *found, bool *empty)
{
    struct mt_names names;
    bool legacy = false;
    enum mt_status status = mt_store_list(dir, &names);
    if (status != MT_OK)
        return status;
    *empty = others(&names, "") == 0;
    if (others(&names, MT_CARD_CONNECTION) == 0)
        status = is_file(dir, MT_CARD_CONNECTION, &legacy);
    mt_names_free(&names);
    found->owner = legacy ? MT_LEGACY : MT_FOREIGN;
    return status;
}

/* Sets owner and mark of an output directory; *none: it does not count. */
static enum mt_status classify(const struct walk *walk, int dir, struct mt_found *found, bool *none)
{
    struct mt_file mark = MT_FILE_INIT;
    found->owner = MT_FOREIGN;
    *none = walk->marked;
    enum mt_status status = walk->marked ? MT_OK : look_into(dir, found, none);
    if (status != MT_OK)
        return status;
    status = mt_store_read(dir, MT_CARD_MARK, &mark);
    if (status == MT_OK && mark.found && mark.bytes.data) {
        status = mt_mark_parse(mark.bytes.data, mark.bytes.len, &found->mark);
        found->mark.time = mark.time;
        if (status == MT_OK) {
            found->owner = MT_OURS;
            *none = false;
        } else if (status == MT_MALFORMED) {
            status = MT_OK;
        }
    }
    mt_buf_wipe(&mark.bytes);
    return status;
}

enum mt_status mt_inventory_read_db(int db, const char *id, struct mt_db *out, bool *found)
{
    struct mt_file file = MT_FILE_INIT;
    enum mt_status status = db < 0 ? MT_OK : mt_store_read(db, id, &file);
    *out = (struct mt_db){0};
    *found = file.found;
    if (file.found)
        status = mt_db_parse(file.bytes.data ? file.bytes.data : "", file.bytes.len, out);
    mt_buf_wipe(&file.bytes);
    return status;
}

/* A db file that says nothing belongs to the mark beside it. */
static enum mt_status find_db(const struct walk *walk, struct mt_found *found)
{
    struct mt_db db;
    bool there;
    enum mt_status status = mt_inventory_read_db(walk->db, found->id, &db, &there);
    found->db_gone = status == MT_OK && !there;
    if (status == MT_MALFORMED) {
        status = MT_OK;
        found->has_db = found->owner == MT_OURS;
    } else if (status == MT_OK && there && strcmp(db.token, found->token) == 0) {
        found->has_db = true;
        found->db_completed = db.completed;
        found->db_job_id = strdup(db.job_id);
        status = found->db_job_id ? MT_OK : MT_NOMEM;
    }
    json_decref(db.json);
    return status;
}

/* An output directory `name` in `dir`, which is `path`. */
static enum mt_status visit_output(const struct walk *walk, int dir, const char *path,
                                   const char *name, const char *token)
{
    struct mt_found found = {0};
    bool none = true;
    int output = -1;
    if (!mt_text_is_uuid(name))
        return MT_OK;
    (void)snprintf(found.id, sizeof found.id, "%s", name);
    found.dir = strdup(path);
    found.token = strdup(token);
    enum mt_status status = found.dir && found.token ? MT_OK : MT_NOMEM;
    if (status == MT_OK)
        status = mt_store_open_dir(dir, name, false, &output);
    if (status == MT_OK && output >= 0)
        status = classify(walk, output, &found, &none);
    if (status == MT_OK && !none)
        status = find_db(walk, &found);
    mt_store_close(output);
    if (status == MT_OK && !none) {
        struct mt_inventory *all = walk->out;
        struct mt_found *items = realloc(all->items, (all->count + 1) * sizeof *items);
        if (items) {
            all->items = items;
            items[all->count++] = found;
            return MT_OK;
        }
        status = MT_NOMEM;
    }
    found_free(&found);
    return status;
}

/* Tells of the path, which can't be used, unless there is no memory. */
static enum mt_status tell(const struct walk *walk, const char *path, enum mt_status status)
{
    if (status == MT_OK || status == MT_NOMEM)
        return status;
    if (walk->trouble)
        walk->trouble(path, status, walk->arg);
    return MT_OK;
}

/* The directory at `path` and its names; none where it can't be used. The caller ends both. */
static enum mt_status list(const struct walk *walk, const char *path, int *dir,
                           struct mt_names *names)
{
    *names = (struct mt_names){0};
    enum mt_status status = mt_store_open_dir(walk->root, path, false, dir);
    if (status == MT_OK && *dir >= 0)
        status = mt_store_list(*dir, names);
    return tell(walk, path, status);
}

/* The output directories below an app's, at `path`. */
static enum mt_status visit_outputs(const struct walk *walk, const char *path, const char *token)
{
    int dir;
    struct mt_names names;
    enum mt_status status = list(walk, path, &dir, &names);
    for (size_t i = 0; i < names.count && status == MT_OK; i++) {
        char *where = NULL;
        status = visit_output(walk, dir, path, names.items[i], token);
        if (status == MT_OK)
            continue;
        if (asprintf(&where, "%s/%s", path, names.items[i]) < 0)
            where = NULL;
        status = tell(walk, where ? where : path, status);
        free(where);
    }
    mt_names_free(&names);
    mt_store_close(dir);
    return status;
}

/* The apps in sys/, which is at `path`. What a site does not allow, or not any more, may still have
 * cards; what else is there, and is wrong there, is not ours. */
static enum mt_status visit_apps(const struct walk *walk, const char *path)
{
    int dir;
    struct mt_names names;
    struct walk marks = *walk;
    marks.marked = true;
    marks.trouble = NULL;
    enum mt_status status = list(walk, path, &dir, &names);
    for (size_t i = 0; i < names.count && status == MT_OK; i++) {
        char *outputs;
        if (asprintf(&outputs, "%s/%s/output", path, names.items[i]) < 0) {
            status = MT_NOMEM;
            break;
        }
        char token[sizeof "sys/" + NAME_MAX];
        (void)snprintf(token, sizeof token, "sys/%s", names.items[i]);
        if (mt_policy_allows_delivery(token, walk->settings)) {
            status = mt_names_add(&walk->out->outputs, outputs);
            if (status == MT_OK)
                status = visit_outputs(walk, outputs, token);
        } else if (walk->every || fnmatch(SHIPPED, token, FNM_PATHNAME) == 0) {
            status = visit_outputs(&marks, outputs, token);
        }
        free(outputs);
    }
    mt_names_free(&names);
    mt_store_close(dir);
    return status;
}

/* Whether an earlier cluster has the same OOD cluster. */
static bool is_again(const struct mt_settings *settings, size_t i)
{
    size_t j = 0;
    while (!settings->clusters[j].ood ||
           strcmp(settings->clusters[j].ood, settings->clusters[i].ood) != 0)
        j++;
    return j < i;
}

enum mt_status mt_inventory_take(int root, int db, const struct mt_settings *settings, bool every,
                                 struct mt_inventory *out, mt_trouble_fn *trouble, void *arg)
{
    struct walk walk = {root, db, settings, every, out, trouble, arg, .marked = false};
    memset(out, 0, sizeof *out);
    enum mt_status status = visit_apps(&walk, MT_BATCH_CONNECT "/sys");
    /* Whether the site keeps a root per cluster now or did before: cards are in both. */
    for (size_t i = 0; i < settings->n_clusters && status == MT_OK; i++) {
        char *path;
        if (!settings->clusters[i].ood || is_again(settings, i))
            continue;
        if (asprintf(&path, MT_BATCH_CONNECT "/%s/sys", settings->clusters[i].ood) < 0)
            return MT_NOMEM;
        status = visit_apps(&walk, path);
        free(path);
    }
    return status;
}
