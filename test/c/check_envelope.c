/* SPDX-License-Identifier: MIT */
/* Links: envelope and all that opens one. The v1 envelope; key and munge have suites of their own.
 */
#include "envelope.h"

#include "helpers.h"
#include "mt_limits.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE                                                                                 \
    "{'mtu':'1001,1002','mti':'" SESSION "','mta':'Ollama_API','mtm':'card','mtd':'" TOKEN "'}" \
    "|{'host':'n1','port':'5432','note':'a|b'}"

static struct mt_message message;
static enum mt_reason reason;
static json_t *vectors;
static const struct mt_opened none;

static void teardown(void)
{
    mt_message_free(&message);
}

/* Opens a payload of a job, and looks that nothing is left in OpenSSL's error queue. */
static enum mt_reason open_payload(uint32_t job_id, const char *user, const char *payload,
                                   unsigned accepted)
{
    static const struct mt_message zeroed;
    struct mt_record record = {.job_id = job_id, .user = user};
    const struct mt_settings settings = {.envelopes = accepted};
    char *block = malloc(strlen(payload) + 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, payload, strlen(payload));
    record.parts =
        (struct mt_jobname){.label = block, .payload = block, .payload_len = strlen(payload)};
    mt_message_free(&message);
    enum mt_status status = mt_envelope_open(&record, &settings, &none, &message, &reason);
    ck_assert(status == MT_OK || status == MT_REFUSED);
    if (status == MT_OK)
        reason = MT_REASON_ok;
    free(block);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    if (reason != MT_REASON_ok)
        ck_assert_mem_eq(&message, &zeroed, sizeof zeroed);
    return reason;
}

