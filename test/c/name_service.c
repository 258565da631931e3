/* SPDX-License-Identifier: MIT */
#include "name_service.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

struct name_service name_service;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool goes_on;
static size_t look_ups;
static size_t now_inside;
static size_t most_inside;

void ns_reset(void)
{
    name_service = (struct name_service){.users = NULL};
    goes_on = false;
    look_ups = 0;
    now_inside = 0;
    most_inside = 0;
}

void ns_go_on(void)
{
    pthread_mutex_lock(&lock);
    goes_on = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static size_t read_locked(const size_t *number)
{
    pthread_mutex_lock(&lock);
    size_t is = *number;
    pthread_mutex_unlock(&lock);
    return is;
}

size_t ns_look_ups(void)
{
    return read_locked(&look_ups);
}

size_t ns_most_at_once(void)
{
    return read_locked(&most_inside);
}

/* The way through a look-up, as far as it is the same for all. 0, or an errno. */
static int pass(bool is_slow, size_t size)
{
    pthread_mutex_lock(&lock);
    look_ups++;
    now_inside++;
    is_slow = is_slow || (name_service.quick && look_ups > name_service.quick);
    if (now_inside > most_inside)
        most_inside = now_inside;
    while (is_slow && !goes_on)
        pthread_cond_wait(&changed, &lock);
    now_inside--;
    pthread_mutex_unlock(&lock);
    if (size < name_service.needs)
        return ERANGE;
    return name_service.error;
}

int __wrap_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
                      struct passwd **found);
int __wrap_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
                      struct passwd **found)
{
    int error = pass(uid >= NS_SLOW_UID, size);
    *found = NULL;
    for (const struct ns_user *user = name_service.users; !error && user && user->name; user++) {
        if (user->uid != uid)
            continue;
        memset(buffer, 'x', size); /* all of it is there */
        memcpy(buffer, user->name, strlen(user->name) + 1);
        *entry = (struct passwd){.pw_name = buffer, .pw_uid = uid, .pw_gid = user->groups[0]};
        *found = entry;
    }
    return error;
}

static int find_group(const char *name, gid_t gid, struct group *entry, char *buffer, size_t size,
                      struct group **found)
{
    int error = pass(name && strncmp(name, "slow", 4) == 0, size);
    *found = NULL;
    for (const struct ns_group *group = name_service.groups; !error && group && group->name;
         group++) {
        if (name ? strcmp(group->name, name) != 0 : group->gid != gid)
            continue;
        memset(buffer, 'x', size);
        memcpy(buffer, group->name, strlen(group->name) + 1);
        *entry = (struct group){
            .gr_name = buffer, .gr_gid = group->gid, .gr_mem = (char **)group->members};
        *found = entry;
    }
    return error;
}

int __wrap_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size,
                      struct group **found);
int __wrap_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size,
                      struct group **found)
{
    return find_group(name, 0, entry, buffer, size, found);
}

int __wrap_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size,
                      struct group **found);
int __wrap_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size,
                      struct group **found)
{
    return find_group(NULL, gid, entry, buffer, size, found);
}

/* As glibc's: -1 and the whole number where there is no room for all. */
int __wrap_getgrouplist(const char *name, gid_t primary, gid_t *groups, int *count);
int __wrap_getgrouplist(const char *name, gid_t primary, gid_t *groups, int *count)
{
    const int room = *count;
    *count = 1;
    if (room > 0)
        groups[0] = primary;
    for (const struct ns_user *user = name_service.users; user && user->name; user++) {
        if (strcmp(user->name, name) != 0)
            continue;
        *count = user->group_count;
        for (int i = 1; i < user->group_count && i < room; i++)
            groups[i] = user->groups[i];
    }
    return *count <= room ? *count : -1;
}

int __wrap_getgroups(int size, gid_t *groups);
int __wrap_getgroups(int size, gid_t *groups)
{
    for (int i = 0; i < name_service.own_count && i < size; i++)
        groups[i] = name_service.own_groups[i];
    return name_service.own_count;
}

/* The effective group is the first of the process's own. */
gid_t __wrap_getegid(void);
gid_t __wrap_getegid(void)
{
    return name_service.own_count > 0 ? name_service.own_groups[0] : 0;
}
