/* SPDX-License-Identifier: MIT */
/* What dashboards do to card files, to be disturbed by a test. */
#pragma once

#include "helpers.h"

/*
 * `before` and a delivery make the old state; then `round` and `body`, which a test disturbs, the
 * new one; then the next dashboard's delivery of that round the repaired one, or, of what is done
 * `once`, the old one.
 */
struct scene {
    const char *name;
    void (*before)(void);
    void (*round)(void);
    int (*body)(void);
    bool once;
};

/* Those that differ most come first. */
#define N_SCENES 14
#define N_MAIN_SCENES 6
extern const struct scene scenes[N_SCENES];

#define OUTPUTS "batch_connect/" TOKEN "/output"
#define OUTPUT OUTPUTS "/" SESSION
#define DB "batch_connect/db/" SESSION

/* The data root, and what is in it. */
extern char *top;
const char *at(const char *path);

/* Learns the three states of a scene; makes the old one, and the round. */
void learn(const struct scene *scene);
void prepare(const struct scene *scene);

/* Every file is the old or the new one, what both have is there. `when` says so of a failure. */
void assert_old_or_new(const char *when);

/* What OOD would show it lists, too. */
void assert_listed(const char *when);

/* The next dashboard makes everything as it should be, and one that removes all leaves nothing. */
void assert_repaired(const struct scene *scene, const char *when);

/* Another dashboard delivers: the scene's round; one without jobs; it removes all. */
void deliver_too(const struct scene *scene);
void deliver_no_job(const struct scene *scene);
void deliver_removal(const struct scene *scene);

/* With MULTITENANT_LONG a suite tries everything, which takes minutes. */
bool is_long(void);

/* The main of a suite of one test for each of the first `count` scenes. */
int run_scenes(const char *name, const TTest *test, int count);
