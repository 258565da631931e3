/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "querying.h"

#include "failing.h"
#include "helpers.h"
#include "name_service.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>

static const gid_t prof_groups[] = {100, 3000};
static const gid_t student_groups[] = {100};
static const struct ns_user users[] = {
    {"prof", 1001, prof_groups, 2}, {"student", 2001, student_groups, 1}, {NULL, 0, NULL, 0}};
static char *nobody[] = {NULL};
static const struct ns_group groups[] = {
    {"users", 100, nobody}, {"class", 3000, nobody}, {"slow", 4000, nobody}, {NULL, 0, NULL}};

static bool *has_failed; /* shared with the child */

struct call {
    const char *options;
    size_t nth;
};

void querying_setup(void)
{
    own_slurm_reset();
    ns_reset();
    name_service.users = users;
    name_service.groups = groups;
    unsetenv("SLURM_CONF");
    if (!has_failed)
        has_failed = mmap(NULL, sizeof *has_failed, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* The program's main. */
int query_main(int argc, char **argv);

static int run(void *argument)
{
    const struct call *call = argument;
    char all[1024] = "multitenant-query --wckey multitenant --timeout 60 ";
    char *argv[32] = {NULL};
    int argc = 0;
    append(all, sizeof all, "%s", call->options);
    for (char *word = strtok(all, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    json_set_alloc_funcs(malloc, free);
    if (call->nth)
        fail_allocation(call->nth);
    int status = query_main(argc, argv);
    *has_failed = stop_failing();
    return own_slurm_has_all_back() ? status : EX_SOFTWARE;
}

struct forked query(const char *options, const char *input)
{
    struct call call = {.options = options};
    return run_forked(run, &call, input, strlen(input));
}

struct forked query_starved(const char *options, const char *input, size_t nth, bool *reached)
{
    struct call call = {.options = options, .nth = nth};
    *has_failed = true; /* as it is where the program ends without coming back */
    struct forked is = run_forked(run, &call, input, strlen(input));
    *reached = *has_failed;
    return is;
}
