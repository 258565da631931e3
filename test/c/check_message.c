/* SPDX-License-Identifier: MIT */
/* Links: message, buf. */
#include "message.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

#define ACC "{'mtu':'1001,1002','mti':'x','mta':'App','mtm':'card','mtd':'sys/d'}"
#define CONN "{'host':'n1'}"

static struct mt_message message;

static void teardown(void)
{
    mt_message_free(&message);
}

/* Parses a block that ends where the text does. */
static enum mt_status parse_bytes(const char *text, size_t len)
{
    static const struct mt_message zeroed;
    char *block = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(block);
    memcpy(block, text, len);
    mt_message_free(&message);
    enum mt_status status = mt_message_parse_v1(block, len, &message);
    free(block);
    if (status != MT_OK)
        ck_assert_mem_eq(&message, &zeroed, sizeof zeroed);
    return status;
}

static enum mt_status parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

START_TEST(test_good_message)
{
    ck_assert_int_eq(parse(ACC "|{'host':'n1','port':'5432'}"), MT_OK);
    ck_assert_str_eq(message.recipients, "1001,1002");
    ck_assert_str_eq(message.session, "x");
    ck_assert_str_eq(message.app, "App");
    ck_assert_str_eq(message.method, "card");
    ck_assert_str_eq(message.delivery, "sys/d");
    ck_assert_uint_eq(json_object_size(message.accounting), 5);
    ck_assert_uint_eq(json_object_size(message.connection), 2);
}
END_TEST

START_TEST(test_keys_stay_in_the_publishers_order)
{
    static const char *const keys[] = {"z", "host", "b", "a", "y"};
    size_t i = 0;
    const char *key;
    json_t *value;
    ck_assert_int_eq(parse(ACC "|{'z':'1','host':'2','b':3,'a':true,'y':'5'}"), MT_OK);
    json_object_foreach(message.connection, key, value)
    {
        ck_assert_str_eq(key, keys[i++]);
    }
}
END_TEST

/* Connections, and what they mean as strict JSON. */
static const struct {
    const char *text;
    const char *json;
} good[] = {
    {"{}", "{}"},
    /* quotes: either kind, each inside the other */
    {"{'host':'n1','port':'5432'}", "{\"host\":\"n1\",\"port\":\"5432\"}"},
    {"{\"host\":\"n1\"}", "{\"host\":\"n1\"}"},
    {"{'a':\"b\",\"c\":'d'}", "{\"a\":\"b\",\"c\":\"d\"}"},
    {"{\"a\":\"it's\"}", "{\"a\":\"it's\"}"},
    {"{'a':'say \"hi\"'}", "{\"a\":\"say \\\"hi\\\"\"}"},
    {"{'a':'\"','b':\"'\"}", "{\"a\":\"\\\"\",\"b\":\"'\"}"},
    {"{'a':'','b':\"\"}", "{\"a\":\"\",\"b\":\"\"}"},
    /* the separator inside strings is none */
    {"{'a':'x|y'}", "{\"a\":\"x|y\"}"},
    {"{\"a\":\"|\",'|':'b'}", "{\"a\":\"|\",\"|\":\"b\"}"},
    {"{'a':'x\\\\'}", "{\"a\":\"x\\\\\"}"},
    /* numbers and truth as their text */
    {"{'port':5432}", "{\"port\":\"5432\"}"},
    {"{'a':0,'b':-1}", "{\"a\":\"0\",\"b\":\"-1\"}"},
    {"{'a':9223372036854775807}", "{\"a\":\"9223372036854775807\"}"},
    {"{'a':-9223372036854775808}", "{\"a\":\"-9223372036854775808\"}"},
    {"{'a':true,'b':false}", "{\"a\":\"true\",\"b\":\"false\"}"},
    /* escapes: our own sender writes these */
    {"{'a':'\\u0027\\u0022\\u007c\\u005c\\u0020'}", "{\"a\":\"'\\\"|\\\\ \"}"},
    {"{'a':'\\\"\\\\\\/\\b\\f\\n\\r\\t'}", "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\"}"},
    {"{'a':'\\ud83d\\ude00'}", "{\"a\":\"\xf0\x9f\x98\x80\"}"},
    {"{'\\u0061':'b'}", "{\"a\":\"b\"}"},
    /* raw characters */
    {"{'a':'\x01\x1f\t\n\r'}", "{\"a\":\"\\u0001\\u001f\\t\\n\\r\"}"},
    {"{\"a\":\"\n\"}", "{\"a\":\"\\n\"}"},
    {"{'a':'\x7f \xc3\xbc\xf0\x9f\x98\x80'}", "{\"a\":\"\x7f \xc3\xbc\xf0\x9f\x98\x80\"}"},
    /* white space outside strings */
    {" { 'a' :\t'b' , 'c' : 1 }\n", "{\"a\":\"b\",\"c\":\"1\"}"},
};