#define assert_reason(expected, actual) \
    ck_assert_str_eq(mt_reason_code(actual), mt_reason_code(MT_REASON_##expected))

static void assert_means(const char *expected)
{
    const char *bar = strstr(expected, "}|{");
    struct mt_message other;
    /* The parser has a suite of its own; here it is the measure. */
    ck_assert_ptr_nonnull(bar);
    ck_assert_int_eq(mt_message_parse_v1(expected, strlen(expected), &other), MT_OK);
    ck_assert(json_equal(message.accounting, other.accounting));
    ck_assert(json_equal(message.connection, other.connection));
    mt_message_free(&other);
}

START_TEST(test_vector)
{
    const json_t *vector = json_array_get(vectors, (size_t)_i);
    const char *text = json_string_value(json_object_get(vector, "job_name"));
    struct mt_jobname name;
    ck_assert(mt_jobname_split(text, strlen(text), &name));
    uint32_t job_id = (uint32_t)json_integer_value(json_object_get(vector, "job_id"));
    const char *user = json_string_value(json_object_get(vector, "user"));
    assert_reason(ok, open_payload(job_id, user, name.payload, MT_ENVELOPES_ALL));
    ck_assert(json_equal(message.accounting, json_object_get(vector, "accounting")));
    ck_assert(json_equal(message.connection, json_object_get(vector, "connection")));
}
END_TEST

/* The text as hexadecimal, which `openssl enc` fills up or cuts. */
static void to_hex(const char *text, char *out)
{
    for (; *text; text++, out += 2)
        (void)snprintf(out, 3, "%02x", (unsigned char)*text);
}

/* The payload as the publishers' shell makes it; the caller frees it. */
static char *seal_by_commands(uint32_t job_id, const char *user, const char *text)
{
    char key[1024] = "";
    char iv[64] = "";
    char *dir = temp_dir_new();
    char *out = calloc(1, 4096);
    write_text(format("%s/message", dir), text, 0600);
    to_hex(format("%u%s", job_id, user), key);
    to_hex(format("%u%u", job_id, job_id), iv);
    FILE *pipe =
        popen(format("gzip -c %s/message | openssl enc -aes-256-cbc -K %s -iv %s -base64 -A "
                     "2>/dev/null",
                     dir, key, iv),
              "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(out, 4096, pipe));
    ck_assert_int_eq(pclose(pipe), 0);
    temp_dir_free(dir);
    return out;
}

/* Around 32 bytes of job id and user, and around 16 of the job id twice. */
static const struct {
    uint32_t job_id;
    const char *user;
} jobs[] = {
    {1, "a"},
    {4711, "hpcfaculty"},
    {4711, "a-user-name-of-27-characters"},
    {4711, "a-user-name-of-28-characters."},
    {4711, "a-user-name-of-29-characters.."},
    {4711, "someone.with.a.very.long.name@a.very.long.domain.example.org"},
    {4294967295, "hpcfaculty"},
    {12345678, "hpcfaculty"},
    {123456789, "hpcfaculty"},
    {4711, "m\xc3\xbcller"},
};

START_TEST(test_sealed_by_the_commands_of_publishers)
{
    char *payload = seal_by_commands(jobs[_i].job_id, jobs[_i].user, MESSAGE);
    assert_reason(ok, open_payload(jobs[_i].job_id, jobs[_i].user, payload, MT_ENVELOPES_ALL));
    assert_means(MESSAGE);
    free(payload);
}
END_TEST

START_TEST(test_sealed_by_the_helper)
{
    char *payload = seal_v1(4711, "prof", MESSAGE, strlen(MESSAGE));
    assert_reason(ok, open_payload(4711, "prof", payload, MT_ENVELOPES_ALL));
    assert_means(MESSAGE);
    free(payload);
}
END_TEST

static void assert_not_opened(uint32_t job_id, const char *user, const char *payload)
{
    (void)open_payload(job_id, user, payload, MT_ENVELOPES_ALL);
    /* Wrong bytes look like good padding in one case of 256. */
    ck_assert(reason == MT_REASON_bad_cipher || reason == MT_REASON_bad_gzip);
}

START_TEST(test_sealed_for_another_job)
{
    char *payload = seal_v1(4711, "prof", MESSAGE, strlen(MESSAGE));
    for (uint32_t job_id = 1; job_id < 600; job_id++)
        assert_not_opened(job_id, "prof", payload);
    assert_not_opened(47110, "prof", payload);
    free(payload);
}
END_TEST

START_TEST(test_sealed_for_another_user)
{
    char *payload = seal_v1(4711, "prof", MESSAGE, strlen(MESSAGE));
    assert_not_opened(4711, "pro", payload);
    assert_not_opened(4711, "profs", payload);
    assert_not_opened(4711, "Prof", payload);
    assert_not_opened(4711, "", payload);
    free(payload);
}
END_TEST

static const char *const not_base64[] = {"%%%%",   "AAA",  "AAAA AAAA",
                                         "AAAA\n", "A===", "\xff\xff\xff\xff"};

START_TEST(test_bad_base64)
{
    assert_reason(bad_base64, open_payload(4711, "prof", not_base64[_i], MT_ENVELOPES_ALL));
}
END_TEST

START_TEST(test_bad_cipher)
{
    /* Not a whole number of blocks, and blocks of no sense. */
    static const char *const payloads[] = {"AAAA", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"};
    for (size_t i = 0; i < COUNT_OF(payloads); i++)
        assert_reason(bad_cipher, open_payload(4720, "hpcfaculty", payloads[i], MT_ENVELOPES_ALL));
}
END_TEST

START_TEST(test_bad_gzip)
{
    static const char *const texts[] = {"", "plain text", "\x1f\x8b\x08"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *payload = encrypt_v1(4711, "prof", texts[i], strlen(texts[i]));
        assert_reason(bad_gzip, open_payload(4711, "prof", payload, MT_ENVELOPES_ALL));
        free(payload);
    }
}
END_TEST

START_TEST(test_bytes_after_the_gzip_member)
{
    size_t len;
    unsigned char *member = gzip(MESSAGE, strlen(MESSAGE), &len);
    unsigned char *longer = calloc(1, len + 1);
    memcpy(longer, member, len);
    char *payload = encrypt_v1(4711, "prof", longer, len + 1);
    assert_reason(bad_gzip, open_payload(4711, "prof", payload, MT_ENVELOPES_ALL));
    free(payload);
    free(longer);
    free(member);
}
END_TEST

static enum mt_reason open_sealed(const char *text, size_t len)
{
    char *payload = seal_v1(4711, "prof", text, len);
    enum mt_reason got = open_payload(4711, "prof", payload, MT_ENVELOPES_ALL);
    free(payload);
    return got;
}

START_TEST(test_largest_message)
{
    char *text = repeat("x", MT_MESSAGE_MAX + 1);
    assert_reason(too_large, open_sealed(text, MT_MESSAGE_MAX + 1));
    assert_reason(bad_message, open_sealed(text, MT_MESSAGE_MAX));
    memcpy(text, MESSAGE, strlen(MESSAGE));
    memset(text + strlen(MESSAGE), ' ', MT_MESSAGE_MAX - strlen(MESSAGE));
    assert_reason(ok, open_sealed(text, MT_MESSAGE_MAX));
    free(text);
}
END_TEST

START_TEST(test_bad_message)
{
    assert_reason(bad_message, open_sealed("", 0));
    assert_reason(bad_message, open_sealed("[]", 2));
    assert_reason(bad_message, open_sealed(MESSAGE "x", strlen(MESSAGE) + 1));
}
END_TEST

START_TEST(test_an_envelope_that_is_not_accepted)
{
    static const char *const payloads[] = {
        [MT_ENVELOPE_MUNGE] = "MUNGE:AwQFAA==:",
        [MT_ENVELOPE_KEY] = "MTK1:AAAA",
        [MT_ENVELOPE_V1] = "AAAA",
    };
    for (unsigned i = 0; i < MT_ENVELOPE_COUNT; i++) {
        assert_reason(envelope_not_accepted, open_payload(4711, "prof", payloads[i], 0));
        unsigned others = MT_ENVELOPES_ALL & ~(1u << i);
        assert_reason(envelope_not_accepted, open_payload(4711, "prof", payloads[i], others));
    }
}
END_TEST

static const struct {
    const char *payload;
    enum mt_envelope envelope;
} marks[] = {
    {"MUNGE:", MT_ENVELOPE_MUNGE}, {"MUNGE:AwQFAA==:", MT_ENVELOPE_MUNGE},
    {"MTK1:", MT_ENVELOPE_KEY},    {"MTK1:AAAA", MT_ENVELOPE_KEY},
    {"", MT_ENVELOPE_V1},          {"MUNGE", MT_ENVELOPE_V1},
    {"MTK1", MT_ENVELOPE_V1},      {"munge:", MT_ENVELOPE_V1},
    {"MTK2:AAAA", MT_ENVELOPE_V1}, {" MUNGE:", MT_ENVELOPE_V1},
    {"AAAA", MT_ENVELOPE_V1},
};

START_TEST(test_mark)
{
    size_t len = strlen(marks[_i].payload);
    char *block = malloc(len + 1);
    memcpy(block, marks[_i].payload, len);
    ck_assert_int_eq(mt_envelope_of(block, len), marks[_i].envelope);
    free(block);
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(mt_envelope_name(MT_ENVELOPE_MUNGE), "munge");
    ck_assert_str_eq(mt_envelope_name(MT_ENVELOPE_KEY), "key");
    ck_assert_str_eq(mt_envelope_name(MT_ENVELOPE_V1), "v1");
}
END_TEST

/* The checksum inside finds any one changed byte; what matters is that nothing else happens. */
START_TEST(test_one_flipped_byte)
{
    char *payload = seal_v1(4711, "prof", MESSAGE, strlen(MESSAGE));
    for (size_t at = 0; payload[at]; at++) {
        for (int bit = 0; bit < 8; bit++) {
            payload[at] = (char)(payload[at] ^ 1 << bit);
            if (payload[at]) /* a shorter text is the next test's */
                ck_assert_int_ne(open_payload(4711, "prof", payload, MT_ENVELOPES_ALL),
                                 MT_REASON_ok);
            payload[at] = (char)(payload[at] ^ 1 << bit);
        }
    }
    free(payload);
}
END_TEST

START_TEST(test_cut_anywhere)
{
    char *payload = seal_v1(4711, "prof", MESSAGE, strlen(MESSAGE));
    for (size_t len = strlen(payload); len-- > 0;) {
        payload[len] = '\0';
        ck_assert_int_ne(open_payload(4711, "prof", payload, MT_ENVELOPES_ALL), MT_REASON_ok);
    }
    free(payload);
}
END_TEST

/* The caller's own errors stay: ruby/openssl may have some in the queue. */
START_TEST(test_errors_from_before_stay)
{
    struct mt_record record = {.job_id = 4720, .user = "hpcfaculty"};
    const struct mt_settings settings = {.envelopes = MT_ENVELOPES_ALL};
    const char *payload = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
    record.parts = (struct mt_jobname){.payload = payload, .payload_len = strlen(payload)};
    ERR_put_error(ERR_LIB_USER, 0, 42, __FILE__, __LINE__);
    unsigned long before = ERR_peek_last_error();
    ck_assert_uint_ne(before, 0);
    ck_assert_int_eq(mt_envelope_open(&record, &settings, &none, &message, &reason), MT_REFUSED);
    assert_reason(bad_cipher, reason);
    ck_assert_uint_eq(ERR_get_error(), before);
    ck_assert_uint_eq(ERR_get_error(), 0);
}
END_TEST

int main(void)
{
    json_t *file = json_load_file(VECTORS "/v1.json", 0, NULL);
    vectors = json_object_get(file, "vectors");
    Suite *suite = suite_create("envelope");
    TCase *tests = add_case(suite, "good");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, test_vector, 0, vectors ? (int)json_array_size(vectors) : 1);
    tcase_add_loop_test(tests, test_sealed_by_the_commands_of_publishers, 0, (int)COUNT_OF(jobs));
    tcase_add_test(tests, test_sealed_by_the_helper);
    tests = add_case(suite, "bad");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, test_sealed_for_another_job);
    tcase_add_test(tests, test_sealed_for_another_user);
    tcase_add_loop_test(tests, test_bad_base64, 0, (int)COUNT_OF(not_base64));
    tcase_add_test(tests, test_bad_cipher);
    tcase_add_test(tests, test_bad_gzip);
    tcase_add_test(tests, test_bytes_after_the_gzip_member);
    tcase_add_test(tests, test_largest_message);
    tcase_add_test(tests, test_bad_message);
    tcase_add_test(tests, test_one_flipped_byte);
    tcase_add_test(tests, test_cut_anywhere);
    tcase_add_test(tests, test_errors_from_before_stay);
    tests = add_case(suite, "which");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, test_an_envelope_that_is_not_accepted);
    tcase_add_loop_test(tests, test_mark, 0, (int)COUNT_OF(marks));
    tcase_add_test(tests, test_names);
    int status = run_suite(suite);
    json_decref(file);
    return status;
}
