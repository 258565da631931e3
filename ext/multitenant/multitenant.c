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
#include "store.h"
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

static VALUE boolean(bool value)
{
    return value ? Qtrue : Qfalse;
}

static VALUE text_or_nil(const char *s)
{
    return s ? ctext(s) : Qnil;
}

/* A frozen hash of `n` values: key, value, key, value. */
static VALUE hash_of(size_t n, const VALUE *pairs)
{
    VALUE out = rb_hash_new();
    for (size_t i = 0; i < n; i += 2)
        rb_hash_aset(out, pairs[i], pairs[i + 1]);
    return rb_obj_freeze(out);
}

#define HASH_OF(pairs) hash_of(sizeof(pairs) / sizeof *(pairs), pairs)

static VALUE hash_from_json(VALUE json)
{
    const char *k;
    json_t *value;
    VALUE out = rb_hash_new();
    json_object_foreach((json_t *)json, k, value) rb_hash_aset(out, ctext(k), from_json(value));
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

/* A list that ends with NULL. */
static void free_texts(const char *const *texts)
{
    for (const char *const *text = texts; text && *text; text++)
        free((char *)*text);
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
    free_texts(s->deliveries);
    free_texts(s->installed);
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

static char *copy_or_null(VALUE value)
{
    return NIL_P(value) ? NULL : copy_text(value);
}

static VALUE fetch(VALUE hash, const char *name)
{
    return rb_hash_fetch(hash, symbol(name));
}

static void *new_list(size_t n, size_t size)
{
    void *list = calloc(n + 1, size);
    if (!list)
        rb_memerror();
    return list;
}

/* The old list counts until all of the new one is a number; what runs no Ruby code converts it. */
static void take_gids(struct mt_settings *s, VALUE gids)
{
    Check_Type(gids, T_ARRAY);
    size_t n = (size_t)RARRAY_LEN(gids);
    for (size_t i = 0; i < n; i++) {
        Check_Type(rb_ary_entry(gids, (long)i), T_FIXNUM);
        (void)NUM2UINT(rb_ary_entry(gids, (long)i));
    }
    uint32_t *list = new_list(n, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = NUM2UINT(rb_ary_entry(gids, (long)i));
    free((void *)s->gids);
    s->gids = list;
    s->n_gids = n;
}

/* Copies to *out, a list that ends with NULL and is its owner's even where this raises. */
static size_t take_texts(const char *const **out, VALUE texts)
{
    Check_Type(texts, T_ARRAY);
    size_t n = (size_t)RARRAY_LEN(texts);
    const char **list = new_list(n, sizeof(char *));
    *out = list;
    for (size_t i = 0; i < n; i++)
        list[i] = copy_text(rb_ary_entry(texts, (long)i));
    return n;
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
        if (!NIL_P(ood))
            (void)StringValueCStr(ood);
        list[i].slurm = copy_text(slurm);
        list[i].ood = NIL_P(ood) ? NULL : copy_text(ood);
        s->n_clusters = i + 1;
    }
}

static void take_envelopes(struct mt_settings *s, VALUE hash)
{
    VALUE names = fetch(hash, "envelopes");
    Check_Type(names, T_ARRAY);
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
    s->uid = NUM2UINT(fetch(settings, "uid"));
    take_gids(s, fetch(settings, "gids"));
    s->n_deliveries = take_texts(&s->deliveries, fetch(settings, "deliveries"));
    take_envelopes(s, settings);
    s->publisher_in_group = RTEST(fetch(settings, "publisher_in_group"));
    s->per_cluster_dataroot = RTEST(fetch(settings, "per_cluster_dataroot"));
    VALUE keys = rb_hash_lookup(settings, symbol("keys"));
    s->keys = copy_text(NIL_P(keys) ? ctext(MT_KEYS_DIRECTORY) : keys);
    s->publishers = copy_or_null(fetch(settings, "publishers"));
    s->dataroot = copy_or_null(fetch(settings, "dataroot"));
    return self;
}

static struct core *get_idle(VALUE self)
{
    struct core *core = get(self);
    if (!core->settings.gids)
        rb_raise(error_class, "The core was not initialised.");
    if (core->busy)
        rb_raise(error_class, "The core is in use by another thread.");
    return core;
}

/* The groups that count from the next round on. @param gids [Array<Integer>] */
static VALUE core_set_gids(VALUE self, VALUE gids)
{
    take_gids(&get_idle(self)->settings, gids);
    return gids;
}

/*
 * The apps that the next rounds may name.
 * @param tokens [Array<String>, nil] nil: that can't be known here, and each allowed one may be
 */
static VALUE core_set_installed(VALUE self, VALUE tokens)
{
    struct mt_settings *s = &get_idle(self)->settings;
    const char *const *list = NULL;
    if (!NIL_P(tokens)) {
        Check_Type(tokens, T_ARRAY);
        /* No Ruby code runs, and nothing is raised, while the list is made. */
        for (long i = 0; i < RARRAY_LEN(tokens); i++) {
            VALUE token = rb_ary_entry(tokens, i);
            Check_Type(token, T_STRING);
            (void)StringValueCStr(token);
        }
        (void)take_texts(&list, tokens);
    }
    free_texts(s->installed);
    s->installed = list;
    return tokens;
}

/* ---- a call ---- */

struct told {
    struct mt_event event;
    char *id;
};

/* One call of a method of Core; each uses what it needs of it. Zeroed but for its arguments. */
struct call {
    struct core *core;
    VALUE arg;
    VALUE text;
    bool ends_round;
    bool nothing;
    bool restore;
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

static VALUE call_done(VALUE arg)
{
    struct call *call = (struct call *)arg;
    mt_streams_free(&call->streams);
    mt_opened_free(&call->opened);
    mt_dismissed_free(&call->dismissed);
    for (size_t i = 0; i < call->n_told; i++)
        free(call->told[i].id);
    free(call->told);
    if (call->ends_round)
        mt_specs_free(&call->core->next);
    call->core->busy = false;
    return Qnil;
}

/* One call at a time uses an object. */
static VALUE use(VALUE self, struct call *call, VALUE (*body)(VALUE))
{
    call->core = get_idle(self);
    call->core->busy = true;
    return rb_ensure(body, (VALUE)call, call_done, (VALUE)call);
}

static void run(struct call *call, void *(*function)(void *))
{
    rb_thread_call_without_gvl(function, call, NULL, NULL);
    check(call->status);
}

static void need_dataroot(const struct core *core)
{
    if (!core->settings.dataroot)
        rb_raise(error_class, "There is no data root.");
}

/* ---- MultiTenant::Records: one text of record streams, and what was read in it ---- */

struct records {
    struct mt_streams streams;
    size_t bad_line;
    const char *text; /* while it is read */
    size_t size;      /* of the text; 0: not read yet */
    enum mt_status status;
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

/* One that was made and not initialised, or that another thread reads, has nothing to tell. */
static const struct records *get_read(VALUE self)
{
    const struct records *records = get_records(self);
    if (!rb_obj_frozen_p(self))
        rb_raise(error_class, "The records were not read.");
    return records;
}

static void *read_text(void *arg)
{
    struct records *r = arg;
    r->status = mt_streams_read(&r->streams, r->text, r->size, &r->bad_line);
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
    records->text = RSTRING_PTR(text);
    records->size = (size_t)RSTRING_LEN(text);
    rb_gc_adjust_memory_usage((ssize_t)(records->size * TAKEN));
    rb_thread_call_without_gvl(read_text, records, NULL, NULL);
    RB_GC_GUARD(text);
    check(records->status);
    return rb_obj_freeze(self);
}

/* The texts, or the numbers, of a list. */
static VALUE from_array(const json_t *array, json_type type)
{
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        if (json_typeof(value) == type)
            rb_ary_push(out,
                        type == JSON_STRING ? from_json(value) : LL2NUM(json_integer_value(value)));
    }
    return rb_obj_freeze(out);
}

static VALUE stream_of(const struct mt_stream *stream)
{
    return rb_obj_freeze(
        rb_struct_new(stream_class, ctext(stream->cluster), boolean(stream->complete),
                      key(stream->sees_all ? "all" : "own"), LL2NUM(stream->generated),
                      from_array(stream->wckeys, JSON_STRING), text_or_nil(stream->publishers),
                      text_or_nil(stream->round), from_array(stream->groups, JSON_INTEGER),
                      stream->undetermined ? from_array(stream->undetermined, JSON_INTEGER) : Qnil,
                      SIZET2NUM(stream->count)));
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
    return streams_of(&get_read(self)->streams);
}

/* @return [Integer, nil] the number of the first line that does not belong */
static VALUE records_bad_line(VALUE self)
{
    size_t line = get_read(self)->bad_line;
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
    const struct mt_streams *streams = &get_read(self)->streams;
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
    RB_GC_GUARD(cluster);
    return out;
}

/* ---- read and decide ---- */

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
        const struct records *records = get_read(rb_ary_entry(call->arg, i));
        call->others = &records->streams;
        run(call, add_streams);
        size_t line = call->bad_line ? call->bad_line : records->bad_line;
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
        call->status = mt_specs_decide(core->next, core->round, s, &call->opened, &call->dismissed);
    return NULL;
}

static VALUE decide_body(VALUE arg)
{
    struct call *call = (struct call *)arg;
    struct core *core = call->core;
    if (!core->next)
        rb_raise(error_class, "There is nothing to decide: nothing was read.");
    take_clusters(&core->settings, call->arg);
    run(call, decide_round);
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
 * @return [Integer, nil] the number of the first line of `opened` that does not belong: nothing of
 *   it counts then
 */
static VALUE core_decide(VALUE self, VALUE pairs, VALUE opened)
{
    StringValue(opened);
    struct call call = {.arg = pairs, .text = rb_str_new_frozen(opened), .ends_round = true};
    return use(self, &call, decide_body);
}

/* A name is bytes: what is not UTF-8 in it becomes U+FFFD, which is in no group's name. */
static VALUE group_of(const struct mt_jobname *name)
{
    VALUE group = rb_utf8_str_new(name->group, (long)name->group_len);
    VALUE scrubbed = rb_str_scrub(group, Qnil);
    return rb_obj_freeze(NIL_P(scrubbed) ? group : scrubbed);
}

static VALUE share_of(const struct mt_share *share)
{
    const struct mt_record *record = &share->record;
    const struct mt_jobname *name = &record->parts;
    bool named = record->is_share;
    const struct mt_message *message = &share->message;
    enum mt_envelope envelope = mt_envelope_of(named ? name->payload : "", name->payload_len);
    const VALUE pairs[] = {
        symbol("key"),         ctext(share->key),
        symbol("cluster"),     ctext(record->cluster),
        symbol("ood_cluster"), text_or_nil(share->ood_cluster),
        symbol("job_id"),      UINT2NUM(record->job_id),
        symbol("user"),        ctext(record->user),
        symbol("group"),       named ? group_of(name) : Qnil,
        symbol("envelope"),    named ? key(mt_envelope_name(envelope)) : Qnil,
        symbol("app"),         text_or_nil(message->app),
        symbol("title"),       message->app ? ctext(mt_message_title(message)) : Qnil,
        symbol("start"),       LL2NUM(record->start),
        symbol("end"),         LL2NUM(record->end),
        symbol("current"),     boolean(share->current),
        symbol("specs"),       key(mt_reason_code(share->specs)),
        symbol("card"),        key(mt_reason_code(share->card)),
        symbol("card_id"),     share->wants_card ? ctext(share->card_id) : Qnil,
    };
    return HASH_OF(pairs);
}

static VALUE shares_body(VALUE arg)
{
    const struct core *core = ((const struct call *)arg)->core;
    VALUE out = rb_ary_new();
    for (size_t i = 0; core->round && i < core->round->count; i++)
        rb_ary_push(out, share_of(&core->round->shares[i]));
    return rb_obj_freeze(out);
}

/*
 * Every job that was looked at, with what was decided.
 * @return [Array<Hash>] :key, :cluster and :ood_cluster (nil: none), :job_id, :user, :group,
 *   :envelope, :app, :title (each nil where it could not be read), :start, :end (0: no limit),
 * :current (false: its cluster did not answer), :specs and :card (reason codes), :card_id (nil: no
 * card)
 */
static VALUE core_shares(VALUE self)
{
    struct call call = {0};
    return use(self, &call, shares_body);
}

static VALUE number_text(int64_t number)
{
    return rb_obj_freeze(rb_enc_sprintf(rb_utf8_encoding(), "%" PRId64, number));
}

static VALUE path_of(VALUE parts)
{
    const char *const *part = (const char *const *)parts;
    return rb_obj_freeze(rb_enc_sprintf(rb_utf8_encoding(), "%s/%s/%s", part[0], part[1], part[2]));
}

static VALUE free_text(VALUE text)
{
    free((void *)text);
    return Qnil;
}

static VALUE info_of(const struct mt_share *share, const struct mt_settings *s)
{
    const struct mt_record *record = &share->record;
    const char *root = s->dataroot ? s->dataroot : "";
    const char *db[] = {root, MT_BATCH_CONNECT "/db", share->card_id};
    char *outputs = mt_card_outputs(share, s);
    if (!outputs)
        rb_memerror();
    const char *output[] = {root, outputs, share->card_id};
    VALUE output_path = rb_ensure(path_of, (VALUE)output, free_text, (VALUE)outputs);
    const VALUE pairs[] = {
        key("user"),         ctext(record->user),
        key("cluster"),      ctext(record->cluster),
        key("db"),           path_of((VALUE)db),
        key("output"),       output_path,
        key("message"),      from_json(json_object_get(record->json, "name")),
        key("message_size"), SIZET2NUM(record->name_len),
        key("uid"),          number_text((int64_t)record->uid),
        key("start"),        number_text(record->start),
        key("end"),          number_text(record->end),
        key("title"),        ctext(mt_message_title(&share->message)),
    };
    return HASH_OF(pairs);
}

static VALUE spec_of(const struct mt_share *share, const struct mt_settings *s)
{
    json_t *connection = mt_card_connection(share);
    if (!connection)
        rb_memerror();
    VALUE shown = rb_ensure(hash_from_json, (VALUE)connection, release_json, (VALUE)connection);
    const VALUE pairs[] = {key("info"),       info_of(share, s),
                           key("accounting"), hash_from_json((VALUE)share->message.accounting),
                           key("connection"), shown};
    return HASH_OF(pairs);
}

static VALUE specs_body(VALUE arg)
{
    const struct core *core = ((const struct call *)arg)->core;
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
    struct call call = {0};
    return use(self, &call, specs_body);
}

/* ---- deliver ---- */

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
    enum mt_status status;
    if (o->record.name_len > MT_JOBNAME_MAX)
        status = mt_refuse(MT_REASON_name_too_long, &o->reason);
    else if (!o->record.is_share)
        status = mt_refuse(MT_REASON_malformed_name, &o->reason);
    else
        status = mt_envelope_open(&o->record, &o->settings, &opened, &o->message, &o->reason);
    if (status == MT_REFUSED)
        return rb_ary_new_from_args(1, key(mt_reason_code(o->reason)));
    check(status);
    return rb_ary_new_from_args(o->message.title ? 4 : 3, key("ok"),
                                hash_from_json((VALUE)o->message.accounting),
                                hash_from_json((VALUE)o->message.connection),
                                o->message.title ? from_json(o->message.title) : Qnil);
}

static VALUE open_done(VALUE arg)
{
    mt_message_free(&((struct opening *)arg)->message);
    return Qnil;
}

/*
 * Opens a job name without asking for any right to it.
 * @return [Array] "ok", accounting, connection, and the title where it has one; or a reason's code
 * alone
 */
static VALUE native_open(VALUE self, VALUE job_id, VALUE user, VALUE name)
{
    struct opening o = {.settings = {.envelopes = MT_ENVELOPES_ALL},
                        .record = {.job_id = NUM2UINT(job_id)}};
    (void)self;
    StringValue(name); /* may run Ruby code */
    o.record.user = StringValueCStr(user);
    if (strlen(o.record.user) > MT_NAME_MAX)
        rb_raise(error_class, "The user name is longer than %d bytes.", MT_NAME_MAX);
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
    const char *const *c_argv;
    const char *const *c_envp;
    struct mt_child_terms terms;
    int wake_fd;
    struct mt_child child;
    enum mt_status status;
};

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

static VALUE run_body(VALUE arg)
{
    struct running *r = (struct running *)arg;
    const struct mt_child *child = &r->child;
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake_fd < 0)
        rb_sys_fail("eventfd");
    (void)take_texts(&r->c_argv, r->argv);
    (void)take_texts(&r->c_envp, r->env);
    r->status = mt_child_start(&r->child, (char **)r->c_argv, (char **)r->c_envp, &r->terms);
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
    const VALUE pairs[] = {
        symbol("status"),  symbol(mt_status_name(r->status)),
        symbol("exit"),    exited ? INT2NUM(WEXITSTATUS(child->wait_status)) : Qnil,
        symbol("signal"),  signalled ? INT2NUM(WTERMSIG(child->wait_status)) : Qnil,
        symbol("error"),   ended ? Qnil : rb_str_new_cstr(strerror(child->error)),
        symbol("seconds"), DBL2NUM((double)mt_child_age_ns(child) / 1e9),
        symbol("out"),     rb_str_new(child->out.data, (long)child->out.len),
        symbol("err"),     rb_str_new(child->err.data, (long)child->err.len),
    };
    return HASH_OF(pairs);
}

static VALUE run_done(VALUE arg)
{
    struct running *r = (struct running *)arg;
    mt_child_end(&r->child);
    free_texts(r->c_argv);
    free_texts(r->c_envp);
    if (r->wake_fd >= 0)
        (void)close(r->wake_fd);
    return Qnil;
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
    struct running r = {.argv = argv, .env = env, .wake_fd = -1};
    Check_Type(argv, T_ARRAY);
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
    uint32_t number = NUM2UINT(gid); /* may run Ruby code */
    const char *path = StringValueCStr(directory);
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
                                          boolean(mt_reason_is_temporary(reason))));
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
    stream_class = rb_struct_define_under(module, "Stream", "cluster", "complete", "sees",
                                          "generated", "wckeys", "publishers", "round", "groups",
                                          "undetermined", "count", NULL);
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
    rb_define_method(core, "installed=", core_set_installed, 1);
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
