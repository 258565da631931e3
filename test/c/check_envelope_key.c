/* SPDX-License-Identifier: MIT */
/* Links: envelope and all that opens one. A key file is root's: as another user, little is tried.
 */
#include "envelope_key.h"

#include "envelope.h"
#include "helpers.h"
#include "mt_limits.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "sys/dashboard|students|"
#define MESSAGE                                                                              \
    "{\"v\":2,\"cluster\":\"hpc\",\"job\":4711,\"group\":\"students\",\"restarts\":0,"       \
    "\"id\":\"" SESSION "\",\"app\":\"App\",\"method\":\"card\",\"delivery\":\"" TOKEN "\"," \
    "\"conn\":{\"host\":\"n1\"}}"

static const unsigned char nonce[] = "twelve bytes";
static const struct mt_record good_record = {
    .cluster = "hpc",
    .job_id = 4711,
    .uid = 1001,
    .user = "prof",
    .group_known = MT_YES,
    .group_gid = GROUP_GID,
};

static struct mt_message message;
static struct mt_keyring ring;
static json_t *file;
static char *keys;
static char *path;

static void setup(void)
{
    char why[MT_WHY_SIZE];
    keys = temp_dir_new();
    ck_assert_int_eq(chmod(keys, 0755), 0);
    path = strdup(format("%s/%d", keys, GROUP_GID));
    write_text(path, json_string_value(json_object_get(file, "keys")), 0440);
    ck_assert_int_eq(chown(path, 0, GROUP_GID), 0);
    ck_assert_msg(mt_keyring_load(keys, GROUP_GID, &ring, why) == MT_OK, "%s", why);
}

static void teardown(void)
{
    mt_message_free(&message);
    temp_dir_free(keys);
    free(path);
}

/* Opens a block that ends where the name does, and looks at what is left behind. */
static const char *open_name(const struct mt_record *record, const char *name, size_t len)
{
    static const struct mt_message zeroed;
    const struct mt_settings settings = {.envelopes = 1u << MT_ENVELOPE_KEY, .keys = keys};
    const struct mt_opened none = {.items = NULL};
    struct mt_record named = *record;
    enum mt_reason reason = MT_REASON_malformed_name;
    enum mt_status status = MT_REFUSED;
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, name, len);
    mt_message_free(&message);
    size_t fds = count_fds();
    if (mt_jobname_split(block, len, &named.parts))
        status = mt_envelope_open(&named, &settings, &none, &message, &reason);
    ck_assert(status == MT_OK || status == MT_REFUSED);
    if (status == MT_OK)
        reason = MT_REASON_ok;
    free(block);
    ck_assert_uint_eq(count_fds(), fds);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    if (reason != MT_REASON_ok)
        ck_assert_mem_eq(&message, &zeroed, sizeof zeroed);
    return mt_reason_code(reason);
}

static const char *open_with(const struct mt_record *record, const char *name)
{
    return open_name(record, name, strlen(name));
}

/* A whole name, which the caller frees. */
static char *seal(const struct mt_record *record, const char *text)
{
    struct mt_buf out = MT_BUF_INIT(MT_JOBNAME_MAX);
    ck_assert_int_eq(mt_buf_append(&out, PREFIX, strlen(PREFIX)), MT_OK);
    ck_assert_int_eq(mt_envelope_key_seal(record, PREFIX, strlen(PREFIX), &ring.keys[0], nonce,
                                          text, strlen(text), &out),
                     MT_OK);
    ck_assert_int_eq(mt_buf_append(&out, "", 1), MT_OK);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return out.data;
}

START_TEST(test_vector)
{
    const json_t *vector = json_array_get(json_object_get(file, "vectors"), (size_t)_i);
    struct mt_record record = good_record;
    record.job_id = (uint32_t)json_integer_value(json_object_get(vector, "job_id"));
    record.uid = (uint32_t)json_integer_value(json_object_get(vector, "uid"));
    record.restarts = (uint32_t)json_integer_value(json_object_get(vector, "restarts"));
    const json_t *name = json_object_get(vector, "job_name");
    const char *got = open_name(&record, json_string_value(name), json_string_length(name));
    ck_assert_msg(strcmp(got, "ok") == 0, "%s: %s",
                  json_string_value(json_object_get(vector, "label")), got);
    json_t *text = json_loads(json_string_value(json_object_get(vector, "message")), 0, NULL);
    ck_assert(json_equal(message.connection, json_object_get(text, "conn")));
    ck_assert(json_equal(json_object_get(message.accounting, "mti"), json_object_get(text, "id")));
    json_decref(text);
}
END_TEST

