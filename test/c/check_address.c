/* SPDX-License-Identifier: MIT */
/* Links: address, buf, text. */
#include "address.h"

#include "helpers.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *vectors(void)
{
    static json_t *file;
    json_error_t error;
    if (!file)
        file = json_load_file(VECTORS "/address.json", JSON_ALLOW_NUL, &error);
    ck_assert_msg(file != NULL, "%s", error.text);
    return json_object_get(file, "vectors");
}

/* Of a block that ends where the label does. */
static enum mt_reason read_label(const json_t *label, struct mt_address *out)
{
    size_t len = json_string_length(label);
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, json_string_value(label), len);
    enum mt_reason reason = mt_address_read(block, len, out);
    free(block);
    return reason;
}

static const char *expected(const json_t *vector, const char *key)
{
    const char *text = json_string_value(json_object_get(vector, key));
    return text ? text : "";
}

START_TEST(test_labels_are_read_as_the_vectors_say)
{
    size_t i;
    const json_t *vector;
    static const char *const codes[] = {
#define X(code, temporary, sentence) [MT_REASON_##code] = #code,
        MT_REASON_TABLE(X)
#undef X
    };
    json_array_foreach(vectors(), i, vector)
    {
        const json_t *label = json_object_get(vector, "label");
        struct mt_address address;
        const char *code = codes[read_label(label, &address)];
        ck_assert_msg(strcmp(code, expected(vector, "reason")) == 0, "%zu %s: %s", i,
                      json_string_value(label), code);
        ck_assert_str_eq(address.service, expected(vector, "service"));
        ck_assert_str_eq(address.kind ? address.kind : "", expected(vector, "kind"));
        ck_assert_str_eq(address.check, expected(vector, "check"));
        ck_assert_int_eq(address.open, json_is_true(json_object_get(vector, "open")));
        ck_assert_int_eq(address.port, json_integer_value(json_object_get(vector, "port")));
    }
    ck_assert_uint_gt(i, 60);
}
END_TEST

static const struct {
    const char *form;
    const char *user;
    const char *group;
    const char *out;
} filled[] = {
    {MT_ADDRESS_PATH, "prof", "hpcGrp", "prof/a@hpcGrp"},
    {"https://x.example/{user}/{service}@{group}/", "a.b_c-d", "G",
     "https://x.example/a.b_c-d/a@G/"},
    {MT_ADDRESS_PATH, "DOM\\prof", "Domain Users", "DOM%5Cprof/a@Domain%20Users"},
    {MT_ADDRESS_PATH, "a/../b", "x@y:z", "a%2F..%2Fb/a@x%40y%3Az"},
    {MT_ADDRESS_PATH, "{service}", "gr\xc3\xbc\n%", "%7Bservice%7D/a@gr%C3%BC%0A%25"},
    {"{users}{user", "u", "g", "{users}{user"},
};

START_TEST(test_components_stay_components)
{
    struct mt_buf buf = MT_BUF_INIT(MT_ADDRESS_MAX);
    ck_assert_int_eq(mt_address_fill(filled[_i].form, filled[_i].user, "a", filled[_i].group,
                                     strlen(filled[_i].group), &buf),
                     MT_OK);
    ck_assert_uint_eq(buf.len, strlen(filled[_i].out));
    ck_assert_mem_eq(buf.data, filled[_i].out, buf.len);
    mt_buf_wipe(&buf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tests = add_case(suite, "address");
    tcase_add_test(tests, test_labels_are_read_as_the_vectors_say);
    tcase_add_loop_test(tests, test_components_stay_components, 0, (int)COUNT_OF(filled));
    return run_suite(suite);
}
