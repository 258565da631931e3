/* SPDX-License-Identifier: MIT */
/* Rounds of MultiTenant::Core: read, decide, and what was decided. */
#include "envelope.h"
#include "policy.h"
#include "rb_core.h"
#include "rb_records.h"
#include "service.h"
#include "store.h"

static void *add_streams(void *arg)
{
    struct call *call = arg;
    call->status = mt_streams_add(&call->streams, call->others, &call->bad_line);
    return NULL;
}

static void *begin_round(void *arg)
{
    struct call *call = arg;
    struct core *core = call->core;
    call->status = mt_specs_begin(core->round, &call->streams, &core->settings, &core->next);
    return NULL;
}

static VALUE payloads_of(const struct core *core)
{
    struct mt_payload payloads[MT_CREDENTIALS_MAX];
    VALUE out = rb_ary_new();
    size_t count = mt_specs_payloads(core->next, core->round, payloads);
    for (size_t i = 0; i < count; i++)
        rb_ary_push(out, text(payloads[i].text, payloads[i].len));
    return rb_obj_freeze(out);
}

static VALUE read_body(VALUE arg)
{
    struct call *call = (struct call *)arg;
    VALUE bad_lines = rb_ary_new();
    mt_specs_free(&call->core->next);
    for (long i = 0; i < RARRAY_LEN(call->arg); i++) {
        size_t bad_line;
        call->others = streams_in(rb_ary_entry(call->arg, i), &bad_line);
        run(call, add_streams);
        size_t line = call->bad_line ? call->bad_line : bad_line;
        rb_ary_push(bad_lines, line ? SIZET2NUM(line) : Qnil);
    }
    run(call, begin_round);
    return rb_ary_new_from_args(3, streams_of(&call->streams), rb_obj_freeze(bad_lines),
                                payloads_of(call->core));
}

/*
 * Begins the next round, which {#decide} ends.
 * @param texts [Array<Records>]
 * @return [Array(Array<Stream>, Array<Integer, nil>, Array<String>)] the streams; for each text its
 *   first line that does not belong; the MUNGE payloads that munged is to be asked about
 */
static VALUE core_read(VALUE self, VALUE texts)
{
    Check_Type(texts, T_ARRAY);
    texts = rb_ary_dup(texts);
    struct call call = {.arg = texts};
    return use(self, &call, read_body);
}

static void *decide_round(void *arg)
{
    struct call *call = arg;
    struct core *core = call->core;
    const struct mt_settings *s = &core->settings;
    call->status = mt_opened_read(RSTRING_PTR(call->text), (size_t)RSTRING_LEN(call->text),
                                  &call->opened, &call->bad_line);
    if (call->status != MT_OK)
        return NULL;
    int root = -1;
    if (s->dataroot)
        call->status = mt_store_open_root(s->dataroot, false, &root);
    if (call->status == MT_OK)
        call->status = mt_dismissed_load(root, &call->dismissed);
    mt_store_close(root);
    /* A list that can't be read hides no card; deliver tells of what is wrong with the root. */
    if (call->status == MT_IO || call->status == MT_UNSAFE)
        call->status = MT_OK;
    if (call->status == MT_OK)
        call->status =
            mt_specs_decide(core->next, core->round, s, &call->opened, &call->dismissed, call->now);
    return NULL;
}

static VALUE refused_of(const struct mt_opened *opened)
{
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < opened->count; i++) {
        if (opened->items[i].reason != MT_REASON_ok)
            rb_ary_push(out, ctext(opened->items[i].payload));
    }
    return rb_obj_freeze(out);
}

static VALUE decide_body(VALUE arg)
{
    struct call *call = (struct call *)arg;
    struct core *core = call->core;
    if (!core->next)
        rb_raise(error_class, "There is nothing to decide: nothing was read.");
    take_clusters(&core->settings, call->arg);
    run(call, decide_round);
    rb_ivar_set(call->self, rb_intern("@refused"), refused_of(&call->opened));
    mt_specs_free(&core->round);
    core->round = core->next;
    core->next = NULL;
    return call->bad_line ? SIZET2NUM(call->bad_line) : Qnil;
}

/*
 * Ends the round that {#read} began.
 * @param pairs [Array<Array(String, String)>] Slurm's name and OOD's id (nil: not learned) of the
 * clusters that OOD knows
 * @param opened [String] what munged said, as multitenant-munge writes it; '' where it was not
 * asked
 * @param now [Integer] seconds since the epoch, see {#choose}
 * @return [Integer, nil] the number of the first line of `opened` that does not belong: nothing of
 *   it counts then. {#refused} is the payloads of it that munged refused.
 */
static VALUE core_decide(VALUE self, VALUE pairs, VALUE opened, VALUE now)
{
    StringValue(opened);
    struct call call = {
        .arg = pairs, .text = rb_str_new_frozen(opened), .ends_round = true, .now = NUM2LL(now)};
    return use(self, &call, decide_body);
}

