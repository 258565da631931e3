/* SPDX-License-Identifier: MIT */
/*
 * What the suites of deliveries share: a data root, rounds that are delivered to it, and what was
 * told and done. The store's functions that change something are wrapped (delivery.c).
 */
#pragma once

#include "card.h"
#include "deliver.h"
#include "round.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUTS "batch_connect/" TOKEN "/output"
#define LEFTOVER ".multitenant.new.1.2.3"
#define assert_told(...) ck_assert_str_eq(told, format(__VA_ARGS__))

extern char *top;
extern struct mt_settings settings;
extern struct mt_specs *specs;
extern struct script script;
extern size_t fds_before;

/* What was told and what was done since the last delivery, one a line. */
extern char told[65536];
extern char steps[65536];
extern size_t n_steps;
extern size_t failing_step; /* counted from 1; 0: none */

void setup(void);
void teardown(void);
enum mt_status deliver_as(bool dry_run);
void deliver(void);
void deliver_writes(void);

/* The next round, with these jobs of hpc. */
void next_round(const struct sample *samples, size_t count);
void deliver_jobs(const struct sample *samples, size_t count);
void deliver_job(const struct sample *sample);

/* The same at the script, which is empty afterwards. */
void deliver_script(void);
const char *at(const char *path);
const char *db_of(const char *id);
const char *output_of(const char *id);
const char *mark_of(const char *id);
const char *connection_of(const char *id);

/* The JSON in a file, which has to be there, private. */
json_t *load(const char *path);

/* A whole card of this job with this host. */
void assert_card(const char *id, uint32_t job_id, const char *host);
void assert_no_card(const char *id);

/* The card id of a job of hpc, as the last delivery settled it. */
const char *id_of(uint32_t job_id);
struct sample sample_of(uint32_t job_id, const char *user, uint32_t uid, const char *host);
void assert_secret_has_a_mark(void);
const char *path_of_file(int file);
void put_legacy(uint32_t job_id, const char *completed);

/* Runs a delivery that has to leave everything as it is. */
void assert_untouched(const struct sample *samples, size_t count);

/* A session of an app of the user's, with this id. */
void put_own_session(void);

/* As another process of the user: holds the lock, in *dir and *lock. */
void take_lock(int *dir, int *lock);
void end_lock(int dir, int lock);
void dismiss(uint32_t job_id);
bool is_dismissed(uint32_t job_id);
void deliver_nothing(bool dry_run);
TCase *add_fixed_case(Suite *suite, const char *name);
void note(const struct mt_event *event, void *arg);
