/* SPDX-License-Identifier: MIT */
/*
 * The binding: converts between Ruby and the core, and nothing else. The only file with ruby.h.
 *
 * A method converts its arguments to plain C, runs C without the GVL, converts the result, frees
 * and raises, in that order. C memory hangs on an object of ours or on an rb_ensure.
 */
#include "attr.h"
#include "card.h"
#include "child.h"
#include "deliver.h"
#include "dismissed.h"
#include "envelope.h"
#include "jobname.h"
#include "keyring.h"
#include "mt_limits.h"
#include "policy.h"
#include "reason.h"
#include "record.h"
#include "settings.h"
#include "specs.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <ruby.h>
#include <ruby/encoding.h>
#include <ruby/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

static VALUE error_class;
static VALUE stream_class;
static VALUE record_class;

/* The only function that raises for a status. */
static void check(enum mt_status status)
{
    if (status == MT_NOMEM)
        rb_memerror();
    if (status != MT_OK)
        rb_raise(error_class, "%s", mt_status_sentence(status));
}

/* ---- texts ---- */

static VALUE text(const char *s, size_t len)
{
    return rb_obj_freeze(rb_utf8_str_new(s, (long)len));
}

static VALUE ctext(const char *s)
{
    return text(s, strlen(s));
}

static VALUE bytes(const char *s, size_t len)
{
    return rb_obj_freeze(rb_str_new(s, (long)len));
}

/* Room for the id of a key in hexadecimal. */
#define KEY_ID_SIZE (2 * MT_KEY_ID_BYTES + 1)

