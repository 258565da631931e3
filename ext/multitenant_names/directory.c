/* SPDX-License-Identifier: MIT */
#include "directory.h"

#include "mt_limits.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUFFER = 4096, FIRST_GROUPS = 64 };

const struct mt_step mt_directory_step = {"the name service did not answer",
                                          "see that getent passwd is quick on this host"};

/* Replaces the buffer by one of twice the size; its content is not kept. */
static bool grow(char **buffer, size_t *size)
{
    size_t next = *size ? *size * 2 : FIRST_BUFFER;
    free(*buffer);
    *buffer = next <= MT_NSS_BUF_MAX ? malloc(next) : NULL;
    *size = next;
    return *buffer != NULL;
}

/* getgrouplist says only that the array is too small; of failures it says nothing. */
static bool find_groups(struct mt_user *user, gid_t primary)
{
    const int most = MT_NSS_BUF_MAX / (int)sizeof(gid_t);
    for (int size = FIRST_GROUPS; size <= most; size *= 2) {
        int count = size;
        gid_t *groups = malloc((size_t)size * sizeof *groups);
        if (!groups)
            return false;
        if (getgrouplist(user->name, primary, groups, &count) >= 0) {
            user->groups = groups;
            user->group_count = (size_t)count;
            return true;
        }
        free(groups);
    }
    return false;
}

enum mt_answer mt_user_find(struct mt_user *user, uid_t uid)
{
    enum mt_answer answer = MT_UNKNOWN;
    char *buffer = NULL;
    size_t size = 0;
    struct passwd entry;
    struct passwd *found = NULL;
    int error = ERANGE;

    *user = (struct mt_user){0};
    while (error == ERANGE) {
        if (!grow(&buffer, &size))
            goto out;
        error = getpwuid_r(uid, &entry, buffer, size, &found);
    }
    if (error != 0)
        goto out;
    if (!found) {
        answer = MT_NO;
        goto out;
    }
    user->name = strdup(found->pw_name);
    if (user->name && find_groups(user, found->pw_gid))
        answer = MT_YES;
    else
        mt_user_free(user);
out:
    free(buffer);
    return answer;
}

/* By name, or by number where that is NULL. */
static enum mt_answer find_group(struct mt_group *group, const char *name, gid_t gid)
{
    char *buffer = NULL;
    size_t size = 0;
    struct group *found = NULL;
    int error = ERANGE;

    *group = (struct mt_group){0};
    while (error == ERANGE) {
        if (!grow(&buffer, &size))
            return MT_UNKNOWN;
        error = name ? getgrnam_r(name, &group->entry, buffer, size, &found)
                     : getgrgid_r(gid, &group->entry, buffer, size, &found);
    }
    if (error == 0 && found) {
        group->buffer = buffer;
        return MT_YES;
    }
    free(buffer);
    *group = (struct mt_group){0};
    return error == 0 ? MT_NO : MT_UNKNOWN;
}

/* How many bytes of a character follow this one, which begins it; -1: none begins so. */
static int following(unsigned char first)
{
    if (first < 0x80)
        return 0;
    if (first < 0xc2 || first > 0xf4)
        return -1;
    if (first < 0xe0)
        return 1;
    return first < 0xf0 ? 2 : 3;
}

/* As directories have their names: without overlong forms, surrogates and what is above U+10FFFF.
 */
static bool is_utf8(const char *name)
{
    for (const unsigned char *at = (const unsigned char *)name; *at;) {
        unsigned char first = *at++;
        int more = following(first);
        if (more < 0 || (first == 0xe0 && *at < 0xa0) || (first == 0xed && *at > 0x9f) ||
            (first == 0xf0 && *at < 0x90) || (first == 0xf4 && *at > 0x8f))
            return false;
        for (; more > 0; more--) {
            if ((*at++ & 0xc0) != 0x80)
                return false;
        }
    }
    return true;
}

enum mt_answer mt_group_find(struct mt_group *group, const char *name)
{
    *group = (struct mt_group){0};
    /* Of others SSSD does not say that there is no such group: it fails, with a line of its log. */
    return is_utf8(name) ? find_group(group, name, 0) : MT_NO;
}

enum mt_answer mt_group_find_gid(struct mt_group *group, gid_t gid)
{
    return find_group(group, NULL, gid);
}

bool mt_user_in_group(const struct mt_user *user, const struct mt_group *group)
{
    for (size_t i = 0; i < user->group_count; i++) {
        if (user->groups[i] == group->entry.gr_gid)
            return true;
    }
    for (char *const *member = group->entry.gr_mem; member && *member; member++) {
        if (strcmp(*member, user->name) == 0)
            return true;
    }
    return false;
}

long mt_group_others(const struct mt_group *group, const char *user)
{
    bool own = strcmp(group->entry.gr_name, user) == 0;
    bool listed = own;
    long others = 0;
    for (char *const *member = group->entry.gr_mem; member && *member; member++) {
        if (strcmp(*member, user) == 0)
            listed = true;
        else
            others++;
    }
    return listed && (own || others > 0) ? others : -1;
}

void mt_user_free(struct mt_user *user)
{
    free(user->name);
    free(user->groups);
    *user = (struct mt_user){0};
}

void mt_group_free(struct mt_group *group)
{
    free(group->buffer);
    *group = (struct mt_group){0};
}
