/* SPDX-License-Identifier: MIT */
/* MultiTenant::Core: its settings, and how its methods use it. */
#include "rb_core.h"

#include "envelope.h"
#include "policy.h"

#include <stdlib.h>

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
    free_texts(s->node_domains);
    free_texts(s->installed);
    free((void *)s->gids);
    free((char *)s->keys);
    free((char *)s->publishers);
    free((char *)s->dataroot);
    free((char *)s->address);
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
    return rb_check_typeddata(self, &core_type);
}

static char *copy_or_null(VALUE value)
{
    return NIL_P(value) ? NULL : copy_text(value);
}

static VALUE fetch(VALUE hash, const char *name)
{
    return rb_hash_fetch(hash, symbol(name));
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

void take_clusters(struct mt_settings *s, VALUE clusters)
{
    Check_Type(clusters, T_ARRAY);
    size_t n = (size_t)RARRAY_LEN(clusters);
    struct mt_cluster *list = new_list(n, sizeof *list);
    free_clusters(s);
    s->clusters = list;
    for (size_t i = 0; i < n; i++) {
        VALUE pair = rb_ary_entry(clusters, (long)i);
        Check_Type(pair, T_ARRAY);
        if (RARRAY_LEN(pair) != 2)
            rb_raise(rb_eArgError, "a cluster is two names");
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
    (void)take_texts(&s->node_domains, fetch(settings, "node_domains"));
    take_envelopes(s, settings);
    s->publisher_in_group = RTEST(fetch(settings, "publisher_in_group"));
    s->one_directory = RTEST(fetch(settings, "one_directory"));
    s->per_cluster_dataroot = RTEST(fetch(settings, "per_cluster_dataroot"));
    VALUE keys = rb_hash_lookup(settings, symbol("keys"));
    s->keys = copy_text(NIL_P(keys) ? ctext(MT_KEYS_DIRECTORY) : keys);
    s->publishers = copy_or_null(fetch(settings, "publishers"));
    s->dataroot = copy_or_null(fetch(settings, "dataroot"));
    s->address = copy_or_null(rb_hash_lookup(settings, symbol("address")));
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

VALUE use(VALUE self, struct call *call, VALUE (*body)(VALUE))
{
    call->self = self;
    call->core = get_idle(self);
    call->core->busy = true;
    return rb_ensure(body, (VALUE)call, call_done, (VALUE)call);
}

void run(struct call *call, void *(*function)(void *))
{
    rb_thread_call_without_gvl(function, call, NULL, NULL);
    check(call->status);
}

/* @return [Boolean] a message may name this delivery app: its token (`sys/NAME`) is allowed */
static VALUE core_allows_delivery(VALUE self, VALUE token)
{
    const struct core *core = get(self);
    StringValue(token);
    bool text = !memchr(RSTRING_PTR(token), 0, (size_t)RSTRING_LEN(token));
    return boolean(text && mt_policy_allows_delivery(StringValueCStr(token), &core->settings));
}

void init_core(VALUE core)
{
    rb_define_alloc_func(core, core_alloc);
    rb_define_method(core, "initialize", core_initialize, 1);
    rb_define_method(core, "gids=", core_set_gids, 1);
    rb_define_method(core, "installed=", core_set_installed, 1);
    rb_define_method(core, "delivery?", core_allows_delivery, 1);
}