static void write_key_id(const unsigned char id[MT_KEY_ID_BYTES], char out[KEY_ID_SIZE])
{
    (void)snprintf(out, KEY_ID_SIZE, "%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
}

static VALUE key(const char *s)
{
    return rb_enc_interned_str_cstr(s, rb_utf8_encoding());
}

static VALUE symbol(const char *s)
{
    return ID2SYM(rb_intern(s));
}

static VALUE from_json(const json_t *string)
{
    return text(json_string_value(string), json_string_length(string));
}

static VALUE hash_from_json(VALUE json)
{
    const json_t *object = (const json_t *)json;
    const char *k;
    json_t *value;
    VALUE out = rb_hash_new();
    json_object_foreach((json_t *)object, k, value) rb_hash_aset(out, ctext(k), from_json(value));
    return rb_obj_freeze(out);
}

static VALUE release_json(VALUE json)
{
    json_decref((json_t *)json);
    return Qnil;
}

/* ---- the object ---- */

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

static void free_texts(const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((char *)texts[i]);
    free((void *)texts);
}

static void free_clusters(struct mt_settings *s)
{
    for (size_t i = 0; i < s->n_clusters; i++) {
        free((char *)s->clusters[i].slurm);
        free((char *)s->clusters[i].ood);
    }
    free((void *)s->clusters);
    s->clusters = NULL;
    s->n_clusters = 0;
}

static void core_free(void *data)
{
    struct core *core = data;
    struct mt_settings *s = &core->settings;
    free_clusters(s);
    free_texts(s->deliveries, s->deliveries ? s->n_deliveries : 0);
    free((void *)s->gids);
    free((char *)s->keys);
    free((char *)s->publishers);
    free((char *)s->dataroot);
    mt_specs_free(&core->round);
    mt_specs_free(&core->next);
    free(core);
}

static const rb_data_type_t core_type = {
    .wrap_struct_name = "MultiTenant::Core",
    .function = {.dfree = core_free},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY,
};

static VALUE core_alloc(VALUE klass)
{
    struct core *core = calloc(1, sizeof *core);
    if (!core)
        rb_memerror();
    return TypedData_Wrap_Struct(klass, &core_type, core);
}

static struct core *get(VALUE self)
{
    struct core *core;
    TypedData_Get_Struct(self, struct core, &core_type, core);
    return core;
}

static char *copy_text(VALUE value)
{
    char *out = strdup(StringValueCStr(value));
    if (!out)
        rb_memerror();
    return out;
}

static VALUE fetch(VALUE hash, const char *name)
{
    return rb_hash_fetch(hash, symbol(name));
}

static VALUE fetch_array(VALUE hash, const char *name)
{
    VALUE array = fetch(hash, name);
    Check_Type(array, T_ARRAY);
    return array;
}

static void *new_list(size_t n, size_t size)
{
    void *list = calloc(n + 1, size);
    if (!list)
        rb_memerror();
    return list;
}

static void take_viewer(struct mt_settings *s, VALUE hash)
{
    VALUE gids = fetch_array(hash, "gids");
    size_t n = (size_t)RARRAY_LEN(gids);
    uint32_t *list = new_list(n, sizeof *list);
    s->gids = list;
    s->uid = NUM2UINT(fetch(hash, "uid"));
    for (s->n_gids = 0; s->n_gids < n; s->n_gids++)
        list[s->n_gids] = NUM2UINT(rb_ary_entry(gids, (long)s->n_gids));
}

static void take_deliveries(struct mt_settings *s, VALUE hash)
{
    VALUE deliveries = fetch_array(hash, "deliveries");
    size_t n = (size_t)RARRAY_LEN(deliveries);
    const char **list = new_list(n, sizeof(char *));
    s->deliveries = list;
    for (s->n_deliveries = 0; s->n_deliveries < n; s->n_deliveries++)
        list[s->n_deliveries] = copy_text(rb_ary_entry(deliveries, (long)s->n_deliveries));
}

static void take_clusters(struct mt_settings *s, VALUE clusters)
{
    Check_Type(clusters, T_ARRAY);
    size_t n = (size_t)RARRAY_LEN(clusters);
    struct mt_cluster *list = new_list(n, sizeof *list);
    free_clusters(s);
    s->clusters = list;
    for (size_t i = 0; i < n; i++) {
        VALUE pair = rb_ary_entry(clusters, (long)i);
        Check_Type(pair, T_ARRAY);
        VALUE slurm = rb_ary_entry(pair, 0);
        VALUE ood = rb_ary_entry(pair, 1);
        (void)StringValueCStr(slurm);
        (void)StringValueCStr(ood);
        list[i].slurm = copy_text(slurm);
        list[i].ood = copy_text(ood);
        s->n_clusters = i + 1;
    }
}

static void take_envelopes(struct mt_settings *s, VALUE hash)
{
    VALUE names = fetch_array(hash, "envelopes");
    for (long i = 0; i < RARRAY_LEN(names); i++) {
        VALUE name = rb_ary_entry(names, i);
        for (unsigned e = 0; e < MT_ENVELOPE_COUNT; e++) {
            if (strcmp(StringValueCStr(name), mt_envelope_name((enum mt_envelope)e)) == 0)
                s->envelopes |= 1u << e;
        }
    }
}

/* @param settings [Hash] what MultiTenant::Settings#to_core gives */
static VALUE core_initialize(VALUE self, VALUE settings)
{
    struct core *core = get(self);
    struct mt_settings *s = &core->settings;
    if (s->gids)
        rb_raise(error_class, "The core was initialised already.");
    Check_Type(settings, T_HASH);
    take_viewer(s, settings);
    take_deliveries(s, settings);
    take_envelopes(s, settings);
    s->publisher_in_group = RTEST(fetch(settings, "publisher_in_group"));
    s->per_cluster_dataroot = RTEST(fetch(settings, "per_cluster_dataroot"));
    VALUE keys = rb_hash_lookup(settings, symbol("keys"));
    s->keys = copy_text(NIL_P(keys) ? rb_utf8_str_new_cstr(MT_KEYS_DIRECTORY) : keys);
    VALUE publishers = fetch(settings, "publishers");
    if (!NIL_P(publishers))
        s->publishers = copy_text(publishers);
    VALUE dataroot = fetch(settings, "dataroot");
    if (!NIL_P(dataroot))
        s->dataroot = copy_text(dataroot);
    return self;
}

/* One call at a time uses an object; it ends with not_busy(). */
static struct core *use(VALUE self)
{
    struct core *core = get(self);
    if (!core->settings.gids)
        rb_raise(error_class, "The core was not initialised.");
    if (core->busy)
        rb_raise(error_class, "The core is in use by another thread.");
    core->busy = true;
    return core;
}

/* The groups that count from the next round on. @param gids [Array<Integer>] */
static VALUE core_set_gids(VALUE self, VALUE gids)
{
    Check_Type(gids, T_ARRAY);
    size_t n = (size_t)RARRAY_LEN(gids);
    for (size_t i = 0; i < n; i++)
        (void)NUM2UINT(rb_ary_entry(gids, (long)i));
    struct core *core = use(self);
    core->busy = false;
    struct mt_settings *s = &core->settings;
    uint32_t *list = new_list(n, sizeof *list);
    free((void *)s->gids);
    for (size_t i = 0; i < n; i++)
        list[i] = NUM2UINT(rb_ary_entry(gids, (long)i));
    s->gids = list;
    s->n_gids = n;
    return gids;
}

static const char *need_dataroot(const struct core *core)
{
    if (!core->settings.dataroot)
        rb_raise(error_class, "There is no data root.");
    return core->settings.dataroot;
}

/* ---- MultiTenant::Records: one text of record streams, and what was read in it ---- */

struct records {
    struct mt_streams streams;
    size_t bad_line;
    size_t size; /* of the text; 0: not read yet */
};

/* What the records of a text take, as a multiple of it: an estimate for the collector. */
#define TAKEN 4

static void records_free(void *data)
{
    struct records *records = data;
    mt_streams_free(&records->streams);
    rb_gc_adjust_memory_usage(-(ssize_t)(records->size * TAKEN));
    free(records);
}

static const rb_data_type_t records_type = {
    .wrap_struct_name = "MultiTenant::Records",
    .function = {.dfree = records_free},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY,
};

static VALUE records_alloc(VALUE klass)
{
    struct records *records = calloc(1, sizeof *records);
    if (!records)
        rb_memerror();
    return TypedData_Wrap_Struct(klass, &records_type, records);
}

static struct records *get_records(VALUE self)
{
    struct records *records;
    TypedData_Get_Struct(self, struct records, &records_type, records);
    return records;
}

struct reading {
    struct records *records;
    const char *text;
    size_t len;
    enum mt_status status;
};

static void *read_text(void *arg)
{
    struct reading *r = arg;
    r->status = mt_streams_read(&r->records->streams, r->text, r->len, &r->records->bad_line);
    return NULL;
}

/* @param text [String] */
static VALUE records_initialize(VALUE self, VALUE text)
{
    struct records *records = get_records(self);
    Check_Type(text, T_STRING);
    if (rb_ivar_defined(self, rb_intern("@text")))
        rb_raise(error_class, "The records were read already.");
    text = rb_str_new_frozen(text);
    rb_ivar_set(self, rb_intern("@text"), text);
    struct reading r = {records, RSTRING_PTR(text), (size_t)RSTRING_LEN(text), MT_INTERNAL};
    rb_thread_call_without_gvl(read_text, &r, NULL, NULL);
    RB_GC_GUARD(text);
    check(r.status);
    records->size = r.len;
    rb_gc_adjust_memory_usage((ssize_t)(records->size * TAKEN));
    return rb_obj_freeze(self);
}

static VALUE json_texts(const json_t *array)
{
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < json_array_size(array); i++)
        rb_ary_push(out, from_json(json_array_get(array, i)));
    return rb_obj_freeze(out);
}

