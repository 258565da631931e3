/* SPDX-License-Identifier: MIT */
/*
 * Links: deliver and all that it needs. Fails the Nth allocation, for every N, of the whole way
 * from records to card files: of the core's own (malloc and its like are wrapped), jansson's,
 * libcrypto's and zlib's.
 *
 * Whatever fails, the answer is MT_NOMEM (MT_CRYPTO from libcrypto) or all is well: no crash, no
 * leak (for the tools that see them), and never a good share that is refused as if its publisher
 * had written it wrong. The next delivery, with memory, has the result that it always has.
 */
#include "deliver.h"
#include "envelope_key.h"
#include "failing.h"
#include "round.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* The allocations of libraries. */

int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = allocation_fails() ? -1 : vasprintf(out, format, args);
    va_end(args);
    return n;
}

static void *zlib_alloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return calloc(count, size);
}

static void zlib_free(void *opaque, void *block)
{
    (void)opaque;
    free(block);
}

int __real_inflateInit2_(z_stream *z, int window_bits, const char *version, int size);
int __wrap_inflateInit2_(z_stream *z, int window_bits, const char *version, int size);
int __wrap_inflateInit2_(z_stream *z, int window_bits, const char *version, int size)
{
    z->zalloc = zlib_alloc;
    z->zfree = zlib_free;
    return __real_inflateInit2_(z, window_bits, version, size);
}

int __real_deflateInit2_(z_stream *z, int level, int method, int window_bits, int memory,
                         int strategy, const char *version, int size);
int __wrap_deflateInit2_(z_stream *z, int level, int method, int window_bits, int memory,
                         int strategy, const char *version, int size);
int __wrap_deflateInit2_(z_stream *z, int level, int method, int window_bits, int memory,
                         int strategy, const char *version, int size)
{
    z->zalloc = zlib_alloc;
    z->zfree = zlib_free;
    return __real_deflateInit2_(z, level, method, window_bits, memory, strategy, version, size);
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *crypto_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(block, size);
}

static void crypto_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

/* One way through the core. */

enum stage { READING, LOADING, DECIDING, DELIVERING, STAGES };

static const char *const stage_names[] = {"reading", "loading", "deciding", "delivering"};

/* What the way gives. */
struct result {
    enum mt_status status; /* the first that is not MT_OK */
    size_t bad_line;
    bool complete;
    enum mt_reason specs;
    enum mt_reason card;
    bool told_failure;
};

static char *top;
static struct mt_settings settings;
static struct script script;
static json_t *key_file;
static const json_t *key_vector;
static char *keys;
static const char *munged = "";

static void note(const struct mt_event *event, void *arg)
{
    struct result *result = arg;
    result->told_failure |= event->action == MT_FAILED;
}

/* Fails the Nth allocation of a stage, which is the one to begin; 0: none. */
static void arm(bool is_stage, size_t n)
{
    if (is_stage && n > 0)
        fail_allocation(n);
    else
        stop_failing();
}

static enum mt_status walk_with(enum stage stage, size_t n, struct mt_streams *streams,
                                struct mt_dismissed *dismissed, struct mt_specs **specs,
                                struct result *out)
{
    arm(stage == READING, n);
    enum mt_status status = mt_streams_read(streams, script.text, script.len, &out->bad_line);
    if (status != MT_OK)
        return status;
    out->complete = streams->count == 1 && streams->items[0].complete;
    arm(stage == LOADING, n);
    if ((status = load_dismissed(top, dismissed)) != MT_OK)
        return status;
    arm(stage == DECIDING, n);
    struct mt_opened opened;
    size_t bad_line;
    if ((status = mt_opened_read(munged, strlen(munged), &opened, &bad_line)) != MT_OK)
        return status;
    out->bad_line += bad_line;
    if ((status = mt_specs_begin(NULL, streams, &settings, specs)) == MT_OK)
        status = mt_specs_decide(*specs, NULL, &settings, &opened, dismissed, 0);
    mt_opened_free(&opened);
    if (status != MT_OK)
        return status;
    const struct mt_share *share = mt_specs_find(*specs, "hpc", 4711);
    if (share) {
        out->specs = share->specs;
        out->card = share->card;
    }
    arm(stage == DELIVERING, n);
    return mt_deliver(*specs, &settings, false, note, out);
}