START_TEST(test_good_connection)
{
    json_t *expected = json_loads(good[_i].json, 0, NULL);
    ck_assert_ptr_nonnull(expected);
    ck_assert_int_eq(parse(format(ACC "|%s", good[_i].text)), MT_OK);
    ck_assert_msg(json_equal(message.connection, expected), "%s", good[_i].text);
    json_decref(expected);
}
END_TEST

/* What old readers did: every ' became a ", and the text was cut at its }|{. */
START_TEST(test_means_what_old_readers_understood)
{
    char text[] = ACC "|{'host':'n1','url':'http://n1:80/?a=b|c','n':'\\u0027'}";
    ck_assert_int_eq(parse(text), MT_OK);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    char *cut = strstr(text, "}|{");
    json_t *accounting = json_loadb(text, (size_t)(cut + 1 - text), 0, NULL);
    json_t *connection = json_loads(cut + 2, 0, NULL);
    ck_assert(json_equal(message.accounting, accounting));
    ck_assert(json_equal(message.connection, connection));
    json_decref(accounting);
    json_decref(connection);
}
END_TEST

START_TEST(test_all_in_double_quotes)
{
    ck_assert_int_eq(parse("{\"mtu\":\"\",\"mti\":\"x\",\"mta\":\"it's\",\"mtm\":\"card\","
                           "\"mtd\":\"sys/d\"}|{\"host\":\"n1\"}"),
                     MT_OK);
    ck_assert_str_eq(message.app, "it's");
}
END_TEST

/* The title stands in the connection, as old readers drop what they don't know in ACCOUNTING. */
START_TEST(test_title_is_lifted_out_of_the_connection)
{
    ck_assert_int_eq(parse(ACC "|{'host':'n1','mt_title':'Spanish\\u0020301','port':1}"), MT_OK);
    ck_assert_str_eq(mt_message_title(&message), "Spanish 301");
    ck_assert_uint_eq(json_object_size(message.connection), 2);
    ck_assert_uint_eq(json_object_size(message.accounting), 5);
    ck_assert_int_eq(parse(ACC "|{'mt_title':301}"), MT_OK);
    ck_assert_str_eq(mt_message_title(&message), "301");
    ck_assert_int_eq(parse(ACC "|{'mt_title':''}"), MT_OK);
    ck_assert_str_eq(mt_message_title(&message), "");
    ck_assert_int_eq(parse(ACC "|{'mt_title':'a\\u0000b'}"), MT_MALFORMED);
    ck_assert_int_eq(parse(ACC "|{'mt_title':null}"), MT_MALFORMED);
}
END_TEST

START_TEST(test_without_a_title_it_is_called_by_its_app)
{
    ck_assert_int_eq(parse(ACC "|" CONN), MT_OK);
    ck_assert_ptr_null(message.title);
    ck_assert_str_eq(mt_message_title(&message), "App");
}
END_TEST

/* Apps and connections, and what tenants see. */
static const struct {
    const char *app;
    const char *connection;
    const char *words;
} kinds[] = {
    {"RShiny_App", "{}", "Web application"},
    {"App_API", "{}", "Service for programs"},
    {"Ollama_API", "{}", "Language model"},
    {"Class", "{}", "Lesson"},
    {"DB_Conn", "{}", "Database"},
    {"DB_Conn", "{'jdbc_url':'jdbc:mariadb://n1/x'}", "Database: MariaDB"},
    {"DB_Conn", "{'jdbc_url':'jdbc:oracle://n1/x'}", "Database"},
    {"DB_JDBC", "{'jdbc_url':'jdbc:postgresql://n1/x'}", "Database: PostgreSQL (JDBC)"},
    {"DB_JDBC", "{'mt_title':'mine'}", "mine"},
    {"db_conn", "{}", "db_conn"},
    {"MariaDB", "{'jdbc_url':'jdbc:mysql://n1/x'}", "MariaDB"},
};