static VALUE json_gids(const json_t *array)
{
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *gid = json_array_get(array, i);
        if (json_is_integer(gid))
            rb_ary_push(out, LL2NUM(json_integer_value(gid)));
    }
    return rb_obj_freeze(out);
}

static VALUE boolean(bool value)
{
    return value ? Qtrue : Qfalse;
}

static VALUE text_or_nil(const char *s)
{
    return s ? ctext(s) : Qnil;
}

static VALUE stream_of(const struct mt_stream *stream)
{
    return rb_obj_freeze(rb_struct_new(
        stream_class, ctext(stream->cluster), boolean(stream->complete),
        key(stream->sees_all ? "all" : "own"), LL2NUM(stream->generated),
        json_texts(stream->wckeys), text_or_nil(stream->publishers), text_or_nil(stream->round),
        json_gids(stream->groups), SIZET2NUM(stream->count)));
}

static VALUE streams_of(const struct mt_streams *streams)
{
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < streams->count; i++)
        rb_ary_push(out, stream_of(&streams->items[i]));
    return rb_obj_freeze(out);
}

/* @return [Array<Stream>] frozen */
static VALUE records_streams(VALUE self)
{
    return streams_of(&get_records(self)->streams);
}

/* @return [Integer, nil] the number of the first line that does not belong */
static VALUE records_bad_line(VALUE self)
{
    size_t line = get_records(self)->bad_line;
    return line ? SIZET2NUM(line) : Qnil;
}

static VALUE answer(enum mt_answer value)
{
    return value == MT_UNKNOWN ? Qnil : boolean(value == MT_YES);
}

static VALUE gid_of(const struct mt_record *record)
{
    if (record->group_known == MT_UNKNOWN)
        return Qnil;
    return record->group_known == MT_YES ? UINT2NUM(record->group_gid) : INT2FIX(-1);
}

static VALUE key_id(const struct mt_record *record)
{
    unsigned char id[MT_KEY_ID_BYTES];
    char hex[KEY_ID_SIZE];
    const struct mt_jobname *name = &record->parts;
    if (!record->is_share || !mt_envelope_key_id(name->payload, name->payload_len, id))
        return Qnil;
    write_key_id(id, hex);
    return ctext(hex);
}

static VALUE job_of(const struct mt_record *record, VALUE text)
{
    const struct mt_jobname *name = &record->parts;
    VALUE line = rb_str_subseq(text, (long)record->line_at, (long)record->line_len);
    rb_enc_associate(line, rb_utf8_encoding());
    return rb_obj_freeze(rb_struct_new(
        record_class, rb_obj_freeze(line), UINT2NUM(record->job_id), ctext(record->user),
        UINT2NUM(record->uid), bytes(record->name, record->name_len), LL2NUM(record->start),
        record->is_share ? bytes(name->group, name->group_len) : Qnil, gid_of(record),
        answer(record->publisher_in_group), text_or_nil(record->wckey), key_id(record)));
}

/* @param cluster [String] Slurm's name @return [Array<Record>] those of its stream, where it is
 *   complete */
static VALUE records_of(VALUE self, VALUE cluster)
{
    const struct mt_streams *streams = &get_records(self)->streams;
    const char *wanted = StringValueCStr(cluster);
    VALUE text = rb_ivar_get(self, rb_intern("@text"));
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < streams->count; i++) {
        const struct mt_stream *stream = &streams->items[i];
        for (size_t j = 0; stream->complete && j < stream->count; j++) {
            if (strcmp(stream->cluster, wanted) == 0)
                rb_ary_push(out, job_of(&stream->records[j], text));
        }
    }
    RB_GC_GUARD(self);
    return out;
}

/* ---- read and decide ---- */

struct reading_round {
    struct core *core;
    VALUE texts; /* Array<Records> */
    struct mt_streams streams;
    const struct mt_streams *others;
    size_t bad_line;
    enum mt_status status;
};

static void *add_streams(void *arg)
{
    struct reading_round *r = arg;
    r->status = mt_streams_add(&r->streams, r->others, &r->bad_line);
    return NULL;
}

static void *begin_round(void *arg)
{
    struct reading_round *r = arg;
    struct core *core = r->core;
    mt_specs_free(&core->next);
    r->status = mt_specs_begin(core->round, &r->streams, &core->settings, &core->next);
    return NULL;
}

static VALUE payloads_of(const struct core *core)
{
    struct mt_payload payloads[MT_CREDENTIALS_MAX];
    VALUE out = rb_ary_new();
    size_t count = mt_specs_payloads(core->next, core->round, &core->settings, payloads);
    for (size_t i = 0; i < count; i++)
        rb_ary_push(out, text(payloads[i].text, payloads[i].len));
    return rb_obj_freeze(out);
}