/* The whole way, with the Nth allocation of a stage failing; 0: none. */
static struct result walk(enum stage stage, size_t n)
{
    struct result result = {.specs = MT_REASON_ok, .card = MT_REASON_ok};
    struct mt_streams streams = {0};
    struct mt_dismissed dismissed = {0};
    struct mt_specs *specs = NULL;
    result.status = walk_with(stage, n, &streams, &dismissed, &specs, &result);
    stop_failing();
    mt_specs_free(&specs);
    mt_dismissed_free(&dismissed);
    mt_streams_free(&streams);
    return result;
}

/* Contexts: what is below the data root before the way is gone. */

static void set_script(const char *connection, bool running)
{
    struct sample sample = good_sample(4711);
    sample.connection = connection;
    script_free(&script);
    script_begin(&script, "hpc", "all");
    if (running)
        script_job(&script, &sample);
    script_end(&script);
}

static void dismiss(void)
{
    struct mt_dismissed list = {0};
    struct mt_dismissal gone = {"hpc", "multitenant", 4711, SESSION, NULL};
    ck_assert_int_eq(mt_dismissed_add(&list, &gone), MT_OK);
    ck_assert_int_eq(save_dismissed(top, &list), MT_OK);
    mt_dismissed_free(&list);
}

#define PLAIN "{'host':'n1','port':5432,'note':'a|b \\u2028'}"
#define OTHER "{'host':'n2'}"

static void nothing_there(void)
{
    set_script(PLAIN, true);
}

static void same_card_there(void)
{
    set_script(PLAIN, true);
    ck_assert_int_eq(walk(STAGES, 0).status, MT_OK);
}

static void other_card_there(void)
{
    set_script(OTHER, true);
    ck_assert_int_eq(walk(STAGES, 0).status, MT_OK);
    set_script(PLAIN, true);
}

static void ended_card_there(void)
{
    set_script(PLAIN, true);
    ck_assert_int_eq(walk(STAGES, 0).status, MT_OK);
    set_script(PLAIN, false);
}

static void legacy_card_there(void)
{
    set_script(PLAIN, true);
    make_dirs(format("%s/batch_connect/db", top));
    make_dirs(format("%s/batch_connect/" TOKEN "/output/" SESSION, top));
    write_text(format("%s/batch_connect/" TOKEN "/output/" SESSION "/connection.yml", top),
               "host: old", 0644);
    write_text(format("%s/batch_connect/db/" SESSION, top),
               "{\"token\":\"" TOKEN "\",\"job_id\":\"4711\"}", 0644);
}

static void own_session_there(void)
{
    set_script(PLAIN, true);
    make_dirs(format("%s/batch_connect/db", top));
    write_text(format("%s/batch_connect/db/" SESSION, top),
               "{\"token\":\"sys/jupyter\",\"job_id\":\"4711\"}", 0600);
}

static void dismissed_card(void)
{
    make_dirs(format("%s/batch_connect/" TOKEN "/output", top));
    make_dirs(format("%s/batch_connect/db", top));
    set_script(PLAIN, true);
    dismiss();
}

static void ended_dismissed_card(void)
{
    set_script(PLAIN, false);
    dismiss();
}

/* A job whose name is in another envelope. */
static void set_name(const char *name)
{
    struct sample sample = good_sample(4711);
    sample.name = name;
    script_free(&script);
    script_begin(&script, "hpc", "all");
    script_job(&script, &sample);
    script_end(&script);
}

static void key_envelope(void)
{
    set_name(json_string_value(json_object_get(key_vector, "job_name")));
}

/* For 2001 and one far from it. */
static void munge_envelope(void)
{
    set_name("sys/dashboard|students|MUNGE:AAAA:");
    munged = "{\"payload\":\"MUNGE:AAAA:\",\"uid\":1001,\"gid_only\":3000,\"text\":\""
             "{\\\"v\\\":2,\\\"cluster\\\":\\\"hpc\\\",\\\"job\\\":4711,"
             "\\\"group\\\":\\\"students\\\",\\\"restarts\\\":0,\\\"id\\\":\\\"" SESSION
             "\\\",\\\"app\\\":\\\"Ollama_API\\\",\\\"method\\\":\\\"card\\\","
             "\\\"delivery\\\":\\\"" TOKEN "\\\",\\\"gate\\\":18080,\\\"door\\\":"
             "\\\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\\\",\\\"to\\\":\\\"KvR__SZTxz_\\\","
             "\\\"conn\\\":{\\\"host\\\":\\\"n1\\\"}}\"}\n{\"end\":1}\n";
}

