/* SPDX-License-Identifier: MIT */
#include "viewer.h"

#include "directory.h"
#include "lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has(const struct mt_member_answer *answer, gid_t gid)
{
    for (size_t i = 0; i < answer->gid_count; i++) {
        if (answer->gids[i] == gid)
            return true;
    }
    return false;
}

/* Whether the group is there, and the user is none of its members. */
static bool is_lost(gid_t gid, const char *user)
{
    struct mt_group group;
    if (mt_group_find_gid(&group, gid) != MT_YES)
        return false;
    bool lost = true;
    for (char *const *member = group.entry.gr_mem; lost && user && member && *member; member++)
        lost = strcmp(*member, user) != 0;
    mt_group_free(&group);
    return lost;
}

static bool add(json_t *gids, gid_t gid)
{
    return json_array_append_new(gids, json_integer(gid)) == 0;
}

/* Those of this process that the list lacks and that are not lost. */
static bool add_others(json_t *gids, const struct mt_member_answer *answer)
{
    int count = getgroups(0, NULL);
    gid_t *ours = malloc(((size_t)(count > 0 ? count : 0) + 1) * sizeof *ours);
    if (!ours)
        return false;
    count = count > 0 ? getgroups(count, ours) : 0;
    count = count > 0 ? count : 0;
    ours[count++] = getegid();
    bool ok = true;
    for (int i = 0; i < count && ok; i++) {
        if (!has(answer, ours[i]) && !is_lost(ours[i], answer->user))
            ok = add(gids, ours[i]);
    }
    free(ours);
    return ok;
}

json_t *mt_viewer_line(uid_t uid, const struct mt_member_answer *answer)
{
    json_t *gids = answer->user_known == MT_UNKNOWN ? json_null() : json_array();
    bool ok = gids != NULL;
    for (size_t i = 0; i < answer->gid_count && ok; i++)
        ok = add(gids, answer->gids[i]);
    if (ok && answer->user_known == MT_YES)
        ok = add_others(gids, answer);
    if (!ok) {
        json_decref(gids);
        gids = NULL;
    }
    json_t *viewer = json_object();
    mt_line_add(&viewer, "uid", json_integer(uid));
    mt_line_add(&viewer, "gids", gids);
    json_t *line = json_object();
    mt_line_add(&line, "viewer", viewer);
    return line;
}