static void *choose_members(void *arg)
{
    struct call *call = arg;
    struct core *core = call->core;
    if (core->round)
        call->next = mt_services_choose(core->round, &core->settings, call->now);
    return NULL;
}

static VALUE choose_body(VALUE arg)
{
    struct call *call = (struct call *)arg;
    run(call, choose_members);
    return call->next ? LL2NUM(call->next) : Qnil;
}

/*
 * Chooses the members of services anew, as members leave with time alone.
 * @param now [Integer] seconds since the epoch
 * @return [Integer, nil] when to call it again, unless a round is decided before; nil: never
 */
static VALUE core_choose(VALUE self, VALUE now)
{
    struct call call = {.now = NUM2LL(now)};
    return use(self, &call, choose_body);
}

static VALUE share_of(const struct mt_share *share, const struct mt_settings *s)
{
    const struct mt_record *record = &share->record;
    const struct mt_jobname *name = &record->parts;
    bool named = record->is_share;
    const struct mt_message *message = &share->message;
    const json_t *host = json_object_get(message->connection, "host");
    enum mt_envelope envelope = mt_envelope_of(named ? name->payload : "", name->payload_len);
    const VALUE pairs[] = {
        symbol("key"),         ctext(share->key),
        symbol("cluster"),     key(record->cluster),
        symbol("ood_cluster"), share->ood_cluster ? key(share->ood_cluster) : Qnil,
        symbol("job_id"),      UINT2NUM(record->job_id),
        symbol("user"),        key(record->user),
        symbol("uid"),         UINT2NUM(record->uid),
        symbol("label"),       named ? bytes(name->label, name->label_len) : Qnil,
        symbol("group"),       named ? group_of(name) : Qnil,
        symbol("envelope"),    named ? key(mt_envelope_name(envelope)) : Qnil,
        symbol("app"),         text_or_nil(message->app),
        symbol("title"),       message->app ? ctext(mt_message_title(message)) : Qnil,
        symbol("host"),        host ? from_json(host) : Qnil,
        symbol("own_host"),    answer(mt_policy_own_host(record, message, s)),
        symbol("start"),       LL2NUM(record->start),
        symbol("end"),         LL2NUM(record->end),
        symbol("current"),     boolean(share->current),
        symbol("specs"),       key(mt_reason_code(share->specs)),
        symbol("card"),        key(mt_reason_code(share->card)),
        symbol("card_id"),     share->wants_card ? ctext(share->card_id) : Qnil,
        symbol("service"),     share->service ? ctext(share->service->key) : Qnil,
    };
    return HASH_OF(pairs);
}

static VALUE shares_in(const struct mt_specs *round, const struct mt_settings *settings)
{
    VALUE out = rb_ary_new();
    for (size_t i = 0; round && i < round->count; i++)
        rb_ary_push(out, share_of(&round->shares[i], settings));
    return rb_obj_freeze(out);
}

static VALUE shares_body(VALUE arg)
{
    const struct core *core = ((const struct call *)arg)->core;
    return shares_in(core->round, &core->settings);
}

static VALUE card_ids_body(VALUE arg)
{
    const struct mt_specs *round = ((const struct call *)arg)->core->round;
    VALUE out = rb_ary_new();
    for (size_t i = 0; round && i < round->count; i++) {
        if (round->shares[i].wants_card)
            rb_ary_push(out, ctext(round->shares[i].card_id));
    }
    return rb_obj_freeze(out);
}

static VALUE begun_body(VALUE arg)
{
    const struct core *core = ((const struct call *)arg)->core;
    return shares_in(core->next, &core->settings);
}

/*
 * Every job that was looked at, with what was decided.
 * @return [Array<Hash>] :key, :cluster and :ood_cluster (nil: none), :job_id, :user, :uid,
 *   :label (bytes), :group, :envelope, :app, :title (each nil where it could not be read), :host
 *   (nil: none), :own_host (whether that is the job's own; nil: its nodes are not known), :start,
 *   :end (0: no limit), :current (false: its cluster did not answer), :specs and :card (reasons),
 *   :card_id (nil: no card), :service (key of the one that it is a member of; nil: none)
 */
static VALUE core_shares(VALUE self)
{
    struct call call = {0};
    return use(self, &call, shares_body);
}

/* @return [Array<String>] the :card_id of each of them that has one */
static VALUE core_card_ids(VALUE self)
{
    struct call call = {0};
    return use(self, &call, card_ids_body);
}

/*
 * The same of a round that {#read} began and {#decide} has not ended: no envelope was opened, and
 * :specs is what is known without.
 */
static VALUE core_begun(VALUE self)
{
    struct call call = {0};
    return use(self, &call, begun_body);
}

void init_round(VALUE core)
{
    rb_define_method(core, "read", core_read, 1);
    rb_define_method(core, "decide", core_decide, 3);
    rb_define_attr(core, "refused", 1, 0);
    rb_define_method(core, "shares", core_shares, 0);
    rb_define_method(core, "card_ids", core_card_ids, 0);
    rb_define_method(core, "begun", core_begun, 0);
    rb_define_method(core, "choose", core_choose, 1);
}