START_TEST(test_without_a_title_it_is_called_what_it_is)
{
    ck_assert_int_eq(parse(format("{'mtu':'','mti':'x','mta':'%s','mtm':'card','mtd':'sys/d'}|%s",
                                  kinds[_i].app, kinds[_i].connection)),
                     MT_OK);
    ck_assert_str_eq(mt_message_title(&message), kinds[_i].words);
    ck_assert_str_eq(message.app, kinds[_i].app);
}
END_TEST

static const char *const bad_connections[] = {
    /* types */
    "{'a':1.5}",
    "{'a':1.0}",
    "{'a':1e5}",
    "{'a':1e999}",
    "{'a':null}",
    "{'a':{}}",
    "{'a':{'b':'c'}}",
    "{'a':[]}",
    "{'a':['b']}",
    "{'a':'b','c':null}",
    "{'a':9223372036854775808}",
    /* not an object */
    "",
    " ",
    "[]",
    "['a']",
    "'a'",
    "1",
    "true",
    "null",
    /* the same key twice, also under another spelling */
    "{'a':'b','a':'b'}",
    "{'a':'b','c':'d','\\u0061':'b'}",
    "{'a':1,\"a\":2}",
    /* trailing bytes */
    "{'a':'b'}x",
    "{'a':'b'}}",
    "{'a':'b'}{}",
    "{'a':'b'}'x'",
    "{'a':'b'},",
    /* a second separator */
    "{'a':'b'}|",
    "{'a':'b'}|{}",
    "|{'a':'b'}",
    "{'a'|'b'}",
    /* not JSON */
    "{a:'b'}",
    "{'a':b}",
    "{'a':}",
    "{'a'}",
    "{'a':'b',}",
    "{,}",
    "{'a' 'b'}",
    "{'a':'b' 'c'}",
    "{'a':007}",
    "{'a':+1}",
    "{'a':0x10}",
    "{'a':NaN}",
    "{'a':True}",
    "{'a':'b'}//",
    "{'a':'b'",
    /* strings */
    "{'a':'b}",
    "{'a':\"b}",
    "{'a':'b\"}",
    "{'a':'b\\",
    "{'a':'b\\'}",
    "{'a':'\\'b'}",
    "{'a':'\\x41'}",
    "{'a':'\\u12'}",
    "{'a':'\\u12g4'}",
    "{'a':'\\ud83d'}",
    "{'a':'\\ude00\\ud83d'}",
    "{'\\u0000':'b'}",
    "{'a\\u0000b':'c'}",
    /* not UTF-8 */
    "{'a':'\xff'}",
    "{'a':'\xc3'}",
    "{'a':'\xc0\x80'}",
    "{'a':'\xed\xa0\x80'}",
    "{'a':'\xf4\x90\x80\x80'}",
    "{'\x80':'b'}",
};

START_TEST(test_bad_connection)
{
    ck_assert_int_eq(parse(format(ACC "|%s", bad_connections[_i])), MT_MALFORMED);
}
END_TEST

START_TEST(test_nul_in_a_value)
{
    ck_assert_int_eq(parse(ACC "|{'a':'x\\u0000y'}"), MT_OK);
    const json_t *value = json_object_get(message.connection, "a");
    ck_assert_uint_eq(json_string_length(value), 3);
    ck_assert_mem_eq(json_string_value(value), "x\0y", 3);
}
END_TEST

START_TEST(test_raw_nul)
{
    static const char in_value[] = ACC "|{'a':'x\0y'}";
    static const char in_key[] = ACC "|{'a\0':'y'}";
    static const char outside[] = ACC "|{'a':'y'\0}";
    static const char after[] = ACC "|{'a':'y'}\0";
    ck_assert_int_eq(parse_bytes(in_value, sizeof in_value - 1), MT_OK);
    ck_assert_uint_eq(json_string_length(json_object_get(message.connection, "a")), 3);
    ck_assert_int_eq(parse_bytes(in_key, sizeof in_key - 1), MT_MALFORMED);
    ck_assert_int_eq(parse_bytes(outside, sizeof outside - 1), MT_MALFORMED);
    ck_assert_int_eq(parse_bytes(after, sizeof after - 1), MT_MALFORMED);
}
END_TEST

