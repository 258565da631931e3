/* SPDX-License-Identifier: MIT */
/* What the binding's files have in common, and what Ruby finds when it loads the extension. */
#include "binding.h"
#include "card.h"
#include "dismissed.h"
#include "mt_limits.h"
#include "policy.h"
#include "text.h"

#include <stdlib.h>

VALUE error_class;

void check(enum mt_status status)
{
    if (status == MT_NOMEM)
        rb_memerror();
    if (status != MT_OK)
        rb_raise(error_class, "%s", mt_status_sentence(status));
}

VALUE hash_from_json(VALUE json)
{
    const char *k;
    json_t *value;
    VALUE out = rb_hash_new();
    json_object_foreach((json_t *)json, k, value) rb_hash_aset(out, ctext(k), from_json(value));
    return rb_obj_freeze(out);
}

char *copy_text(VALUE value)
{
    char *out = strdup(StringValueCStr(value));
    if (!out)
        rb_memerror();
    return out;
}

void *new_list(size_t n, size_t size)
{
    void *list = calloc(n + 1, size);
    if (!list)
        rb_memerror();
    return list;
}

size_t take_texts(const char *const **out, VALUE texts)
{
    Check_Type(texts, T_ARRAY);
    size_t n = (size_t)RARRAY_LEN(texts);
    const char **list = new_list(n, sizeof(char *));
    *out = list;
    for (size_t i = 0; i < n; i++)
        list[i] = copy_text(rb_ary_entry(texts, (long)i));
    return n;
}

void free_texts(const char *const *texts)
{
    for (const char *const *text = texts; text && *text; text++)
        free((char *)*text);
    free((void *)texts);
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

/* Where files are: cards' below OOD's data root, or by their name in an output directory. */
static VALUE paths(void)
{
    const VALUE pairs[] = {
        symbol("db"),   key(MT_CARD_DB),        symbol("dismissed"),  key(MT_DISMISSED_PATH),
        symbol("mark"), key(MT_CARD_MARK),      symbol("connection"), key(MT_CARD_CONNECTION),
        symbol("keys"), key(MT_KEYS_DIRECTORY),
    };
    return HASH_OF(pairs);
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

static VALUE ranges_of(const struct mt_text_range *ranges, size_t count)
{
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
    size_t count;
    VALUE module = rb_define_module("MultiTenant");
    VALUE core = rb_define_class_under(module, "Core", rb_cObject);
    VALUE native = rb_define_module_under(module, "Native");
    error_class = rb_define_class_under(module, "Error", rb_eStandardError);
    rb_gc_register_mark_object(error_class);
    init_records(module);
    init_core(core);
    init_round(core);
    init_specs(core);
    init_address(module, core);
    init_delivery(core);
    init_native(native);
    init_run(native);
    rb_define_const(core, "LIMITS", limits());
    rb_define_const(core, "PATHS", paths());
    rb_define_const(core, "RESERVED_KEYS", reserved_keys());
    const struct mt_text_range *ranges = mt_text_unseen(&count);
    rb_define_const(core, "UNSEEN", ranges_of(ranges, count));
    ranges = mt_text_marks(&count);
    rb_define_const(core, "MARKS", ranges_of(ranges, count));
}