/* What the core seals: the compressed bytes are zlib's, all around them is the vector's. */
START_TEST(test_sealed_by_the_core)
{
    char *name = seal(&good_record, MESSAGE);
    ck_assert_str_eq(open_with(&good_record, name), "ok");
    ck_assert_str_eq(message.app, "App");
    ck_assert_mem_eq(name, PREFIX "MTK1:obLD1HR3ZWx2ZSBieXRlc", strlen(PREFIX "MTK1:obLD1HR3"));
    free(name);
}
END_TEST

START_TEST(test_sealed_for_another)
{
    char *name = seal(&good_record, MESSAGE);
    struct mt_record record = good_record;
    record.job_id++;
    ck_assert_str_eq(open_with(&record, name), "bad_cipher");
    record = good_record;
    record.uid++;
    ck_assert_str_eq(open_with(&record, name), "bad_cipher");
    record = good_record;
    record.cluster = "hpc2";
    ck_assert_str_eq(open_with(&record, name), "bad_cipher");
    record = good_record;
    record.restarts = 1;
    ck_assert_str_eq(open_with(&record, name), "stale");
    free(name);
}
END_TEST

/* The info's parts can't run into each other: cluster h, job 14711 is not cluster h1, job 4711. */
START_TEST(test_parts_of_the_info)
{
    struct mt_record record = good_record;
    record.cluster = "h1";
    char *name = seal(&record, MESSAGE);
    record.cluster = "h";
    record.job_id = 14711;
    ck_assert_str_eq(open_with(&record, name), "bad_cipher");
    free(name);
}
END_TEST

START_TEST(test_every_bit_of_a_name)
{
    char *name = seal(&good_record, MESSAGE);
    size_t len = strlen(name);
    for (size_t at = 0; at < len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            name[at] = (char)(name[at] ^ 1 << bit);
            ck_assert_str_ne(open_name(&good_record, name, len), "ok");
            name[at] = (char)(name[at] ^ 1 << bit);
        }
    }
    while (--len > 0)
        ck_assert_str_ne(open_name(&good_record, name, len), "ok");
    free(name);
}
END_TEST