static const char *const bad_accountings[] = {
    "",
    "[]",
    "'x'",
    "{}",
    "{'mti':'x','mta':'a','mtm':'card','mtd':'d'}",
    "{'mtu':'1','mta':'a','mtm':'card','mtd':'d'}",
    "{'mtu':'1','mti':'x','mtm':'card','mtd':'d'}",
    "{'mtu':'1','mti':'x','mta':'a','mtd':'d'}",
    "{'mtu':'1','mti':'x','mta':'a','mtm':'card'}",
    "{'mtu':1,'mti':'x','mta':'a','mtm':'card','mtd':'d'}",
    "{'mtu':['1'],'mti':'x','mta':'a','mtm':'card','mtd':'d'}",
    "{'mtu':'1','mti':null,'mta':'a','mtm':'card','mtd':'d'}",
    "{'mtu':'1','mti':'x','mta':true,'mtm':'card','mtd':'d'}",
    "{'mtu':'1','mti':'x','mta':'a','mtm':{},'mtd':'d'}",
    "{'mtu':'1','mti':'x','mta':'a','mtm':'card','mtd':1.5}",
    "{'mtu':'1','mti':'x','mta':'a','mtm':'card','mtd':'d','more':1}",
    "{'mtu':'1','mti':'x','mta':'a','mtm':'card','mtd':'d','mtu':'2'}",
    "{'mtu':'1','mti':'x','mta':'a','mtm':'card','mtd':'d'}x",
    "{'mtu':'1','mti':'x\\u0000','mta':'a','mtm':'card','mtd':'d'}",
    "{'mtu':'1','mti':'x','mta':'a','mtm':'card','mtd':'d','more':'\\u0000'}",
    "{'MTU':'1','mti':'x','mta':'a','mtm':'card','mtd':'d'}",
};

START_TEST(test_bad_accounting)
{
    ck_assert_int_eq(parse(format("%s|" CONN, bad_accountings[_i])), MT_MALFORMED);
}
END_TEST

START_TEST(test_more_accounting_is_dropped)
{
    ck_assert_int_eq(parse("{'x':'y','mtu':'','mti':'x','mta':'a','mtm':'card','mtd':'d'}|" CONN),
                     MT_OK);
    ck_assert_uint_eq(json_object_size(message.accounting), 5);
    ck_assert_ptr_null(json_object_get(message.accounting, "x"));
}
END_TEST

static const char *const no_messages[] = {"",      "|", "||",     "x",   "{}",
                                          "{}|{}", ACC, ACC CONN, "'|'", "'" ACC "|" CONN "'"};

START_TEST(test_no_message)
{
    ck_assert_int_eq(parse(no_messages[_i]), MT_MALFORMED);
}
END_TEST

START_TEST(test_cut_anywhere)
{
    const char *text = ACC "|{'host':'n1','port':5432}";
    for (size_t len = 0; len < strlen(text); len++)
        ck_assert_int_eq(parse_bytes(text, len), MT_MALFORMED);
}
END_TEST

static const struct {
    const char *mtu;
    bool ok;
} recipients[] = {
    {"", true},       {"0", true},      {"1001", true},       {"1001,1002", true},
    {",", true},      {",1001,", true}, {"4294967295", true}, {"1001, 1002", false},
    {" 1001", false}, {"-1", false},    {"+1", false},        {"1001;1002", false},
    {"all", false},   {"0x3e9", false}, {"1001\\n", false},   {"\xd9\xa1", false},
    {"1.5", false},   {"*", false},
};

START_TEST(test_characters_of_recipients)
{
    ck_assert_int_eq(parse(format("{'mtu':'%s','mti':'x','mta':'a','mtm':'card','mtd':'d'}|" CONN,
                                  recipients[_i].mtu)),
                     recipients[_i].ok ? MT_OK : MT_MALFORMED);
}
END_TEST

static const struct {
    const char *mtu;
    uint32_t uid;
    bool holds;
} lists[] = {
    {"", 0, false},
    {",", 0, false},
    {",,", 0, false},
    {"0", 0, true},
    {"1001", 1001, true},
    {"1001,1002,1003", 1001, true},
    {"1001,1002,1003", 1002, true},
    {"1001,1002,1003", 1003, true},
    {"1001,1002,1003", 1004, false},
    {",1001,", 1001, true},
    {"11001,10011,100,001", 1001, false},
    {"10,01", 1001, false},
    {"4294967295", UINT32_MAX, true},
    /* no arithmetic: 2^32 + 1001 is nobody */
    {"4294968297", 1001, false},
    {"42949672951001", 1001, false},
};