static VALUE read_body(VALUE arg)
{
    struct reading_round *r = (struct reading_round *)arg;
    VALUE bad_lines = rb_ary_new();
    for (long i = 0; i < RARRAY_LEN(r->texts); i++) {
        const struct records *records = get_records(rb_ary_entry(r->texts, i));
        r->others = &records->streams;
        rb_thread_call_without_gvl(add_streams, r, NULL, NULL);
        check(r->status);
        if (r->bad_line == 0)
            r->bad_line = records->bad_line;
        rb_ary_push(bad_lines, r->bad_line ? SIZET2NUM(r->bad_line) : Qnil);
    }
    rb_thread_call_without_gvl(begin_round, r, NULL, NULL);
    check(r->status);
    return rb_ary_new_from_args(3, streams_of(&r->streams), rb_obj_freeze(bad_lines),
                                payloads_of(r->core));
}

static VALUE read_done(VALUE arg)
{
    struct reading_round *r = (struct reading_round *)arg;
    mt_streams_free(&r->streams);
    r->core->busy = false;
    return Qnil;
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
    for (long i = 0; i < RARRAY_LEN(texts); i++)
        (void)get_records(rb_ary_entry(texts, i));
    struct reading_round r = {.core = use(self), .texts = texts};
    return rb_ensure(read_body, (VALUE)&r, read_done, (VALUE)&r);
}

struct decision {
    struct core *core;
    VALUE pairs;
    VALUE text;
    struct mt_opened opened;
    struct mt_dismissed dismissed;
    size_t bad_line;
    enum mt_status status;
};

static void *decide_round(void *arg)
{
    struct decision *d = arg;
    struct core *core = d->core;
    const struct mt_settings *s = &core->settings;
    d->status = mt_opened_read(RSTRING_PTR(d->text), (size_t)RSTRING_LEN(d->text), &d->opened,
                               &d->bad_line);
    if (d->status != MT_OK)
        return NULL;
    d->status = s->dataroot ? mt_dismissed_load(s->dataroot, &d->dismissed) : MT_IO;
    /* A list that can't be read hides no card; deliver tells of what is wrong with the root. */
    if (d->status == MT_IO || d->status == MT_UNSAFE || d->status == MT_TOO_LARGE)
        d->status = mt_dismissed_new(&d->dismissed);
    if (d->status == MT_OK)
        d->status = mt_specs_decide(core->next, core->round, s, &d->opened, &d->dismissed);
    return NULL;
}

static VALUE decide_body(VALUE arg)
{
    struct decision *d = (struct decision *)arg;
    struct core *core = d->core;
    if (!core->next)
        rb_raise(error_class, "There is nothing to decide: nothing was read.");
    take_clusters(&core->settings, d->pairs);
    rb_thread_call_without_gvl(decide_round, d, NULL, NULL);
    check(d->status);
    mt_specs_free(&core->round);
    core->round = core->next;
    core->next = NULL;
    return d->bad_line ? SIZET2NUM(d->bad_line) : Qnil;
}

static VALUE decide_done(VALUE arg)
{
    struct decision *d = (struct decision *)arg;
    mt_opened_free(&d->opened);
    mt_dismissed_free(&d->dismissed);
    mt_specs_free(&d->core->next);
    d->core->busy = false;
    return Qnil;
}

/*
 * Ends the round that {#read} began.
 * @param pairs [Array<Array(String, String)>] Slurm's name and OOD's id of the clusters that OOD
 *   knows
 * @param opened [String] what munged said, as multitenant-munge writes it; '' where it was not
 * asked
 * @return [Integer, nil] the number of the first line of `opened` that does not belong: nothing of
 *   it counts then
 */
static VALUE core_decide(VALUE self, VALUE pairs, VALUE opened)
{
    StringValue(opened);
    struct decision d = {.core = use(self), .pairs = pairs, .text = rb_str_new_frozen(opened)};
    VALUE out = rb_ensure(decide_body, (VALUE)&d, decide_done, (VALUE)&d);
    RB_GC_GUARD(d.text);
    return out;
}

static VALUE share_of(const struct mt_share *share)
{
    const struct mt_record *record = &share->record;
    const struct mt_jobname *name = &record->parts;
    bool named = record->is_share;
    const json_t *app = json_object_get(share->message.accounting, "mta");
    VALUE out = rb_hash_new();
    rb_hash_aset(out, symbol("key"), ctext(share->key));
    rb_hash_aset(out, symbol("cluster"), ctext(record->cluster));
    rb_hash_aset(out, symbol("ood_cluster"), share->ood_cluster ? ctext(share->ood_cluster) : Qnil);
    rb_hash_aset(out, symbol("job_id"), ULONG2NUM(record->job_id));
    rb_hash_aset(out, symbol("user"), ctext(record->user));
    rb_hash_aset(out, symbol("group"), named ? text(name->group, name->group_len) : Qnil);
    rb_hash_aset(out, symbol("envelope"),
                 named ? key(mt_envelope_name(mt_envelope_of(name->payload, name->payload_len)))
                       : Qnil);
    rb_hash_aset(out, symbol("app"), app ? from_json(app) : Qnil);
    rb_hash_aset(out, symbol("start"), LL2NUM(record->start));
    rb_hash_aset(out, symbol("end"), LL2NUM(record->end));
    rb_hash_aset(out, symbol("current"), share->current ? Qtrue : Qfalse);
    rb_hash_aset(out, symbol("specs"), key(mt_reason_code(share->specs)));
    rb_hash_aset(out, symbol("card"), key(mt_reason_code(share->card)));
    rb_hash_aset(out, symbol("card_id"), share->wants_card ? ctext(share->card_id) : Qnil);
    return rb_obj_freeze(out);
}

static VALUE shares_body(VALUE arg)
{
    const struct core *core = (const struct core *)arg;
    VALUE out = rb_ary_new();
    for (size_t i = 0; core->round && i < core->round->count; i++)
        rb_ary_push(out, share_of(&core->round->shares[i]));
    return rb_obj_freeze(out);
}

