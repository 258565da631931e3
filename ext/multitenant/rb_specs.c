/* SPDX-License-Identifier: MIT */
/* What MultiTenant::Core shows of a round to forms and views: specs, and the services that they
 * are. */
#include "card.h"
#include "policy.h"
#include "rb_core.h"
#include "service.h"

#include <inttypes.h>
#include <stdlib.h>

static VALUE release_json(VALUE json)
{
    json_decref((json_t *)json);
    return Qnil;
}

/* A name is bytes: what is not UTF-8 in it becomes U+FFFD, which is in no group's name. */
VALUE group_of(const struct mt_jobname *name)
{
    VALUE group = rb_utf8_str_new(name->group, (long)name->group_len);
    VALUE scrubbed = rb_str_scrub(group, Qnil);
    return rb_obj_freeze(NIL_P(scrubbed) ? group : scrubbed);
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

/* Whether its `host` is one of the job's own; nobody is sent to another one. */
static bool has_own_host(const struct mt_share *share, const struct mt_settings *s)
{
    return mt_policy_own_host(&share->record, &share->message, s) == MT_YES;
}

static VALUE wipe_buf(VALUE buf)
{
    mt_buf_wipe((struct mt_buf *)buf);
    return Qnil;
}

static VALUE text_of_buf(VALUE arg)
{
    const struct mt_buf *buf = (const struct mt_buf *)arg;
    return text(buf->data ? buf->data : "", buf->len);
}

/* Where it is met outside Open OnDemand, as the site's template has it; empty: nowhere. */
static VALUE address_of(const struct mt_record *record, const struct mt_settings *s)
{
    struct mt_address address;
    struct mt_buf buf = MT_BUF_INIT(MT_ADDRESS_MAX);
    const struct mt_jobname *name = &record->parts;
    if (s->address && record->is_share &&
        mt_address_read(name->label, name->label_len, &address) == MT_REASON_ok && !address.open &&
        mt_address_fill(s->address, record->user, address.service, name->group, name->group_len,
                        &buf) != MT_OK)
        mt_buf_wipe(&buf);
    return rb_ensure(text_of_buf, (VALUE)&buf, wipe_buf, (VALUE)&buf);
}

static VALUE info_of(const struct mt_share *share, const struct mt_settings *s)
{
    const struct mt_record *record = &share->record;
    const char *root = s->dataroot ? s->dataroot : "";
    const char *db[] = {root, MT_CARD_DB, share->card_id};
    char *outputs = mt_card_outputs(share, s);
    if (!outputs)
        rb_memerror();
    const char *output[] = {root, outputs, share->card_id};
    VALUE output_path = rb_ensure(path_of, (VALUE)output, free_text, (VALUE)outputs);
    const json_t *host = json_object_get(share->message.connection, "host");
    const VALUE pairs[] = {
        key("user"),         ctext(record->user),
        key("cluster"),      ctext(record->cluster),
        key("db"),           path_of((VALUE)db),
        key("output"),       output_path,
        key("message"),      from_json(json_object_get(record->json, "name")),
        key("message_size"), SIZET2NUM(record->name_len),
        key("uid"),          number_text((int64_t)record->uid),
        key("job"),          number_text((int64_t)record->job_id),
        key("restarts"),     number_text((int64_t)record->restarts),
        key("start"),        number_text(record->start),
        key("end"),          number_text(record->end),
        key("group"),        group_of(&record->parts),
        key("host"),         has_own_host(share, s) ? from_json(host) : ctext(""),
        key("title"),        ctext(mt_message_title(&share->message)),
        key("address"),      address_of(record, s),
    };
    /* The last one is there only where the site has addresses. */
    return hash_of(sizeof pairs / sizeof *pairs - (s->address ? 0 : 2), pairs);
}

static VALUE connection_of(const struct mt_share *share)
{
    json_t *connection = mt_card_connection(share);
    if (!connection)
        rb_memerror();
    return rb_ensure(hash_from_json, (VALUE)connection, release_json, (VALUE)connection);
}

static VALUE gate_of(const struct mt_message *message)
{
    const VALUE pairs[] = {key("port"), number_text(message->gate), key("door"),
                           from_json(message->door)};
    return HASH_OF(pairs);
}

static VALUE spec_of(const struct mt_share *share, const struct mt_settings *s)
{
    bool has_gate = share->message.door && has_own_host(share, s);
    const VALUE pairs[] = {key("info"),       info_of(share, s),
                           key("accounting"), hash_from_json((VALUE)share->message.accounting),
                           key("connection"), connection_of(share),
                           key("gate"),       has_gate ? gate_of(&share->message) : Qnil};
    return hash_of(has_gate ? 8 : 6, pairs);
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

static VALUE service_of(struct mt_share *const *members, size_t count)
{
    const struct mt_share *chosen = members[0];
    const struct mt_record *record = &chosen->record;
    VALUE keys = rb_ary_new();
    for (size_t i = 0; i < count; i++)
        rb_ary_push(keys, ctext(members[i]->key));
    const VALUE pairs[] = {
        key("title"),      ctext(mt_message_title(mt_service_look(chosen))),
        key("user"),       ctext(record->user),
        key("uid"),        number_text((int64_t)record->uid),
        key("app"),        ctext(chosen->message.app),
        key("group"),      group_of(&record->parts),
        key("end"),        number_text(record->end),
        key("members"),    rb_obj_freeze(keys),
        key("member"),     ctext(chosen->key),
        key("connection"), connection_of(chosen),
    };
    return HASH_OF(pairs);
}

static VALUE services_body(VALUE arg)
{
    const struct core *core = ((const struct call *)arg)->core;
    VALUE out = rb_hash_new();
    for (size_t i = 0; core->round && i < core->round->count; i++) {
        struct mt_share *share = &core->round->shares[i];
        const struct mt_service *service = share->service;
        if (share->listed && !service)
            rb_hash_aset(out, ctext(share->key), service_of(&share, 1));
        else if (share->listed && service->members[0] == share)
            rb_hash_aset(out, ctext(service->key), service_of(service->ranked, service->count));
    }
    return rb_obj_freeze(out);
}

/* @return [Hash] MultiTenant.services, frozen throughout */
static VALUE core_services(VALUE self)
{
    struct call call = {0};
    return use(self, &call, services_body);
}

void init_specs(VALUE core)
{
    rb_define_method(core, "specs", core_specs, 0);
    rb_define_method(core, "services", core_services, 0);
}
