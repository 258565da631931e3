/* SPDX-License-Identifier: MIT */
/* MultiTenant::Native: what needs no core. */
#include "binding.h"
#include "clock.h"
#include "envelope.h"
#include "jobname.h"
#include "mt_limits.h"
#include "reason.h"
#include "text.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct opening {
    struct mt_settings settings;
    struct mt_record record;
    struct mt_message message;
    enum mt_reason reason;
};

/* What a message may say beside these two. */
static VALUE more(const struct mt_message *message)
{
    VALUE out = rb_hash_new();
    if (message->title)
        rb_hash_aset(out, key("title"), from_json(message->title));
    if (message->service)
        rb_hash_aset(out, key("service"), from_json(message->service));
    if (message->until)
        rb_hash_aset(out, key("until"), LL2NUM(message->until));
    if (message->lead)
        rb_hash_aset(out, key("lead"), LL2NUM(message->lead));
    return rb_obj_freeze(out);
}

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
    return rb_ary_new_from_args(4, key("ok"), hash_from_json((VALUE)o->message.accounting),
                                hash_from_json((VALUE)o->message.connection), more(&o->message));
}

static VALUE open_done(VALUE arg)
{
    mt_message_free(&((struct opening *)arg)->message);
    return Qnil;
}

/*
 * Opens a job name without asking for any right to it.
 * @return [Array] "ok", accounting, connection, and a Hash of "title", "service", "until" and
 * "lead" where it has them; or a reason's code alone
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

/* The group that a job name of a share names, in bytes, or what stands before it; nil: it is none.
 */
static VALUE part_of(VALUE name, bool label)
{
    struct mt_jobname parts;
    StringValue(name);
    VALUE out = Qnil;
    if (mt_jobname_split(RSTRING_PTR(name), (size_t)RSTRING_LEN(name), &parts))
        out = label ? rb_str_new(parts.label, (long)parts.label_len)
                    : rb_str_new(parts.group, (long)parts.group_len);
    RB_GC_GUARD(name);
    return out;
}

/* @return [String, nil] the group that a job name of a share names, in bytes */
static VALUE native_group_of(VALUE self, VALUE name)
{
    (void)self;
    return part_of(name, false);
}

/* @return [String, nil] what stands before the group there */
static VALUE native_label_of(VALUE self, VALUE name)
{
    (void)self;
    return part_of(name, true);
}

/* @return [Boolean] whether a service can have that title */
static VALUE native_title(VALUE self, VALUE text)
{
    (void)self;
    return boolean(mt_text_is_title(StringValueCStr(text), MT_APP_CHARS_MAX));
}

/* @return [Hash{String => Array(String, Boolean, Boolean)}] code => sentence, temporary?, outer? */
static VALUE native_reasons(VALUE self)
{
    VALUE out = rb_hash_new();
    (void)self;
    for (unsigned i = 0; i < MT_REASON_COUNT; i++) {
        enum mt_reason reason = (enum mt_reason)i;
        rb_hash_aset(out, key(mt_reason_code(reason)),
                     rb_ary_new_from_args(3, ctext(mt_reason_sentence(reason)),
                                          boolean(mt_reason_is_temporary(reason)),
                                          boolean(mt_reason_is_outer(reason))));
    }
    return out;
}

/* What changes with a file, or with a directory in which one is made or removed. */
struct version {
    uint64_t dev, ino;
    int64_t size, seconds, nanoseconds;
};

#define VERSION sizeof(struct version)

struct looking {
    const char *paths;
    size_t len;
    size_t count;
    char *versions; /* zeroed; those of what is not there stay so */
    int64_t ends;
    bool whole;
};

/* For one of another file, or -1: no file is there. */
static int open_directory(const char *path, size_t len, int other)
{
    char dir[PATH_MAX];
    if (other >= 0)
        close(other);
    if (len == 0)
        return AT_FDCWD;
    if (len >= sizeof dir)
        return -1;
    memcpy(dir, path, len);
    dir[len] = '\0';
    return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A directory is walked to once for all of its files that stand together. */
static void *look(void *arg)
{
    struct looking *l = arg;
    const char *end = l->paths + l->len;
    const char *dir = "";
    size_t dir_len = 0;
    int fd = AT_FDCWD;
    char *to = l->versions;
    for (const char *path = l->paths; path < end; path += strlen(path) + 1, to += VERSION) {
        const char *slash = strrchr(path, '/');
        size_t len = slash ? (size_t)(slash - path) : 0;
        struct stat st;
        if (mt_now() > l->ends)
            break;
        if (len != dir_len || memcmp(path, dir, len) != 0) {
            fd = open_directory(path, len, fd);
            dir = path;
            dir_len = len;
        }
        if (fstatat(fd, len ? slash + 1 : path, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        const struct version version = {st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec,
                                        st.st_mtim.tv_nsec};
        memcpy(to, &version, VERSION);
    }
    l->whole = to == l->versions + l->count * VERSION;
    if (fd >= 0)
        close(fd);
    return NULL;
}

/*
 * What says whether one of some files was changed: all are looked at in one call without Ruby's
 * lock.
 * @param paths [String] each with a NUL behind it; links are not followed
 * @param seconds [Float, nil] after which no other one is looked at; nil: it takes what it takes
 * @return [String, nil] nil: there was no time for all
 */
static VALUE native_versions(VALUE self, VALUE paths, VALUE seconds)
{
    (void)self;
    struct looking l = {.ends = INT64_MAX};
    if (!NIL_P(seconds))
        l.ends = mt_now() + (int64_t)(NUM2DBL(seconds) * (double)MT_SECOND);
    Check_Type(paths, T_STRING);
    paths = rb_str_new_frozen(paths);
    l.paths = RSTRING_PTR(paths);
    l.len = (size_t)RSTRING_LEN(paths);
    for (size_t i = 0; i < l.len; i++)
        l.count += l.paths[i] == '\0';
    VALUE versions = rb_str_new(NULL, (long)(l.count * VERSION));
    l.versions = RSTRING_PTR(versions);
    memset(l.versions, 0, l.count * VERSION);
    rb_thread_call_without_gvl(look, &l, RUBY_UBF_IO, NULL);
    RB_GC_GUARD(paths);
    return l.whole ? rb_obj_freeze(versions) : Qnil;
}

void init_native(VALUE native)
{
    rb_define_module_function(native, "open", native_open, 3);
    rb_define_module_function(native, "keys", native_keys, 2);
    rb_define_module_function(native, "group_of", native_group_of, 1);
    rb_define_module_function(native, "label_of", native_label_of, 1);
    rb_define_module_function(native, "versions", native_versions, 2);
    rb_define_module_function(native, "title?", native_title, 1);
    rb_define_module_function(native, "reasons", native_reasons, 0);
}
