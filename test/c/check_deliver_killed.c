/* SPDX-License-Identifier: MIT */
/* Who writes cards is killed before each system call. Links: all that delivers a round. */
#include "scenes.h"
#include "stepped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The process before its next call, or a new one; 0: it has ended. */
static pid_t before(size_t call, pid_t pid, const struct scene *scene)
{
    if (pid)
        return step(pid) ? pid : 0;
    prepare(scene);
    return stop_before(scene->body, call);
}

/* Where no file has changed since the call before, being killed is the same as it was there. */
START_TEST(test_killed_before_each_call)
{
    const struct scene *scene = &scenes[_i];
    char *last = strdup("");
    size_t kills = 0;
    size_t call = 1;
    learn(scene);
    for (pid_t pid = 0; (pid = before(call, pid, scene)) > 0; call++) {
        char when[128];
        (void)snprintf(when, sizeof when, "%s, before call %zu", scene->name, call);
        char *now = picture_of(top);
        bool same = strcmp(now, last) == 0;
        free(last);
        last = now;
        if (same && !is_long())
            continue;
        kill_stopped(pid);
        pid = 0;
        kills++;
        assert_old_or_new(when);
        assert_repaired(scene, when);
    }
    free(last);
    ck_assert_uint_gt(kills, 1);
    if (is_long())
        (void)printf("%s: %zu system calls, killed before %zu\n", scene->name, call - 1, kills);
}
END_TEST

int main(void)
{
    return run_scenes("deliver_killed", test_killed_before_each_call, N_SCENES);
}