static VALUE not_busy(VALUE arg)
{
    ((struct core *)arg)->busy = false;
    return Qnil;
}

/*
 * Every job that was looked at, with what was decided.
 * @return [Array<Hash>] :key, :cluster and :ood_cluster (nil: none), :job_id, :user, :group,
 *   :envelope, :app (each nil where it could not be read), :start, :end (0: no limit), :current
 *   (false: its cluster did not answer), :specs and :card (reason codes), :card_id (nil: no card)
 */
static VALUE core_shares(VALUE self)
{
    struct core *core = use(self);
    return rb_ensure(shares_body, (VALUE)core, not_busy, (VALUE)core);
}

static VALUE path_of(VALUE arg)
{
    const char **parts = (const char **)arg;
    return rb_enc_sprintf(rb_utf8_encoding(), "%s/%s/%s", parts[0], parts[1], parts[2]);
}

static VALUE free_text(VALUE arg)
{
    free((void *)arg);
    return Qnil;
}

static VALUE number_text(int64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, number);
    return ctext(digits);
}

static VALUE info_of(const struct mt_share *share, const struct mt_settings *s)
{
    VALUE info = rb_hash_new();
    const char *root = s->dataroot ? s->dataroot : "";
    char *outputs = mt_card_outputs(share, s);
    if (!outputs)
        rb_memerror();
    const char *parts[] = {root, outputs, share->card_id};
    VALUE output = rb_ensure(path_of, (VALUE)parts, free_text, (VALUE)outputs);
    const char *db[] = {root, MT_BATCH_CONNECT "/db", share->card_id};
    rb_hash_aset(info, key("user"), ctext(share->record.user));
    rb_hash_aset(info, key("cluster"), ctext(share->record.cluster));
    rb_hash_aset(info, key("db"), rb_obj_freeze(path_of((VALUE)db)));
    rb_hash_aset(info, key("output"), rb_obj_freeze(output));
    rb_hash_aset(info, key("message"), from_json(json_object_get(share->record.json, "name")));
    rb_hash_aset(info, key("message_size"), SIZET2NUM(share->record.name_len));
    rb_hash_aset(info, key("uid"), number_text((int64_t)share->record.uid));
    rb_hash_aset(info, key("start"), number_text(share->record.start));
    rb_hash_aset(info, key("end"), number_text(share->record.end));
    return rb_obj_freeze(info);
}

static VALUE spec_of(const struct mt_share *share, const struct mt_settings *s)
{
    VALUE spec = rb_hash_new();
    json_t *connection = mt_card_connection(share);
    if (!connection)
        rb_memerror();
    VALUE shown = rb_ensure(hash_from_json, (VALUE)connection, release_json, (VALUE)connection);
    rb_hash_aset(spec, key("info"), info_of(share, s));
    rb_hash_aset(spec, key("accounting"), hash_from_json((VALUE)share->message.accounting));
    rb_hash_aset(spec, key("connection"), shown);
    return rb_obj_freeze(spec);
}

static VALUE specs_body(VALUE arg)
{
    const struct core *core = (const struct core *)arg;
    VALUE out = rb_hash_new();
    for (size_t i = 0; core->round && i < core->round->count; i++) {
        const struct mt_share *share = &core->round->shares[i];
        if (share->listed)
            rb_hash_aset(out, ctext(share->key), spec_of(share, &core->settings));
    }
    return rb_obj_freeze(out);
}

/* @return [Hash] MultiTenant.specs, frozen throughout */
static VALUE core_specs(VALUE self)
{
    struct core *core = use(self);
    return rb_ensure(specs_body, (VALUE)core, not_busy, (VALUE)core);
}

/* ---- deliver ---- */

struct told {
    struct mt_event event;
    char *id;
};

struct delivery_call {
    struct core *core;
    bool dry_run;
    bool nothing;
    struct told *told;
    size_t n_told;
    enum mt_status status;
    enum mt_status told_status;
};

static void remember(const struct mt_event *event, void *arg)
{
    struct delivery_call *call = arg;
    struct told *told = realloc(call->told, (call->n_told + 1) * sizeof *told);
    if (told)
        call->told = told;
    char *id = told ? strdup(event->id) : NULL;
    if (!id) {
        call->told_status = MT_NOMEM;
        return;
    }
    told[call->n_told++] = (struct told){*event, id};
}

static void *run_delivery(void *arg)
{
    struct delivery_call *call = arg;
    const struct mt_settings *s = &call->core->settings;
    if (call->nothing)
        call->status = mt_deliver_nothing(s, call->dry_run, remember, call);
    else if (call->core->round)
        call->status = mt_deliver(call->core->round, s, call->dry_run, remember, call);
    return NULL;
}

static VALUE deliver_body(VALUE arg)
{
    static const char *const actions[] = {[MT_WRITTEN] = "written",
                                          [MT_KEPT] = "kept",
                                          [MT_REMOVED] = "removed",
                                          [MT_FAILED] = "failed"};
    struct delivery_call *call = (struct delivery_call *)arg;
    VALUE out = rb_ary_new();
    (void)need_dataroot(call->core);
    rb_thread_call_without_gvl(run_delivery, call, NULL, NULL);
    for (size_t i = 0; i < call->n_told; i++) {
        const struct told *told = &call->told[i];
        VALUE why = Qnil;
        if (told->event.action == MT_FAILED)
            why = rb_sprintf("%s%s%s", mt_status_sentence(told->event.status),
                             told->event.error ? " " : "",
                             told->event.error ? strerror(told->event.error) : "");
        rb_ary_push(out, rb_ary_new_from_args(3, symbol(actions[told->event.action]),
                                              ctext(told->id), why));
    }
    check(call->told_status);
    if (call->status != MT_IO && call->status != MT_UNSAFE && call->status != MT_BUSY)
        check(call->status);
    return out;
}