START_TEST(test_is_for)
{
    ck_assert_int_eq(parse(format("{'mtu':'%s','mti':'x','mta':'a','mtm':'card','mtd':'d'}|" CONN,
                                  lists[_i].mtu)),
                     MT_OK);
    ck_assert_int_eq(mt_message_is_for(&message, lists[_i].uid), lists[_i].holds);
}
END_TEST

/* A message of `len` bytes whose one value is full of `c`. */
static char *message_of_size(size_t len, char c)
{
    const char *begin = ACC "|{'a':'";
    size_t fixed = strlen(begin) + strlen("'}");
    char *text = malloc(len + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, c, len);
    memcpy(text, begin, strlen(begin));
    memcpy(text + len - 2, "'}", 3);
    ck_assert_uint_gt(len, fixed);
    return text;
}

/* A control character takes six times its room as JSON. */
START_TEST(test_longest_message)
{
    static const char fills[] = {'x', '"', '|', '\x01'};
    char *text = message_of_size(MT_MESSAGE_MAX, fills[_i]);
    ck_assert_int_eq(parse_bytes(text, MT_MESSAGE_MAX), MT_OK);
    free(text);
}
END_TEST

START_TEST(test_over_long_message)
{
    char *text = message_of_size(MT_MESSAGE_MAX + 1, 'x');
    ck_assert_int_eq(parse_bytes(text, MT_MESSAGE_MAX + 1), MT_TOO_LARGE);
    free(text);
}
END_TEST

START_TEST(test_deep_nesting)
{
    char *deep = repeat("[", MT_MESSAGE_MAX / 2);
    char *text = NULL;
    ck_assert_int_gt(asprintf(&text, ACC "|{'a':%s", deep), 0);
    ck_assert_int_eq(parse(text), MT_MALFORMED);
    free(text);
    free(deep);
}
END_TEST

START_TEST(test_a_copy_outlives_its_message)
{
    ck_assert_int_eq(parse(ACC "|" CONN), MT_OK);
    struct mt_message copy = mt_message_copy(&message);
    mt_message_free(&message);
    ck_assert_ptr_null(message.accounting);
    ck_assert_str_eq(copy.app, "App");
    ck_assert_str_eq(json_string_value(json_object_get(copy.connection, "host")), "n1");
    mt_message_free(&copy);
    mt_message_free(&copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *tests = add_case(suite, "good");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, test_good_message);
    tcase_add_test(tests, test_keys_stay_in_the_publishers_order);
    tcase_add_loop_test(tests, test_good_connection, 0, (int)COUNT_OF(good));
    tcase_add_test(tests, test_means_what_old_readers_understood);
    tcase_add_test(tests, test_all_in_double_quotes);
    tcase_add_test(tests, test_title_is_lifted_out_of_the_connection);
    tcase_add_test(tests, test_without_a_title_it_is_called_by_its_app);
    tcase_add_loop_test(tests, test_without_a_title_it_is_called_what_it_is, 0,
                        (int)COUNT_OF(kinds));
    tcase_add_test(tests, test_nul_in_a_value);
    tcase_add_test(tests, test_more_accounting_is_dropped);
    tcase_add_test(tests, test_a_copy_outlives_its_message);
    tests = add_case(suite, "bad");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, test_bad_connection, 0, (int)COUNT_OF(bad_connections));
    tcase_add_loop_test(tests, test_bad_accounting, 0, (int)COUNT_OF(bad_accountings));
    tcase_add_loop_test(tests, test_no_message, 0, (int)COUNT_OF(no_messages));
    tcase_add_test(tests, test_raw_nul);
    tcase_add_test(tests, test_cut_anywhere);
    tests = add_case(suite, "recipients");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, test_characters_of_recipients, 0, (int)COUNT_OF(recipients));
    tcase_add_loop_test(tests, test_is_for, 0, (int)COUNT_OF(lists));
    tests = add_case(suite, "limits");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, test_longest_message, 0, 4);
    tcase_add_test(tests, test_over_long_message);
    tcase_add_test(tests, test_deep_nesting);
    return run_suite(suite);
}