static const struct {
    const char *payload;
    const char *reason;
} payloads[] = {
    {"MTK1:", "bad_base64"},
    {"MTK1:A", "bad_base64"},
    {"MTK1:AB", "bad_base64"}, /* unused bits */
    {"MTK1:AAA=", "bad_base64"},
    {"MTK1:AAA+", "bad_base64"},
    {"MTK1:AAA/", "bad_base64"},
    {"MTK1:AAA\n", "bad_base64"},
    {"MTK1:AAAA", "bad_cipher"},
    {"MTK1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "bad_cipher"}, /* no ciphertext */
    {"MTK1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "envelope_unavailable"}, /* key id 0 */
    {"MTK1:obLD1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "bad_cipher"},
};

START_TEST(test_payload)
{
    ck_assert_str_eq(open_with(&good_record, format(PREFIX "%s", payloads[_i].payload)),
                     payloads[_i].reason);
}
END_TEST

/* By which an admin sees whether an old key is in use. */
START_TEST(test_key_id_of_a_payload)
{
    static const char good[] = "MTK1:obLD1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    unsigned char id[MT_KEY_ID_BYTES];
    ck_assert(mt_envelope_key_id(good, strlen(good), id));
    ck_assert_mem_eq(id, "\xa1\xb2\xc3\xd4", sizeof id);
    ck_assert(!mt_envelope_key_id(good, 20, id));
    ck_assert(!mt_envelope_key_id("AAAA", 4, id));
    ck_assert(!mt_envelope_key_id("MTK1:", 5, id));
}
END_TEST

START_TEST(test_without_a_key)
{
    char *name = seal(&good_record, MESSAGE);
    struct mt_record record = good_record;
    record.group_known = MT_UNKNOWN;
    ck_assert_str_eq(open_with(&record, name), "envelope_unavailable");
    record.group_known = MT_NO;
    ck_assert_str_eq(open_with(&record, name), "envelope_unavailable");
    ck_assert_int_eq(chmod(path, 0444), 0);
    ck_assert_str_eq(open_with(&good_record, name), "envelope_unavailable");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_str_eq(open_with(&good_record, name), "envelope_unavailable");
    char *set = keys;
    keys = NULL;
    ck_assert_str_eq(open_with(&good_record, name), "envelope_unavailable");
    keys = set;
    free(name);
}
END_TEST

/* Sealed with another key under the first one's id. */
START_TEST(test_another_key_of_the_same_id)
{
    ring.keys[0].bytes[31] ^= 1;
    char *name = seal(&good_record, MESSAGE);
    ck_assert_str_eq(open_with(&good_record, name), "bad_cipher");
    free(name);
}
END_TEST

START_TEST(test_what_is_inside)
{
    static const struct {
        const char *text;
        const char *reason;
    } texts[] = {{"", "bad_message"}, {"{}", "bad_message"}, {MESSAGE " ", "bad_message"}};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *name = seal(&good_record, texts[i].text);
        ck_assert_str_eq(open_with(&good_record, name), texts[i].reason);
        free(name);
    }
    char *large = repeat("x", MT_MESSAGE_MAX);
    char *name = seal(&good_record, large);
    ck_assert_str_eq(open_with(&good_record, name), "bad_message");
    free(name);
    free(large);
}
END_TEST

/* Compressed by the publisher's own means. */
START_TEST(test_not_compressed_as_it_should_be)
{
    size_t n;
    const json_t *hostile;
    json_array_foreach(json_object_get(file, "hostile"), n, hostile)
    {
        const json_t *name = json_object_get(hostile, "job_name");
        const char *got =
            open_name(&good_record, json_string_value(name), json_string_length(name));
        ck_assert_msg(strcmp(got, json_string_value(json_object_get(hostile, "reason"))) == 0,
                      "%s: %s", json_string_value(json_object_get(hostile, "label")), got);
    }
    ck_assert_uint_gt(n, 3);
}
END_TEST

START_TEST(test_what_can_not_be_sealed)
{
    struct mt_buf out = MT_BUF_INIT(MT_JOBNAME_MAX);
    char *text = repeat("x", MT_MESSAGE_MAX + 1);
    ck_assert_int_eq(mt_envelope_key_seal(&good_record, PREFIX, strlen(PREFIX), &ring.keys[0],
                                          nonce, text, MT_MESSAGE_MAX + 1, &out),
                     MT_TOO_LARGE);
    free(text);
    text = malloc(2048);
    srandom(1);
    for (size_t i = 0; i < 2048; i++)
        text[i] = (char)random();
    ck_assert_int_eq(mt_envelope_key_seal(&good_record, PREFIX, strlen(PREFIX), &ring.keys[0],
                                          nonce, text, 2048, &out),
                     MT_TOO_LARGE);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_int_eq(mt_envelope_key_seal(&good_record, PREFIX, MT_JOBNAME_MAX + 1, &ring.keys[0],
                                          nonce, text, 1, &out),
                     MT_TOO_LARGE);
    free(text);
    mt_buf_wipe(&out);
}
END_TEST

int main(void)
{
    file = json_load_file(VECTORS "/key.json", 0, NULL);
    const json_t *vectors = json_object_get(file, "vectors");
    Suite *suite = suite_create("envelope_key");
    TCase *tests = add_case(suite, "key");
    tcase_add_checked_fixture(tests, setup, teardown);
    if (can_be_root()) {
        tcase_add_loop_test(tests, test_vector, 0, vectors ? (int)json_array_size(vectors) : 1);
        tcase_add_test(tests, test_sealed_by_the_core);
        tcase_add_test(tests, test_sealed_for_another);
        tcase_add_test(tests, test_parts_of_the_info);
        tcase_add_test(tests, test_every_bit_of_a_name);
        tcase_add_loop_test(tests, test_payload, 0, (int)COUNT_OF(payloads));
        tcase_add_test(tests, test_key_id_of_a_payload);
        tcase_add_test(tests, test_without_a_key);
        tcase_add_test(tests, test_another_key_of_the_same_id);
        tcase_add_test(tests, test_what_is_inside);
        tcase_add_test(tests, test_not_compressed_as_it_should_be);
        tcase_add_test(tests, test_what_can_not_be_sealed);
    }
    int status = run_suite(suite);
    json_decref(file);
    return status;
}
