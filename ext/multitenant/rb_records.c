/* SPDX-License-Identifier: MIT */
/* MultiTenant::Records: one text of record streams, and what was read in it. */
#include "rb_records.h"

#include "envelope.h"

#include <stdlib.h>

static VALUE stream_class;
static VALUE record_class;

struct records {
    struct mt_streams streams;
    VALUE read;   /* whose records these are, at another time; 0: its own */
    VALUE string; /* stays where it is, as others may compare theirs with it without the GVL */
    size_t bad_line;
    const char *text;
    struct mt_known *known; /* while it is read */
    size_t n_known;
    size_t size; /* of the text; 0: not read yet */
    enum mt_status status;
};

/* What the records of a text take, as a multiple of it: an estimate for the collector. */
#define TAKEN 4

static void records_mark(void *data)
{
    const struct records *records = data;
    rb_gc_mark(records->read);
    rb_gc_mark(records->string);
}

static void records_free(void *data)
{
    struct records *records = data;
    if (!records->read)
        mt_streams_free(&records->streams);
    free(records->known);
    rb_gc_adjust_memory_usage(-(ssize_t)(records->size * TAKEN));
    free(records);
}

static const rb_data_type_t records_type = {
    .wrap_struct_name = "MultiTenant::Records",
    .function = {.dmark = records_mark, .dfree = records_free},
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
    return rb_check_typeddata(self, &records_type);
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
    r->status =
        mt_streams_read_again(&r->streams, r->text, r->size, &r->bad_line, r->known, r->n_known);
    return NULL;
}

static size_t count_jobs(const struct mt_streams *streams)
{
    size_t count = 0;
    for (size_t i = 0; i < streams->count; i++)
        count += streams->items[i].count;
    return count;
}

static void add_known(struct records *records, VALUE other)
{
    const struct records *read = get_read(other);
    const struct mt_streams *streams = &read->streams;
    for (size_t i = 0; i < streams->count; i++) {
        const struct mt_stream *stream = &streams->items[i];
        for (size_t j = 0; stream->complete && j < stream->count; j++)
            records->known[records->n_known++] = (struct mt_known){read->text, &stream->records[j]};
    }
}

static void take_known(struct records *records, VALUE others)
{
    size_t count = 0;
    Check_Type(others, T_ARRAY);
    for (long i = 0; i < RARRAY_LEN(others); i++)
        count += count_jobs(&get_read(rb_ary_entry(others, i))->streams);
    records->known = new_list(count, sizeof *records->known);
    for (long i = 0; i < RARRAY_LEN(others); i++)
        add_known(records, rb_ary_entry(others, i));
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
                      key(stream->sees_all ? "all" : "own"), answer(stream->private_jobs),
                      LL2NUM(stream->generated), from_array(stream->wckeys, JSON_STRING),
                      text_or_nil(stream->publishers), text_or_nil(stream->round),
                      from_array(stream->groups, JSON_INTEGER),
                      stream->undetermined ? from_array(stream->undetermined, JSON_INTEGER) : Qnil,
                      SIZET2NUM(stream->count)));
}

VALUE streams_of(const struct mt_streams *streams)
{
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < streams->count; i++)
        rb_ary_push(out, stream_of(&streams->items[i]));
    return rb_obj_freeze(out);
}

/*
 * @param text [String]
 * @param known [Array<Records>] a line of a job that stands in one of them, too, is not parsed
 * again
 */
static VALUE records_initialize(int argc, VALUE *argv, VALUE self)
{
    struct records *records = get_records(self);
    VALUE text = Qnil;
    VALUE known = Qnil;
    rb_scan_args(argc, argv, "11", &text, &known);
    known = NIL_P(known) ? rb_ary_new() : rb_ary_dup(known);
    Check_Type(text, T_STRING);
    if (rb_ivar_defined(self, rb_intern("@text")))
        rb_raise(error_class, "The records were read already.");
    text = rb_str_new_frozen(text);
    rb_ivar_set(self, rb_intern("@text"), text);
    records->string = text;
    records->text = RSTRING_PTR(text);
    records->size = (size_t)RSTRING_LEN(text);
    rb_gc_adjust_memory_usage((ssize_t)(records->size * TAKEN));
    take_known(records, known);
    rb_thread_call_without_gvl(read_text, records, NULL, NULL);
    free(records->known);
    records->known = NULL;
    RB_GC_GUARD(text);
    RB_GC_GUARD(known);
    check(records->status);
    rb_ivar_set(self, rb_intern("@streams"), streams_of(&records->streams));
    return rb_obj_freeze(self);
}

/* @return [Array<Stream>] frozen */
static VALUE records_streams(VALUE self)
{
    (void)get_read(self);
    return rb_ivar_get(self, rb_intern("@streams"));
}

/* @param other [Records] that knew these when it was read, or that these knew
 * @return [Boolean] both are whole, and say the same of the same jobs at two times */
