/* SPDX-License-Identifier: MIT */
#include "card_files.h"

#include "card.h"
#include "store.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum mt_status mt_card_files_sweep(int dir)
{
    struct mt_names names;
    enum mt_status status = mt_store_list(dir, &names);
    for (size_t i = 0; status == MT_OK && i < names.count; i++) {
        if (mt_store_is_scratch(names.items[i]))
            status = mt_store_remove(dir, names.items[i]);
    }
    mt_names_free(&names);
    return status;
}

/*
 * Messages name apps, and nobody else would remove what was made for one: TOKEN/output, which is at
 * `outputs`. What is not empty stays.
 */
static void remove_app(int root, const char *outputs)
{
    char path[PATH_MAX];
    int saved = errno;
    int n = snprintf(path, sizeof path, "%s", outputs);
    enum mt_status status = n > 0 && (size_t)n < sizeof path ? MT_OK : MT_IO;
    for (int levels = 2; levels > 0 && status == MT_OK; levels--) {
        int dir;
        char *name = strrchr(path, '/');
        *name++ = '\0';
        status = mt_store_open_dir(root, path, false, &dir);
        if (status == MT_OK && dir >= 0)
            status = mt_store_remove_dir(dir, name);
        mt_store_close(dir);
    }
    errno = saved;
}

void mt_card_files_tidy(int root, const char *outputs)
{
    int dir;
    struct mt_names names = {0};
    enum mt_status status = mt_store_open_dir(root, outputs, false, &dir);
    if (status == MT_OK && dir >= 0)
        status = mt_store_list(dir, &names);
    for (size_t i = 0; i < names.count && status == MT_OK; i++) {
        int output;
        if (!mt_text_is_uuid(names.items[i]))
            continue;
        status = mt_store_open_dir(dir, names.items[i], false, &output);
        if (status == MT_OK && output >= 0)
            status = mt_card_files_sweep(output);
        mt_store_close(output);
        if (status == MT_OK)
            status = mt_store_remove_dir(dir, names.items[i]);
    }
    mt_names_free(&names);
    mt_store_close(dir);
    remove_app(root, outputs);
}

enum mt_status mt_card_files_remove(int root, int db, const struct mt_found *found)
{
    int outputs = -1;
    int output = -1;
    enum mt_status status = mt_store_open_dir(root, found->dir, false, &outputs);
    if (status == MT_OK && outputs >= 0)
        status = mt_store_open_dir(outputs, found->id, false, &output);
    if (status == MT_OK && output >= 0)
        status = mt_store_remove(output, MT_CARD_CONNECTION);
    if (status == MT_OK && found->has_db && db >= 0)
        status = mt_store_remove(db, found->id);
    if (status == MT_OK && output >= 0)
        status = mt_card_files_sweep(output);
    if (status == MT_OK && output >= 0)
        status = mt_store_remove(output, MT_CARD_MARK);
    if (status == MT_OK && outputs >= 0)
        status = mt_store_remove_dir(outputs, found->id);
    mt_store_close(output);
    mt_store_close(outputs);
    if (status == MT_OK)
        remove_app(root, found->dir);
    return status;
}

/* Writes one file unless it is there as it should be; *changed: it was not. */
static enum mt_status put(bool dry_run, int dir, const char *name, int scratch, const char *text,
                          bool as_json, bool *changed)
{
    struct mt_file file = MT_FILE_INIT;
    size_t len = strlen(text);
    enum mt_status status = dir < 0 ? MT_OK : mt_store_read(dir, name, &file);
    bool same = file.found && file.is_private && file.bytes.data;
    if (same && as_json)
        same = mt_db_same(file.bytes.data, file.bytes.len, text, len);
    else if (same)
        same = file.bytes.len == len && memcmp(file.bytes.data, text, len) == 0;
    mt_buf_wipe(&file.bytes);
    if (status != MT_OK || same)
        return status;
    *changed = true;
    return dry_run ? MT_OK : mt_store_write(dir, name, scratch, text, len);
}

enum mt_status mt_card_files_put(int root, int db, const char *dir, const struct mt_share *share,
                                 bool dry_run, bool *changed)
{
    struct mt_card card = {0};
    int outputs = -1;
    int output = -1;
    enum mt_status status = mt_card_render(share, &card);
    if (status == MT_OK && root >= 0)
        status = mt_store_open_dir(root, dir, !dry_run, &outputs);
    if (status == MT_OK && outputs >= 0)
        status = mt_store_open_dir(outputs, share->card_id, !dry_run, &output);
    if (status == MT_OK && output >= 0 && !dry_run)
        status = mt_store_restrict(output);
    bool made = false;
    if (status == MT_OK)
        status = put(dry_run, output, MT_CARD_MARK, output, card.mark, false, &made);
    if (status == MT_OK && made && !dry_run)
        mt_store_set_time(output, MT_CARD_MARK, share->answered);
    *changed |= made;
    if (status == MT_OK)
        status = put(dry_run, db, share->card_id, output, card.db, true, changed);
    if (status == MT_OK)
        status = put(dry_run, output, MT_CARD_CONNECTION, output, card.connection, false, changed);
    mt_store_close(output);
    mt_store_close(outputs);
    mt_card_free(&card);
    return status;
}