static VALUE deliver_done(VALUE arg)
{
    struct delivery_call *call = (struct delivery_call *)arg;
    for (size_t i = 0; i < call->n_told; i++)
        free(call->told[i].id);
    free(call->told);
    call->core->busy = false;
    return Qnil;
}

static VALUE deliver(VALUE self, VALUE dry_run, bool nothing)
{
    struct delivery_call call = {.core = use(self), .dry_run = RTEST(dry_run), .nothing = nothing};
    return rb_ensure(deliver_body, (VALUE)&call, deliver_done, (VALUE)&call);
}

/*
 * Makes the card files follow the last round.
 * @param dry_run [Boolean]
 * @return [Array<Array(Symbol, String, String|nil)>] :written, :kept, :removed and a card id, or
 *   :failed, a path and a sentence
 */
static VALUE core_deliver(VALUE self, VALUE dry_run)
{
    return deliver(self, dry_run, false);
}

/* Removes every card of ours. Parameters and result as #deliver. */
static VALUE core_deliver_nothing(VALUE self, VALUE dry_run)
{
    return deliver(self, dry_run, true);
}

/* ---- dismiss and restore ---- */

struct dismissing {
    struct core *core;
    char id[MT_UUID_SIZE];
    bool restore;
    bool found;
    bool failed;
    enum mt_status status;
};

static void note_failure(const struct mt_event *event, void *arg)
{
    if (event->action == MT_FAILED)
        ((struct dismissing *)arg)->failed = true;
}

static void *run_dismissing(void *arg)
{
    struct dismissing *d = arg;
    const struct mt_settings *s = &d->core->settings;
    if (d->restore)
        d->status = mt_deliver_restore(s, d->id, &d->found, note_failure, d);
    else
        d->status = mt_deliver_dismiss(d->core->round, s, d->id, &d->found, note_failure, d);
    if (d->status == MT_OK && d->failed)
        d->status = MT_IO;
    return NULL;
}

static VALUE dismiss_body(VALUE arg)
{
    struct dismissing *d = (struct dismissing *)arg;
    (void)need_dataroot(d->core);
    rb_thread_call_without_gvl(run_dismissing, d, NULL, NULL);
    check(d->status);
    return d->found ? Qtrue : Qfalse;
}

static VALUE dismiss_or_restore(VALUE self, VALUE id, bool restore)
{
    const char *wanted = StringValueCStr(id);
    struct dismissing d = {.restore = restore};
    if (strlen(wanted) >= sizeof d.id)
        return Qfalse;
    memcpy(d.id, wanted, strlen(wanted) + 1);
    d.core = use(self);
    return rb_ensure(dismiss_body, (VALUE)&d, not_busy, (VALUE)d.core);
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

/* ---- MultiTenant::Native: what needs no core ---- */

struct opening {
    struct mt_settings settings;
    struct mt_record record;
    struct mt_message message;
    enum mt_reason reason;
};

static VALUE open_body(VALUE arg)
{
    struct opening *o = (struct opening *)arg;
    const struct mt_opened opened = {0};
    enum mt_status status = MT_REFUSED;
    if (o->record.name_len > MT_JOBNAME_MAX)
        o->reason = MT_REASON_name_too_long;
    else if (!o->record.is_share)
        o->reason = MT_REASON_malformed_name;
    else
        status = mt_envelope_open(&o->record, &o->settings, &opened, &o->message, &o->reason);
    if (status == MT_REFUSED)
        return rb_ary_new_from_args(1, key(mt_reason_code(o->reason)));
    check(status);
    return rb_ary_new_from_args(3, key("ok"), hash_from_json((VALUE)o->message.accounting),
                                hash_from_json((VALUE)o->message.connection));
}

static VALUE open_done(VALUE arg)
{
    mt_message_free(&((struct opening *)arg)->message);
    return Qnil;
}

/*
 * Opens a job name without asking for any right to it.
 * @return [Array] "ok", accounting, connection; or a reason's code alone
 */
static VALUE native_open(VALUE self, VALUE job_id, VALUE user, VALUE name)
{
    struct opening o = {.settings = {.envelopes = MT_ENVELOPES_ALL},
                        .record = {.job_id = NUM2UINT(job_id)}};
    (void)self;
    o.record.user = StringValueCStr(user);
    if (strlen(o.record.user) > MT_NAME_MAX)
        rb_raise(error_class, "The user name is longer than %d bytes.", MT_NAME_MAX);
    StringValue(name);
    o.record.name = RSTRING_PTR(name);
    o.record.name_len = (size_t)RSTRING_LEN(name);
    o.record.is_share = mt_jobname_split(o.record.name, o.record.name_len, &o.record.parts);
    VALUE out = rb_ensure(open_body, (VALUE)&o, open_done, (VALUE)&o);
    RB_GC_GUARD(user);
    RB_GC_GUARD(name);
    return out;
}

/* ---- run ---- */

struct running {
    VALUE argv;
    VALUE env;
    char **c_argv;
    char **c_envp;
    struct mt_child_terms terms;
    int wake_fd;
    struct mt_child child;
    enum mt_status status;
};

static char **copy_texts(VALUE array)
{
    size_t n = (size_t)RARRAY_LEN(array);
    char **out = new_list(n, sizeof(char *));
    for (size_t i = 0; i < n && out; i++) {
        out[i] = strdup(RSTRING_PTR(rb_ary_entry(array, (long)i)));
        if (!out[i]) {
            while (i > 0)
                free(out[--i]);
            free(out);
            out = NULL;
        }
    }
    if (!out)
        rb_memerror();
    return out;
}

static void *wait_for_child(void *arg)
{
    struct running *r = arg;
    r->status = mt_child_wait(&r->child, r->wake_fd);
    return NULL;
}

/* Ruby calls this for every interrupt: an exception from another thread, or a signal's handler. */
static void wake(void *arg)
{
    uint64_t one = 1;
    ssize_t ignored = write(((const struct running *)arg)->wake_fd, &one, sizeof one);
    (void)ignored;
}

static VALUE bytes_of(const struct mt_buf *buf)
{
    return rb_str_new(buf->data, (long)buf->len);
}

static VALUE run_body(VALUE arg)
{
    struct running *r = (struct running *)arg;
    const struct mt_child *child = &r->child;
    VALUE out = rb_hash_new();
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake_fd < 0)
        rb_sys_fail("eventfd");
    r->c_argv = copy_texts(r->argv);
    r->c_envp = copy_texts(r->env);
    r->status = mt_child_start(&r->child, r->c_argv, r->c_envp, &r->terms);
    if (r->status == MT_OK)
        r->status = MT_CANCELLED;
    while (r->status == MT_CANCELLED) {
        uint64_t woken;
        ssize_t ignored = read(r->wake_fd, &woken, sizeof woken);
        (void)ignored;
        rb_thread_check_ints();
        rb_thread_call_without_gvl(wait_for_child, r, wake, r);
    }
    bool ended = r->status == MT_OK;
    bool exited = ended && WIFEXITED(child->wait_status);
    bool signalled = ended && WIFSIGNALED(child->wait_status);
    rb_hash_aset(out, symbol("status"), symbol(mt_status_name(r->status)));
    rb_hash_aset(out, symbol("exit"), exited ? INT2NUM(WEXITSTATUS(child->wait_status)) : Qnil);
    rb_hash_aset(out, symbol("signal"), signalled ? INT2NUM(WTERMSIG(child->wait_status)) : Qnil);
    rb_hash_aset(out, symbol("error"), ended ? Qnil : rb_str_new_cstr(strerror(child->error)));
    rb_hash_aset(out, symbol("seconds"), DBL2NUM((double)mt_child_age_ns(child) / 1e9));
    rb_hash_aset(out, symbol("out"), bytes_of(&child->out));
    rb_hash_aset(out, symbol("err"), bytes_of(&child->err));
    return out;
}

