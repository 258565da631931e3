/* SPDX-License-Identifier: MIT */
/* Card files of MultiTenant::Core: deliver, dismiss and restore. */
#include "rb_core.h"

#include <stdlib.h>

static void need_dataroot(const struct core *core)
{
    if (!core->settings.dataroot)
        rb_raise(error_class, "There is no data root.");
}

static void remember(const struct mt_event *event, void *arg)
{
    struct call *call = arg;
    struct told *told = realloc(call->told, (call->n_told + 1) * sizeof *told);
    if (told)
        call->told = told;
    char *id = told ? strdup(event->id) : NULL;
    if (!id) {
        call->out_of_memory = true;
        return;
    }
    told[call->n_told++] = (struct told){*event, id};
}

static void *run_delivery(void *arg)
{
    struct call *call = arg;
    const struct mt_settings *s = &call->core->settings;
    if (call->nothing)
        call->status = mt_deliver_nothing(s, call->dry_run, remember, call);
    else if (call->core->round && call->writes_only)
        call->status = mt_deliver_writes(call->core->round, s, remember, call);
    else if (call->core->round)
        call->status = mt_deliver(call->core->round, s, call->dry_run, remember, call);
    if (call->out_of_memory)
        call->status = MT_NOMEM;
    /* These are told, too. */
    if (call->status == MT_IO || call->status == MT_UNSAFE || call->status == MT_BUSY)
        call->status = MT_OK;
    return NULL;
}

static VALUE deliver_body(VALUE arg)
{
    static const char *const actions[] = {[MT_WRITTEN] = "written",
                                          [MT_KEPT] = "kept",
                                          [MT_REMOVED] = "removed",
                                          [MT_LEFT] = "left",
                                          [MT_FAILED] = "failed"};
    struct call *call = (struct call *)arg;
    VALUE out = rb_ary_new();
    need_dataroot(call->core);
    run(call, run_delivery);
    for (size_t i = 0; i < call->n_told; i++) {
        const struct mt_event *event = &call->told[i].event;
        VALUE why = Qnil;
        if (event->action == MT_FAILED)
            why = rb_sprintf("%s%s%s", mt_status_sentence(event->status), event->error ? " " : "",
                             event->error ? strerror(event->error) : "");
        rb_ary_push(out, rb_ary_new_from_args(3, symbol(actions[event->action]),
                                              ctext(call->told[i].id), why));
    }
    return out;
}

/*
 * Makes the card files follow the last round.
 * @param dry_run [Boolean]
 * @return [Array<Array(Symbol, String, String|nil)>] :written, :kept, :removed and a card id, or
 *   :failed, a path and a sentence
 */
static VALUE core_deliver(VALUE self, VALUE dry_run)
{
    struct call call = {.dry_run = RTEST(dry_run)};
    return use(self, &call, deliver_body);
}

/*
 * The same without a removal, so that OOD may read the files meanwhile.
 * @return [Array] as #deliver; :left and a card id: it has to go
 */
static VALUE core_deliver_writes(VALUE self)
{
    struct call call = {.writes_only = true};
    return use(self, &call, deliver_body);
}

/* Removes every card of ours. Parameters and result as #deliver. */
static VALUE core_deliver_nothing(VALUE self, VALUE dry_run)
{
    struct call call = {.dry_run = RTEST(dry_run), .nothing = true};
    return use(self, &call, deliver_body);
}

/* ---- dismiss and restore ---- */

static void *run_dismissing(void *arg)
{
    struct call *call = arg;
    const struct mt_settings *s = &call->core->settings;
    const char *id = RSTRING_PTR(call->text);
    if (call->restore)
        call->status = mt_deliver_restore(s, id, &call->found, remember, call);
    else
        call->status = mt_deliver_dismiss(call->core->round, s, id, &call->found, remember, call);
    for (size_t i = 0; i < call->n_told && call->status == MT_OK; i++) {
        if (call->told[i].event.action == MT_FAILED)
            call->status = MT_IO;
    }
    if (call->status == MT_OK && call->out_of_memory)
        call->status = MT_NOMEM;
    return NULL;
}

static VALUE dismiss_body(VALUE arg)
{
    struct call *call = (struct call *)arg;
    need_dataroot(call->core);
    run(call, run_dismissing);
    return boolean(call->found);
}

static VALUE dismiss_or_restore(VALUE self, VALUE id, bool restore)
{
    struct call call = {.text = rb_str_new_frozen(StringValue(id)), .restore = restore};
    (void)StringValueCStr(call.text);
    return use(self, &call, dismiss_body);
}

/*
 * Sends the card of that id away until its job ends, and removes its files.
 * @return [Boolean] false: there is no card of ours of this id
 */
static VALUE core_dismiss(VALUE self, VALUE id)
{
    return dismiss_or_restore(self, id, false);
}

/*
 * Takes a dismissal back, by the card's id or the job's.
 * @return [Boolean] false: no card of this id was dismissed
 */
static VALUE core_restore(VALUE self, VALUE id)
{
    return dismiss_or_restore(self, id, true);
}

void init_delivery(VALUE core)
{
    rb_define_method(core, "deliver", core_deliver, 1);
    rb_define_method(core, "deliver_writes", core_deliver_writes, 0);
    rb_define_method(core, "deliver_nothing", core_deliver_nothing, 1);
    rb_define_method(core, "dismiss", core_dismiss, 1);
    rb_define_method(core, "restore", core_restore, 1);
}