static VALUE records_same(VALUE self, VALUE other)
{
    return boolean(mt_streams_same(&get_read(self)->streams, &get_read(other)->streams));
}

/*
 * @param times [Array<Integer>] seconds since the epoch, of each stream
 * @return [Records] what says the same at these times; its text is the one that was read
 */
static VALUE records_at(VALUE self, VALUE times)
{
    const struct records *read = get_read(self);
    Check_Type(times, T_ARRAY);
    if ((size_t)RARRAY_LEN(times) != read->streams.count)
        rb_raise(rb_eArgError, "each stream has a time");
    VALUE later = records_alloc(rb_obj_class(self));
    struct records *records = get_records(later);
    records->read = read->read ? read->read : self;
    records->string = read->string;
    records->text = read->text;
    records->bad_line = read->bad_line;
    for (size_t i = 0; i < read->streams.count; i++) {
        records->streams.items[i] = read->streams.items[i];
        records->streams.items[i].generated = NUM2LL(rb_ary_entry(times, (long)i));
    }
    records->streams.count = read->streams.count;
    rb_ivar_set(later, rb_intern("@text"), read->string);
    rb_ivar_set(later, rb_intern("@streams"), streams_of(&records->streams));
    RB_GC_GUARD(self);
    return rb_obj_freeze(later);
}

/* @return [Integer, nil] the number of the first line that does not belong */
static VALUE records_bad_line(VALUE self)
{
    size_t line = get_read(self)->bad_line;
    return line ? SIZET2NUM(line) : Qnil;
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

static VALUE line_of(const struct mt_record *record, VALUE text)
{
    VALUE line = rb_str_subseq(text, (long)record->line_at, (long)record->line_len);
    rb_enc_associate(line, rb_utf8_encoding());
    return rb_obj_freeze(line);
}

static VALUE job_of(const struct mt_record *record, VALUE text)
{
    const struct mt_jobname *name = &record->parts;
    return rb_obj_freeze(rb_struct_new(
        record_class, line_of(record, text), UINT2NUM(record->job_id), ctext(record->user),
        UINT2NUM(record->uid), bytes(record->name, record->name_len), LL2NUM(record->start),
        record->is_share ? bytes(name->group, name->group_len) : Qnil, gid_of(record),
        answer(record->publisher_in_group), text_or_nil(record->wckey), key_id(record)));
}

static VALUE each_of(VALUE self, VALUE cluster, VALUE (*make)(const struct mt_record *, VALUE))
{
    const struct mt_streams *streams = &get_read(self)->streams;
    const char *wanted = StringValueCStr(cluster);
    VALUE text = rb_ivar_get(self, rb_intern("@text"));
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < streams->count; i++) {
        const struct mt_stream *stream = &streams->items[i];
        for (size_t j = 0; stream->complete && j < stream->count; j++) {
            if (strcmp(stream->cluster, wanted) == 0)
                rb_ary_push(out, make(&stream->records[j], text));
        }
    }
    RB_GC_GUARD(self);
    RB_GC_GUARD(cluster);
    return out;
}

/* @param cluster [String] Slurm's name @return [Array<Record>] those of its stream, where it is
 *   complete */
static VALUE records_of(VALUE self, VALUE cluster)
{
    return each_of(self, cluster, job_of);
}

/* @param cluster [String] Slurm's name @return [Array<String>] the lines of these */
static VALUE records_lines(VALUE self, VALUE cluster)
{
    return each_of(self, cluster, line_of);
}

const struct mt_streams *streams_in(VALUE records, size_t *bad_line)
{
    const struct records *read = get_read(records);
    *bad_line = read->bad_line;
    return &read->streams;
}

void init_records(VALUE module)
{
    VALUE records = rb_define_class_under(module, "Records", rb_cObject);
    stream_class = rb_struct_define_under(module, "Stream", "cluster", "complete", "sees",
                                          "private_jobs", "generated", "wckeys", "publishers",
                                          "round", "groups", "undetermined", "count", NULL);
    record_class =
        rb_struct_define_under(module, "Record", "line", "job_id", "user", "uid", "name", "start",
                               "group", "group_gid", "publisher_in_group", "wckey", "key_id", NULL);
    rb_gc_register_mark_object(stream_class);
    rb_gc_register_mark_object(record_class);
    rb_define_alloc_func(records, records_alloc);
    rb_define_method(records, "initialize", records_initialize, -1);
    rb_define_method(records, "streams", records_streams, 0);
    rb_define_method(records, "same?", records_same, 1);
    rb_define_method(records, "at", records_at, 1);
    rb_define_method(records, "bad_line", records_bad_line, 0);
    rb_define_method(records, "of", records_of, 1);
    rb_define_method(records, "lines", records_lines, 1);
    rb_define_attr(records, "text", 1, 0);
}
