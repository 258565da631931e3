/* SPDX-License-Identifier: MIT */
/* MultiTenant::Core#addresses: what a proxy is told of the jobs of a text of records. */
#include "binding.h"
#include "policy.h"
#include "rb_core.h"
#include "rb_records.h"

static VALUE address_class;

/* The first node's: where a batch script runs. */
static VALUE node_of(const struct mt_record *record)
{
    const char *addr = json_string_value(json_object_get(json_array_get(record->nodes, 0), "addr"));
    return text_or_nil(addr);
}

struct filled {
    const struct mt_record *record;
    const struct mt_address *address;
    struct mt_buf buf;
};

static VALUE fill_path(VALUE arg)
{
    struct filled *f = (struct filled *)arg;
    const struct mt_jobname *name = &f->record->parts;
    check(mt_address_fill(MT_ADDRESS_PATH, f->record->user, f->address->service, name->group,
                          name->group_len, &f->buf));
    return text(f->buf.data, f->buf.len);
}

static VALUE free_path(VALUE arg)
{
    mt_buf_wipe(&((struct filled *)arg)->buf);
    return Qnil;
}

static VALUE address_of(const struct mt_record *record, const struct mt_stream *stream,
                        const struct mt_settings *s)
{
    struct mt_address address;
    enum mt_reason reason = mt_policy_address(record, stream->publishers, s, &address);
    struct filled f = {record, &address, MT_BUF_INIT(MT_ADDRESS_MAX)};
    bool named = address.kind != NULL;
    VALUE path = named ? rb_ensure(fill_path, (VALUE)&f, free_path, (VALUE)&f) : Qnil;
    return rb_obj_freeze(rb_struct_new(
        address_class, ctext(record->cluster), UINT2NUM(record->job_id), ctext(record->user),
        UINT2NUM(record->uid), record->group_known == MT_YES ? UINT2NUM(record->group_gid) : Qnil,
        LL2NUM(record->start), LL2NUM(record->end), node_of(record), path,
        named ? ctext(address.service) : Qnil, named ? key(address.kind) : Qnil,
        named ? ctext(address.check) : Qnil, boolean(address.open), UINT2NUM(address.port),
        key(mt_reason_code(reason))));
}

static VALUE addresses_body(VALUE arg)
{
    const struct call *call = (const struct call *)arg;
    size_t bad_line;
    const struct mt_streams *streams = streams_in(call->arg, &bad_line);
    VALUE out = rb_ary_new();
    for (size_t i = 0; i < streams->count; i++) {
        const struct mt_stream *stream = &streams->items[i];
        for (size_t j = 0; stream->complete && j < stream->count; j++)
            rb_ary_push(out, address_of(&stream->records[j], stream, &call->core->settings));
    }
    return rb_obj_freeze(out);
}

/*
 * @param records [Records]
 * @return [Array<Address>] of each job of its complete streams; `reason` is "ok" where a proxy may
 * have it
 */
static VALUE core_addresses(VALUE self, VALUE records)
{
    struct call call = {.arg = records};
    return use(self, &call, addresses_body);
}

void init_address(VALUE module, VALUE core)
{
    address_class = rb_struct_define_under(module, "Address", "cluster", "job_id", "user", "uid",
                                           "gid", "start", "end", "node", "path", "service", "kind",
                                           "check", "open", "port", "reason", NULL);
    rb_gc_register_mark_object(address_class);
    rb_define_method(core, "addresses", core_addresses, 1);
}