static VALUE run_done(VALUE arg)
{
    struct running *r = (struct running *)arg;
    mt_child_end(&r->child);
    for (char **list = r->c_argv; list && *list; list++)
        free(*list);
    for (char **list = r->c_envp; list && *list; list++)
        free(*list);
    free(r->c_argv);
    free(r->c_envp);
    if (r->wake_fd >= 0)
        (void)close(r->wake_fd);
    return Qnil;
}

static VALUE check_texts(VALUE array)
{
    Check_Type(array, T_ARRAY);
    VALUE out = rb_ary_new();
    for (long i = 0; i < RARRAY_LEN(array); i++) {
        VALUE item = rb_str_new_frozen(rb_String(rb_ary_entry(array, i)));
        (void)StringValueCStr(item);
        rb_ary_push(out, item);
    }
    return out;
}

/*
 * Runs a program with a deadline; the GVL is free meanwhile, and an interrupt ends it.
 * @param argv [Array<String>] the first is its path
 * @param env [Array<String>] NAME=value
 * @param seconds [Float] the deadline; then it is killed
 * @param input [String, nil] its standard input; nil: none
 * @return [Hash] :status (:ok, :spawn, :timeout, :too_large, :io, :no_memory), :exit, :signal,
 *   :error, :seconds, :out, :err
 */
static VALUE native_run(int argc, VALUE *args, VALUE self)
{
    VALUE argv;
    VALUE env;
    VALUE seconds;
    VALUE input;
    (void)self;
    rb_scan_args(argc, args, "31", &argv, &env, &seconds, &input);
    double wait = NUM2DBL(seconds);
    struct running r = {.argv = check_texts(argv), .env = check_texts(env), .wake_fd = -1};
    r.terms.out_limit = MT_RECORDS_MAX;
    if (!NIL_P(input)) {
        input = rb_str_new_frozen(rb_String(input));
        r.terms.input = RSTRING_PTR(input);
        r.terms.input_len = (size_t)RSTRING_LEN(input);
    }
    if (RARRAY_LEN(r.argv) == 0 || !(wait >= 0 && wait <= 86400))
        rb_raise(rb_eArgError, "a program and 0 to 86400 seconds are needed");
    r.terms.deadline_ms = (int64_t)(wait * 1000);
    VALUE out = rb_ensure(run_body, (VALUE)&r, run_done, (VALUE)&r);
    RB_GC_GUARD(r.argv);
    RB_GC_GUARD(r.env);
    RB_GC_GUARD(input);
    return out;
}

/*
 * What is known of a group's keys; their secrets stay in C.
 * @param directory [String] @param gid [Integer]
 * @return [Array<Array(String, Integer)>, String] key id and when it was made, the newest first; or
 *   a sentence that says why this process can't use them
 */
