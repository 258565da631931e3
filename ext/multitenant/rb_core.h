/* SPDX-License-Identifier: MIT */
/* MultiTenant::Core as its methods see it. */
#pragma once

#include "binding.h"
#include "deliver.h"
#include "dismissed.h"
#include "opened.h"
#include "settings.h"
#include "specs.h"
#include "streams.h"

/*
 * The settings' texts and lists are owned here; `round` is the last one or NULL, `next` is one that
 * was read and is to be decided, or NULL.
 */
struct core {
    struct mt_settings settings;
    struct mt_specs *round;
    struct mt_specs *next;
    bool busy;
};

struct told {
    struct mt_event event;
    char *id;
};

/* One call of a method of Core; each uses what it needs of it. Zeroed but for its arguments. */
struct call {
    VALUE self;
    struct core *core;
    VALUE arg;
    VALUE text;
    bool ends_round;
    bool nothing;
    bool writes_only;
    bool restore;
    int64_t now;
    int64_t next;
    bool dry_run;
    enum mt_status status;
    size_t bad_line;
    struct mt_streams streams;
    const struct mt_streams *others;
    struct mt_opened opened;
    struct mt_dismissed dismissed;
    struct told *told;
    size_t n_told;
    bool out_of_memory; /* while it was told */
    bool found;
};

/* Runs a method's body with its call. One call at a time uses an object. */
VALUE use(VALUE self, struct call *call, VALUE (*body)(VALUE));

/* Runs a function of the core without the GVL and raises for call->status. */
void run(struct call *call, void *(*function)(void *));

/* The clusters that count from here on: pairs of Slurm's name and OOD's id. Raises. */
void take_clusters(struct mt_settings *settings, VALUE clusters);

/* The group that a share's name names. */
VALUE group_of(const struct mt_jobname *name);