static void set_members(uint32_t first, size_t count)
{
    script_free(&script);
    script_begin(&script, "hpc", "all");
    for (size_t i = 0; i < count; i++) {
        struct sample sample = good_sample(first + (uint32_t)i);
        sample.connection = "{'host':'n1','mt_service':'spanish','mt_until':2000000000}";
        script_job(&script, &sample);
    }
    script_end(&script);
}

static void other_member_there(void)
{
    set_members(4710, 1);
    ck_assert_int_eq(walk(STAGES, 0).status, MT_OK);
    set_members(4711, 3);
}

static void refused_message(void)
{
    set_script("{'host':'n1','a-b':''}", true);
}

static const struct {
    const char *name;
    void (*prepare)(void);
} contexts[] = {
    {"nothing there", nothing_there},
    {"same card there", same_card_there},
    {"other card there", other_card_there},
    {"ended card there", ended_card_there},
    {"legacy card there", legacy_card_there},
    {"own session there", own_session_there},
    {"dismissed card", dismissed_card},
    {"ended dismissed card", ended_dismissed_card},
    {"another member's card there", other_member_there},
    {"refused message", refused_message},
    {"munge envelope", munge_envelope},
    {"key envelope", key_envelope},
};

static void open_context(int context)
{
    top = temp_dir_new();
    settings = viewer_settings();
    settings.dataroot = top;
    settings.keys = keys;
    munged = "";
    contexts[context].prepare();
}

static void close_context(void)
{
    temp_dir_free(top);
    top = NULL;
    script_free(&script);
}

/* What is below the data root after a way without a failure. */
static char *good_end(int context, struct result *result)
{
    open_context(context);
    *result = walk(STAGES, 0);
    ck_assert_int_eq(result->status, MT_OK);
    ck_assert(result->complete && !result->told_failure);
    char *picture = picture_of(top);
    close_context();
    return picture;
}

static bool is_below_top(const char *expected)
{
    char *picture = picture_of(top);
    bool same = strcmp(picture, expected) == 0;
    free(picture);
    return same;
}

/* What is wrong with the result of a way with a failure, or NULL. */
static const char *fault_of(const struct result *result, const struct result *good,
                            const char *expected)
{
    if (result->status == MT_NOMEM || result->status == MT_CRYPTO)
        return NULL;
    if (result->status != MT_OK)
        return format("status %d", (int)result->status);
    if (result->bad_line != 0 || !result->complete)
        return "taken for a malformed record";
    if (result->specs != good->specs)
        return mt_reason_code(result->specs);
    if (result->card != good->card)
        return format("card %s", mt_reason_code(result->card));
    if (!result->told_failure && !is_below_top(expected))
        return "other files";
    return NULL;
}

/* Appends to a list in which equal faults stand together: `fault: N N N`. */
static void add_fault(char *faults, size_t size, size_t n, const char *fault)
{
    static char last[64];
    if (*faults == '\0' || strcmp(last, fault) != 0)
        append(faults, size, "%s%s:", *faults ? "; " : "", fault);
    append(faults, size, " %zu", n);
    (void)snprintf(last, sizeof last, "%s", fault);
}

static void fail_each(enum stage stage, int context)
{
    struct result good;
    char faults[8192] = "";
    become_user();
    char *expected = good_end(context, &good);
    bool reached = true;
    for (size_t n = 1; reached; n++) {
        open_context(context);
        struct result result = walk(stage, n);
        reached = stop_failing();
        const char *fault = fault_of(&result, &good, expected);
        /* With memory again, all is as it always is. */
        if (walk(STAGES, 0).status != MT_OK || !is_below_top(expected))
            fault = "other files the next time";
        if (fault)
            add_fault(faults, sizeof faults, n, fault);
        close_context();
    }
    free(expected);
    become_root();
    ck_assert_msg(*faults == '\0', "%s, %s: %s", contexts[context].name, stage_names[stage],
                  faults);
}

/* The group's key, which the tests' user may read by their group. */
static void setup(void)
{
    keys = temp_dir_new();
    ck_assert_int_eq(chmod(keys, 0755), 0);
    const char *path = format("%s/%d", keys, GROUP_GID);
    write_text(path, json_string_value(json_object_get(key_file, "keys")), 0440);
    if (can_be_root()) {
        ck_assert_int_eq(chown(path, 0, GROUP_GID), 0);
        ck_assert_int_eq(setegid(GROUP_GID), 0);
    }
}