static VALUE native_keys(VALUE self, VALUE directory, VALUE gid)
{
    struct mt_keyring ring;
    char why[MT_WHY_SIZE];
    char ids[MT_KEYS_MAX][KEY_ID_SIZE];
    int64_t created[MT_KEYS_MAX];
    const char *path = StringValueCStr(directory);
    uint32_t number = NUM2UINT(gid);
    (void)self;
    enum mt_status status = mt_keyring_load(path, number, &ring, why);
    size_t count = ring.count;
    for (size_t i = 0; i < count; i++) {
        write_key_id(ring.keys[i].id, ids[i]);
        created[i] = ring.keys[i].created;
    }
    mt_keyring_wipe(&ring);
    RB_GC_GUARD(directory);
    if (status != MT_OK)
        return ctext(why);
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < count; i++)
        rb_ary_push(out, rb_ary_new_from_args(2, ctext(ids[i]), LL2NUM(created[i])));
    return out;
}

/* @return [String, nil] the group that a job name of a share names, in bytes */
static VALUE native_group_of(VALUE self, VALUE name)
{
    struct mt_jobname parts;
    (void)self;
    StringValue(name);
    bool share = mt_jobname_split(RSTRING_PTR(name), (size_t)RSTRING_LEN(name), &parts);
    return share ? rb_str_new(parts.group, (long)parts.group_len) : Qnil;
}

/* @return [Hash{String => Array(String, Boolean)}] code => sentence, temporary? */
static VALUE native_reasons(VALUE self)
{
    VALUE out = rb_hash_new();
    (void)self;
    for (unsigned i = 0; i < MT_REASON_COUNT; i++) {
        enum mt_reason reason = (enum mt_reason)i;
        rb_hash_aset(out, key(mt_reason_code(reason)),
                     rb_ary_new_from_args(2, ctext(mt_reason_sentence(reason)),
                                          mt_reason_is_temporary(reason) ? Qtrue : Qfalse));
    }
    return out;
}

/* ---- the core's tables, as constants ---- */

static VALUE limits(void)
{
    VALUE out = rb_hash_new();
#define X(name, number) rb_hash_aset(out, symbol(#name), SIZET2NUM(number));
    MT_LIMITS_TABLE(X)
#undef X
    rb_hash_aset(out, symbol("timeout"),
                 rb_range_new(DBL2NUM(MT_TIMEOUT_MIN), DBL2NUM(MT_TIMEOUT_MAX), 0));
    return rb_obj_freeze(out);
}

static VALUE reserved_keys(void)
{
    size_t count;
    const char *const *keys = mt_policy_reserved_keys(&count);
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < count; i++)
        rb_ary_push(out, key(keys[i]));
    return rb_obj_freeze(out);
}

static VALUE unseen_characters(void)
{
    size_t count;
    const struct mt_text_range *ranges = mt_text_unseen(&count);
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < count; i++)
        rb_ary_push(out, rb_range_new(UINT2NUM(ranges[i].first), UINT2NUM(ranges[i].last), 0));
    return rb_obj_freeze(out);
}

__attribute__((visibility("default"))) void Init_multitenant(void);

void Init_multitenant(void)
{
#ifdef HAVE_RB_EXT_RACTOR_SAFE
    rb_ext_ractor_safe(true);
#endif
    VALUE module = rb_define_module("MultiTenant");
    VALUE core = rb_define_class_under(module, "Core", rb_cObject);
    VALUE records = rb_define_class_under(module, "Records", rb_cObject);
    VALUE native = rb_define_module_under(module, "Native");
    error_class = rb_define_class_under(module, "Error", rb_eStandardError);
    rb_gc_register_mark_object(error_class);
    stream_class =
        rb_struct_define_under(module, "Stream", "cluster", "complete", "sees", "generated",
                               "wckeys", "publishers", "round", "groups", "count", NULL);
    record_class =
        rb_struct_define_under(module, "Record", "line", "job_id", "user", "uid", "name", "start",
                               "group", "group_gid", "publisher_in_group", "wckey", "key_id", NULL);
    rb_gc_register_mark_object(stream_class);
    rb_gc_register_mark_object(record_class);
    rb_define_alloc_func(records, records_alloc);
    rb_define_method(records, "initialize", records_initialize, 1);
    rb_define_method(records, "streams", records_streams, 0);
    rb_define_method(records, "bad_line", records_bad_line, 0);
    rb_define_method(records, "of", records_of, 1);
    rb_define_attr(records, "text", 1, 0);
    rb_define_alloc_func(core, core_alloc);
    rb_define_method(core, "initialize", core_initialize, 1);
    rb_define_method(core, "gids=", core_set_gids, 1);
    rb_define_method(core, "read", core_read, 1);
    rb_define_method(core, "decide", core_decide, 2);
    rb_define_method(core, "shares", core_shares, 0);
    rb_define_method(core, "specs", core_specs, 0);
    rb_define_method(core, "deliver", core_deliver, 1);
    rb_define_method(core, "deliver_nothing", core_deliver_nothing, 1);
    rb_define_method(core, "dismiss", core_dismiss, 1);
    rb_define_method(core, "restore", core_restore, 1);
    rb_define_const(core, "LIMITS", limits());
    rb_define_const(core, "RESERVED_KEYS", reserved_keys());
    rb_define_const(core, "UNSEEN", unseen_characters());
    rb_define_module_function(native, "open", native_open, 3);
    rb_define_module_function(native, "run", native_run, -1);
    rb_define_module_function(native, "keys", native_keys, 2);
    rb_define_module_function(native, "group_of", native_group_of, 1);
    rb_define_module_function(native, "reasons", native_reasons, 0);
}