static void teardown(void)
{
    if (can_be_root())
        ck_assert_int_eq(setegid(0), 0);
    temp_dir_free(keys);
}

/* Stages in which an envelope makes no difference see one alone; a key file is root's. */
static const int opened[] = {0, COUNT_OF(contexts) - 2, COUNT_OF(contexts) - 3,
                             COUNT_OF(contexts) - 1};

START_TEST(test_reading)
{
    fail_each(READING, opened[_i]);
}
END_TEST

START_TEST(test_loading)
{
    fail_each(LOADING, _i);
}
END_TEST

START_TEST(test_deciding)
{
    fail_each(DECIDING, opened[_i]);
}
END_TEST

START_TEST(test_delivering)
{
    fail_each(DELIVERING, _i);
}
END_TEST

/* The same for the removal of everything. */
START_TEST(test_removing_all)
{
    become_user();
    bool reached = true;
    for (size_t n = 1; reached; n++) {
        struct result result = {.status = MT_OK};
        open_context(_i);
        arm(true, n);
        result.status = mt_deliver_nothing(&settings, false, note, &result);
        reached = stop_failing();
        ck_assert_msg(result.status == MT_OK || result.status == MT_NOMEM, "allocation %zu", n);
        ck_assert_int_eq(mt_deliver_nothing(&settings, false, note, &result), MT_OK);
        ck_assert_msg(!exists(format("%s/batch_connect/db/" SESSION, top)), "allocation %zu", n);
        ck_assert_msg(!exists(format("%s/batch_connect/" TOKEN "/output/" SESSION, top)),
                      "allocation %zu", n);
        close_context();
    }
    become_root();
}
END_TEST

START_TEST(test_sealing)
{
    static const char text[] = "{\"v\":2}";
    static const unsigned char nonce[MT_KEY_NONCE_BYTES] = "twelve bytes";
    struct mt_record record = {.cluster = "hpc", .job_id = 4711, .uid = PUBLISHER};
    struct mt_key key = {.id = "key"};
    struct mt_buf good = MT_BUF_INIT(MT_JOBNAME_MAX);
    ck_assert_int_eq(
        mt_envelope_key_seal(&record, "l|g|", 4, &key, nonce, text, strlen(text), &good), MT_OK);
    bool reached = true;
    for (size_t n = 1; reached; n++) {
        struct mt_buf out = MT_BUF_INIT(MT_JOBNAME_MAX);
        arm(true, n);
        enum mt_status status =
            mt_envelope_key_seal(&record, "l|g|", 4, &key, nonce, text, strlen(text), &out);
        reached = stop_failing();
        if (status == MT_OK)
            ck_assert(out.len == good.len && memcmp(out.data, good.data, out.len) == 0);
        else
            ck_assert_msg(status == MT_NOMEM || status == MT_CRYPTO, "allocation %zu: %d", n,
                          (int)status);
        mt_buf_wipe(&out);
    }
    mt_buf_wipe(&good);
}
END_TEST

START_TEST(test_keyring)
{
    struct mt_keyring ring;
    char why[MT_WHY_SIZE];
    bool reached = true;
    for (size_t n = 1; reached; n++) {
        arm(true, n);
        enum mt_status status = mt_keyring_load(keys, GROUP_GID, &ring, why);
        reached = stop_failing();
        ck_assert_int_eq(status, reached ? MT_NOMEM : MT_OK);
        mt_keyring_wipe(&ring);
    }
}
END_TEST

int main(void)
{
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
        return EXIT_FAILURE;
    json_set_alloc_funcs(malloc, free);
    key_file = json_load_file(VECTORS "/key.json", 0, NULL);
    key_vector = json_array_get(json_object_get(key_file, "vectors"), 0);
    Suite *suite = suite_create("alloc");
    TCase *tests = add_case(suite, "way");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    const int envelopes = can_be_root() ? 4 : 3;
    const int at_rest = (int)COUNT_OF(contexts) - 2;
    tcase_add_loop_test(tests, test_reading, 0, 2);
    tcase_add_loop_test(tests, test_loading, 0, at_rest);
    tcase_add_loop_test(tests, test_deciding, 0, envelopes);
    tcase_add_loop_test(tests, test_delivering, 0, at_rest);
    tcase_add_test(tests, test_sealing);
    if (can_be_root())
        tcase_add_test(tests, test_keyring);
    tcase_add_loop_test(tests, test_removing_all, 1, 2);
    int status = run_suite(suite);
    json_decref(key_file);
    return status;
}
