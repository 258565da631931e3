/* SPDX-License-Identifier: MIT */
/* Links: policy, jobname, text, reason, message, buf. */
#include "policy.h"

#include "helpers.h"
#include "mt_limits.h"

#include <stdlib.h>
#include <string.h>

#define NAME "sys/dashboard|hpcGrp|AAAA"

static struct mt_settings settings;
static struct mt_record record;
static struct mt_message message;

/* A record and a message that pass, for VIEWER. */
static void setup(void)
{
    settings = viewer_settings();
    record = (struct mt_record){
        .cluster = "hpc",
        .user = "prof",
        .name = NAME,
        .name_len = strlen(NAME),
        .job_id = 4711,
        .uid = PUBLISHER,
        .group_known = MT_YES,
        .group_gid = GROUP_GID,
        .publisher_in_group = MT_YES,
        .publisher_allowed = MT_UNKNOWN,
    };
    message = (struct mt_message){
        .connection = json_object(),
        .recipients = "2001,2002",
        .session = SESSION,
        .app = "Ollama_API",
        .method = "card",
        .delivery = TOKEN,
    };
}

static void teardown(void)
{
    json_decref(message.connection);
}

#define assert_reason(expected, actual) \
    ck_assert_str_eq(mt_reason_code(actual), mt_reason_code(MT_REASON_##expected))

static enum mt_reason gate(const char *publishers)
{
    record.is_share = mt_jobname_split(record.name, record.name_len, &record.parts);
    return mt_policy_gate(&record, publishers, &settings);
}

static enum mt_reason check(void)
{
    return mt_policy_message(&record, &message, &settings);
}

static void own_job(void)
{
    record.uid = VIEWER;
}

/* An address of the site's proxy. */

#define LABELLED(label) label "|hpcGrp|AAAA"
#define ADDRESS LABELLED("mt:notes:web:8080")

/* Whoever looks: these viewers are in no group. */
static const struct {
    const char *name;
    const char *user;
    enum mt_answer group;
    enum mt_answer in_group;
    enum mt_answer allowed; /* of "faculty" */
    const char *publishers; /* what the site asks for */
    bool out_of_time;
    enum mt_reason reason;
} addresses[] = {
    {ADDRESS, "prof", MT_YES, MT_YES, MT_UNKNOWN, NULL, false, MT_REASON_ok},
    {ADDRESS, "prof", MT_YES, MT_YES, MT_YES, "faculty", false, MT_REASON_ok},
    {ADDRESS, "prof", MT_YES, MT_YES, MT_YES, "staff", false, MT_REASON_lookup_failed},
    {ADDRESS, "prof", MT_YES, MT_YES, MT_NO, "faculty", false, MT_REASON_publisher_not_allowed},
    {ADDRESS, "prof", MT_YES, MT_NO, MT_YES, "faculty", false, MT_REASON_publisher_not_member},
    {ADDRESS, "prof", MT_NO, MT_NO, MT_YES, "faculty", false, MT_REASON_publisher_not_member},
    {ADDRESS, "prof", MT_YES, MT_UNKNOWN, MT_YES, NULL, false, MT_REASON_lookup_failed},
    {ADDRESS, "prof", MT_UNKNOWN, MT_YES, MT_YES, NULL, true, MT_REASON_out_of_time},
    {ADDRESS, "", MT_YES, MT_YES, MT_YES, NULL, false, MT_REASON_lookup_failed},
    {LABELLED("mt:notes:web:22"), "prof", MT_YES, MT_YES, MT_YES, NULL, false,
     MT_REASON_port_not_allowed},
    {LABELLED("mt:notes"), "prof", MT_YES, MT_YES, MT_YES, NULL, false, MT_REASON_bad_address},
    {NAME, "prof", MT_YES, MT_YES, MT_YES, NULL, false, MT_REASON_no_address},
    {"mt:notes:web:8080", "prof", MT_YES, MT_YES, MT_YES, NULL, false, MT_REASON_malformed_name},
};

START_TEST(test_address)
{
    struct mt_address address;
    settings.n_gids = 0;
    settings.publishers = addresses[_i].publishers;
    record.name = addresses[_i].name;
    record.name_len = strlen(record.name);
    record.user = addresses[_i].user;
    record.group_known = addresses[_i].group;
    record.publisher_in_group = addresses[_i].in_group;
    record.publisher_allowed = addresses[_i].allowed;
    record.out_of_time = addresses[_i].out_of_time;
    record.is_share = mt_jobname_split(record.name, record.name_len, &record.parts);
    memset(&address, 0x55, sizeof address);
    enum mt_reason reason = mt_policy_address(&record, "faculty", &settings, &address);
    ck_assert_str_eq(mt_reason_code(reason), mt_reason_code(addresses[_i].reason));
    if (reason == MT_REASON_ok)
        ck_assert_uint_eq(address.port, 8080);
    if (reason == MT_REASON_malformed_name || reason == MT_REASON_no_address)
        ck_assert_uint_eq(address.port, 0);
}
END_TEST

/* The gate. */

START_TEST(test_gate_ok)
{
    assert_reason(ok, gate(NULL));
    ck_assert_uint_eq(record.parts.group_len, strlen("hpcGrp"));
    ck_assert_mem_eq(record.parts.group, "hpcGrp", record.parts.group_len);
    ck_assert_mem_eq(record.parts.payload, "AAAA", 4);
}
END_TEST

START_TEST(test_name_length)
{
    char *payload = repeat("A", MT_JOBNAME_MAX);
    char *name = NULL;
    ck_assert_int_gt(asprintf(&name, "l|g|%s", payload), 0);
    record.name = name;
    record.name_len = MT_JOBNAME_MAX;
    assert_reason(ok, gate(NULL));
    record.name_len = MT_JOBNAME_MAX + 1;
    assert_reason(name_too_long, gate(NULL));
    own_job();
    assert_reason(name_too_long, gate(NULL));
    free(name);
    free(payload);
}
END_TEST

START_TEST(test_malformed_name)
{
    record.name = "sys/dashboard";
    record.name_len = strlen(record.name);
    assert_reason(malformed_name, gate(NULL));
    own_job();
    assert_reason(malformed_name, gate(NULL));
}
END_TEST

START_TEST(test_a_long_name_need_not_be_well_formed)
{
    char *name = repeat("x", MT_JOBNAME_MAX + 1);
    record.name = name;
    record.name_len = MT_JOBNAME_MAX + 1;
    assert_reason(name_too_long, gate(NULL));
    free(name);
}
END_TEST

START_TEST(test_not_member)
{
    record.group_gid = GROUP_GID + 1;
    assert_reason(not_member, gate(NULL));
}
END_TEST

START_TEST(test_member_of_nothing)
{
    settings.n_gids = 0;
    assert_reason(not_member, gate(NULL));
}
END_TEST

START_TEST(test_no_such_group)
{
    /* Group 0 is what an unset number looks like. */
    static const uint32_t gids[] = {0};
    settings.gids = gids;
    settings.n_gids = 1;
    record.group_known = MT_NO;
    record.group_gid = 0;
    assert_reason(not_member, gate(NULL));
}
END_TEST

START_TEST(test_group_not_learned)
{
    record.group_known = MT_UNKNOWN;
    record.group_gid = 0;
    assert_reason(lookup_failed, gate(NULL));
    record.out_of_time = true;
    assert_reason(out_of_time, gate(NULL));
}
END_TEST

START_TEST(test_publisher_not_member)
{
    record.publisher_in_group = MT_NO;
    assert_reason(publisher_not_member, gate(NULL));
    settings.publisher_in_group = false;
    assert_reason(ok, gate(NULL));
}
END_TEST

START_TEST(test_membership_of_publisher_not_learned)
{
    record.publisher_in_group = MT_UNKNOWN;
    assert_reason(lookup_failed, gate(NULL));
    record.out_of_time = true;
    assert_reason(out_of_time, gate(NULL));
    settings.publisher_in_group = false;
    assert_reason(ok, gate(NULL));
}
END_TEST

/* What is final for this viewer does not wait for an answer about the publisher. */
START_TEST(test_the_viewers_group_comes_first)
{
    record.group_gid = GROUP_GID + 1;
    record.publisher_in_group = MT_UNKNOWN;
    assert_reason(not_member, gate(NULL));
    record.publisher_in_group = MT_NO;
    assert_reason(not_member, gate(NULL));
}
END_TEST

START_TEST(test_out_of_time_matters_only_for_what_is_unknown)
{
    record.out_of_time = true;
    assert_reason(ok, gate(NULL));
    record.publisher_in_group = MT_NO;
    assert_reason(publisher_not_member, gate(NULL));
}
END_TEST

/* Nothing can be opened without the user's name, and so not the viewer's own job either. */
START_TEST(test_user_not_learned)
{
    record.user = "";
    assert_reason(lookup_failed, gate(NULL));
    record.out_of_time = true;
    assert_reason(out_of_time, gate(NULL));
    own_job();
    assert_reason(out_of_time, gate(NULL));
    record.name_len = 3;
    assert_reason(malformed_name, gate(NULL));
}
END_TEST

static const struct {
    const char *setting;
    const char *asked; /* the group that the stream speaks of */
    enum mt_answer answer;
    enum mt_reason reason;
} publishers[] = {
    {NULL, NULL, MT_UNKNOWN, MT_REASON_ok},
    {NULL, "faculty", MT_NO, MT_REASON_ok},
    {"faculty", "faculty", MT_YES, MT_REASON_ok},
    {"faculty", "faculty", MT_NO, MT_REASON_publisher_not_allowed},
    {"faculty", "faculty", MT_UNKNOWN, MT_REASON_lookup_failed},
    /* an answer about another group, or about none, is no answer */
    {"faculty", "staff", MT_YES, MT_REASON_lookup_failed},
    {"faculty", "staff", MT_NO, MT_REASON_lookup_failed},
    {"faculty", NULL, MT_YES, MT_REASON_lookup_failed},
    {"faculty", "facult", MT_YES, MT_REASON_lookup_failed},
};

START_TEST(test_publishers)
{
    settings.publishers = publishers[_i].setting;
    record.publisher_allowed = publishers[_i].answer;
    enum mt_reason reason = gate(publishers[_i].asked);
    ck_assert_str_eq(mt_reason_code(reason), mt_reason_code(publishers[_i].reason));
}
END_TEST

START_TEST(test_publishers_come_after_the_group)
{
    settings.publishers = "faculty";
    record.publisher_allowed = MT_NO;
    record.group_gid = GROUP_GID + 1;
    assert_reason(not_member, gate("faculty"));
    record.group_gid = GROUP_GID;
    record.publisher_in_group = MT_NO;
    assert_reason(publisher_not_member, gate("faculty"));
}
END_TEST

START_TEST(test_own_job_passes_the_group)
{
    own_job();
    record.group_gid = GROUP_GID + 1;
    record.publisher_in_group = MT_NO;
    assert_reason(ok, gate(NULL));
    record.group_known = MT_NO;
    assert_reason(ok, gate(NULL));
    record.group_known = MT_UNKNOWN;
    record.publisher_in_group = MT_UNKNOWN;
    assert_reason(ok, gate(NULL));
}
END_TEST

START_TEST(test_own_job_of_one_who_may_not_publish)
{
    own_job();
    settings.publishers = "faculty";
    record.publisher_allowed = MT_NO;
    assert_reason(publisher_not_allowed, gate("faculty"));
}
END_TEST

/* The message. */

START_TEST(test_message_ok)
{
    assert_reason(ok, check());
    message.method = "form";
    assert_reason(ok, check());
}
END_TEST

START_TEST(test_not_recipient)
{
    static const char *const others[] = {"", "2002", "20011", "1,200,120012"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        message.recipients = others[i];
        assert_reason(not_recipient, check());
    }
}
END_TEST

START_TEST(test_own_job_needs_no_recipient)
{
    own_job();
    message.recipients = "";
    assert_reason(ok, check());
}
END_TEST

START_TEST(test_own_job_is_checked_all_the_same)
{
    own_job();
    message.session = "../../x";
    assert_reason(bad_session_id, check());
}
END_TEST

static const char *const bad_sessions[] = {"",
                                           "x",
                                           "../../../../.ssh/authorized_keys",
                                           "0C3A8B1E-7D42-4C8E-9A51-2B6F0D9E8C11",
                                           SESSION "/",
                                           SESSION ".bak"};

START_TEST(test_bad_session_id)
{
    message.session = bad_sessions[_i];
    assert_reason(bad_session_id, check());
}
END_TEST

static const char *const bad_apps[] = {"",     " ",    "a ",   "<b>x</b>",       "a&b",
                                       "a\"b", "a\\b", "a\nb", "a\xe2\x80\xaez", "a\xc2\xa0z"};

START_TEST(test_bad_app_name)
{
    message.app = bad_apps[_i];
    assert_reason(bad_app_name, check());
}
END_TEST

/* It stands where an app's name does. */
START_TEST(test_bad_title)
{
    message.title = json_string(bad_apps[_i]);
    assert_reason(bad_title, check());
    json_decref(message.title);
    message.title = json_string("Spanish 301");
    assert_reason(ok, check());
    json_decref(message.title);
}
END_TEST

START_TEST(test_length_of_app_name)
{
    char *longest = repeat("\xc3\xbc", MT_APP_CHARS_MAX);
    char *over = repeat("\xc3\xbc", MT_APP_CHARS_MAX + 1);
    message.app = longest;
    assert_reason(ok, check());
    message.app = over;
    assert_reason(bad_app_name, check());
    free(longest);
    free(over);
}
END_TEST

static const char *const bad_methods[] = {"", "Card", "FORM", "card ", "both", "cards"};

START_TEST(test_bad_method)
{
    message.method = bad_methods[_i];
    assert_reason(bad_method, check());
}
END_TEST

/* The first thing that is wrong is what is told. */
START_TEST(test_order)
{
    message = (struct mt_message){.connection = message.connection,
                                  .recipients = "",
                                  .session = "x",
                                  .app = "",
                                  .method = "",
                                  .delivery = ""};
    ck_assert_int_eq(json_object_set_new(message.connection, "a", json_string("\x01")), 0);
    ck_assert_int_eq(json_object_set_new(message.connection, "b", json_string("")), 0);
    assert_reason(not_recipient, check());
    message.recipients = "2001";
    assert_reason(bad_session_id, check());
    message.session = SESSION;
    assert_reason(bad_app_name, check());
    message.app = "App";
    message.title = json_string("");
    message.lead = -1;
    assert_reason(bad_title, check());
    json_decref(message.title);
    message.title = NULL;
    assert_reason(bad_service, check());
    message.lead = 0;
    assert_reason(bad_method, check());
    message.method = "card";
    assert_reason(delivery_not_allowed, check());
    message.delivery = TOKEN;
    assert_reason(bad_connection_value, check());
}
END_TEST

/* The delivery. */

static const struct {
    const char *pattern;
    const char *token;
    bool allowed;
} deliveries[] = {
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_default", true},
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_", true},
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_a.b-C_9", true},
    {"sys/multitenant-delivery_*", "sys/jupyter", false},
    {"sys/multitenant-delivery_*", "", false},
    {"sys/multitenant-delivery_*", "multitenant-delivery_default", false},
    {"sys/multitenant-delivery_*", "dev/multitenant-delivery_default", false},
    {"sys/multitenant-delivery_*", "usr/bob/multitenant-delivery_default", false},
    {"sys/multitenant-delivery_*", "/sys/multitenant-delivery_default", false},
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_a/b", false},
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_/../../..", false},
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_\n", false},
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_ x", false},
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_\xc3\xbc", false},
    {"sys/multitenant-delivery_*", "sys/multitenant-delivery_'", false},
    {"sys/multitenant-delivery_*", "SYS/multitenant-delivery_x", false},
    /* whatever a pattern says, a token is sys/ and one harmless component */
    {"*", "sys/x", false},
    {"*/*", "sys/x", true},
    {"*/*", "usr/x", false},
    {"sys/*", "sys/x", true},
    {"sys/*", "sys/", false},
    {"sys/*", "sys/.", false},
    {"sys/*", "sys/..", false},
    {"sys/*", "sys/.hidden", false},
    {"sys/*", "sys/a/b", false},
    {"sys/*/*", "sys/a/b", false},
    {"sys/x", "sys/x", true},
    {"sys/x", "sys/xy", false},
    {"sys/[ab]", "sys/b", true},
    {"sys/[ab]", "sys/c", false},
    {"sys/a?", "sys/ab", true},
    {"", "sys/x", false},
};

START_TEST(test_delivery)
{
    settings.deliveries = &deliveries[_i].pattern;
    ck_assert_msg(mt_policy_allows_delivery(deliveries[_i].token, &settings) ==
                      deliveries[_i].allowed,
                  "%s, %s", deliveries[_i].pattern, deliveries[_i].token);
    message.delivery = deliveries[_i].token;
    ck_assert_int_eq(check(),
                     deliveries[_i].allowed ? MT_REASON_ok : MT_REASON_delivery_not_allowed);
}
END_TEST

START_TEST(test_any_of_several_patterns)
{
    static const char *const patterns[] = {"sys/a", "sys/b*"};
    settings.deliveries = patterns;
    settings.n_deliveries = 2;
    ck_assert(mt_policy_allows_delivery("sys/a", &settings));
    ck_assert(mt_policy_allows_delivery("sys/bb", &settings));
    ck_assert(!mt_policy_allows_delivery("sys/c", &settings));
    settings.n_deliveries = 0;
    ck_assert(!mt_policy_allows_delivery("sys/a", &settings));
}
END_TEST

/* Each token has directories in the viewer's home: those that no app has are without end. */
START_TEST(test_a_token_that_no_app_has)
{
    static const char *const none[] = {NULL};
    static const char *const others[] = {"sys/jupyter", "sys/multitenant-delivery_defaul", NULL};
    static const char *const installed[] = {"sys/jupyter", TOKEN, NULL};
    settings.installed = none;
    assert_reason(delivery_not_allowed, check());
    settings.installed = others;
    assert_reason(delivery_not_allowed, check());
    message.delivery = "sys/jupyter";
    assert_reason(delivery_not_allowed, check());
    message.delivery = TOKEN;
    settings.installed = installed;
    assert_reason(ok, check());
    /* What an app may yet let in is no larger than what is let in. */
    settings.installed = none;
    ck_assert_int_eq(json_object_set_new(message.connection, "a", json_string("\x01")), 0);
    assert_reason(bad_connection_value, check());
    /* What was delivered before it was taken away is found all the same. */
    ck_assert(mt_policy_allows_delivery(TOKEN, &settings));
}
END_TEST

START_TEST(test_length_of_delivery)
{
    char *part = repeat("x", MT_TOKEN_PART_MAX);
    static const char *const patterns[] = {"sys/*"};
    settings.deliveries = patterns;
    ck_assert(mt_policy_allows_delivery(format("sys/%s", part), &settings));
    ck_assert(!mt_policy_allows_delivery(format("sys/%sx", part), &settings));
    free(part);
}
END_TEST

/* The connection. */

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const char *const good_keys[] = {"a", "_", "Z", "host", "_port2", "OLLAMA_URL", X63 "x"};

START_TEST(test_good_key)
{
    ck_assert(mt_policy_allows_key(good_keys[_i]));
}
END_TEST

static const char *const bad_keys[] = {"", "1a", "-", "a-b", "a b", "a.b", "a?", "a!", "a=", "@a",
                                       "$a", "a\n", "\xc3\xbc", X63 "xx",
                                       /* what OOD's template, or making and evaluating it, calls */
                                       "view", "connect", "session", "binding", "instance_eval",
                                       "respond_to?", "method_missing", "singleton_method_added",
                                       /* ours */
                                       "jobid", "mt_appname", "mt_title"};

START_TEST(test_bad_key)
{
    ck_assert(!mt_policy_allows_key(bad_keys[_i]));
    ck_assert_int_eq(json_object_set_new(message.connection, "good", json_string("")), 0);
    ck_assert_int_eq(json_object_set_new(message.connection, bad_keys[_i], json_string("")), 0);
    assert_reason(bad_connection_key, check());
}
END_TEST

START_TEST(test_number_of_keys)
{
    for (int i = 0; i < MT_CONN_KEYS_MAX; i++)
        ck_assert_int_eq(json_object_set_new(message.connection, format("k%d", i), json_string("")),
                         0);
    assert_reason(ok, check());
    ck_assert_int_eq(json_object_set_new(message.connection, "k64", json_string("")), 0);
    assert_reason(bad_connection_key, check());
}
END_TEST

static enum mt_reason judge_value(const char *bytes, size_t len)
{
    ck_assert_int_eq(json_object_set_new(message.connection, "k", json_stringn(bytes, len)), 0);
    return check();
}

START_TEST(test_length_of_value)
{
    static const char *const characters[] = {"x", "\xc3\xbc", "\xf0\x9f\x98\x80"};
    const char *c = characters[_i];
    char *longest = repeat(c, MT_CONN_VALUE_MAX / strlen(c));
    ck_assert_uint_eq(strlen(longest), MT_CONN_VALUE_MAX);
    assert_reason(ok, judge_value(longest, MT_CONN_VALUE_MAX));
    const char *over = format("%sx", longest);
    assert_reason(bad_connection_value, judge_value(over, MT_CONN_VALUE_MAX + 1));
    free(longest);
}
END_TEST

/* Open OnDemand shows it on each card, as long as it is. */
START_TEST(test_length_of_host)
{
    char *longest = repeat("x", MT_HOST_MAX);
    const char *hosts[] = {longest, format("%sx", longest)};
    ck_assert_int_eq(json_object_set_new(message.connection, "host", json_string(hosts[0])), 0);
    assert_reason(ok, check());
    ck_assert_int_eq(json_object_set_new(message.connection, "host", json_string(hosts[1])), 0);
    assert_reason(bad_connection_value, check());
    free(longest);
}
END_TEST

static const char *const good_values[] = {
    "", " ", "@abc", ": x", "<script>", "yes", "a'\"b", "\xc3\xbc\xf0\x9f\x98\x80", "\xe2\x80\xa8"};

START_TEST(test_good_value)
{
    assert_reason(ok, judge_value(good_values[_i], strlen(good_values[_i])));
}
END_TEST

static const char *const bad_values[] = {
    "\x01",     "a\nb",     "a\tb",     "\r",           "\x1b[0m",      "\x7f",
    "\xc2\x80", "\xc2\x85", "\xc2\x9f", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf"};

START_TEST(test_bad_value)
{
    const char *value = format("x%sx", bad_values[_i]);
    assert_reason(bad_connection_value, judge_value(value, strlen(value)));
}
END_TEST

START_TEST(test_nul_in_a_value)
{
    assert_reason(bad_connection_value, judge_value("a\0b", 3));
    assert_reason(bad_connection_value, judge_value("\0", 1));
}
END_TEST

START_TEST(test_no_connection_at_all)
{
    assert_reason(ok, check());
}
END_TEST

/* The card. */

static enum mt_reason card(bool dismissed, const char *ood_cluster)
{
    return mt_policy_card(&record, &message, &settings, dismissed, ood_cluster);
}

START_TEST(test_card_ok)
{
    assert_reason(ok, card(false, "deac"));
}
END_TEST

START_TEST(test_form_only)
{
    message.method = "form";
    assert_reason(form_only, card(false, "deac"));
    own_job();
    assert_reason(form_only, card(true, NULL));
}
END_TEST

START_TEST(test_own_session)
{
    own_job();
    assert_reason(own_session, card(false, "deac"));
    assert_reason(own_session, card(true, NULL));
}
END_TEST

START_TEST(test_dismissed)
{
    assert_reason(dismissed, card(true, "deac"));
    assert_reason(dismissed, card(true, NULL));
}
END_TEST

START_TEST(test_unknown_cluster)
{
    assert_reason(unknown_cluster, card(false, NULL));
}
END_TEST

static TCase *add_fixed_case(Suite *suite, const char *name)
{
    TCase *tests = add_case(suite, name);
    tcase_add_checked_fixture(tests, setup, teardown);
    return tests;
}

/* ---- the job's own host ---- */

static const char *const domains[] = {"example.org", "cluster.edu", NULL};

/* Hosts, and whether they are of a job on n1 (host h1, 10.0.0.1) and on n2. */
static const struct {
    const char *host;
    enum mt_answer own;
} hosts[] = {
    {"n1", MT_YES},
    {"N1", MT_YES},
    {"h1", MT_YES},
    {"10.0.0.1", MT_YES},
    {"n2", MT_YES},
    {"n1.cluster.edu", MT_YES},
    {"h1.Example.ORG", MT_YES},
    {"n1.evil.example", MT_NO},
    {"n1.cluster.edu.evil", MT_NO},
    {"n1.cluster.ed", MT_NO},
    {"n1.", MT_NO},
    {"n1.edu", MT_NO},
    {"n1cluster.edu", MT_NO},
    {"10.0.0.1.cluster.edu", MT_NO},
    {"n", MT_NO},
    {"n11", MT_NO},
    {"cluster.edu", MT_NO},
    {".cluster.edu", MT_NO},
    {"evil.example", MT_NO},
    {"localhost", MT_NO},
    {"", MT_NO},
};

static enum mt_answer own_host(const char *host)
{
    if (host)
        ck_assert_int_eq(json_object_set_new(message.connection, "host", json_string(host)), 0);
    return mt_policy_own_host(&record, &message, &settings);
}

START_TEST(test_own_host)
{
    json_t *nodes = json_loads("[{\"name\":\"n1\",\"host\":\"h1\",\"addr\":\"10.0.0.1\"},"
                               "{\"name\":\"n2\",\"host\":null,\"addr\":null}]",
                               0, NULL);
    record.nodes = nodes;
    settings.node_domains = domains;
    ck_assert_msg(own_host(hosts[_i].host) == hosts[_i].own, "%s", hosts[_i].host);
    /* Without domains, only what Slurm says. */
    settings.node_domains = NULL;
    bool exact =
        hosts[_i].own == MT_YES && !strchr(hosts[_i].host, 'c') && !strchr(hosts[_i].host, 'O');
    ck_assert_int_eq(own_host(hosts[_i].host), exact ? MT_YES : MT_NO);
    json_decref(nodes);
}
END_TEST

START_TEST(test_own_host_of_nodes_that_are_not_known)
{
    settings.node_domains = domains;
    ck_assert_int_eq(own_host(NULL), MT_NO);
    ck_assert_int_eq(own_host("n1"), MT_UNKNOWN);
    json_t *none = json_array();
    record.nodes = none;
    ck_assert_int_eq(own_host("n1"), MT_NO);
    json_decref(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tests = add_fixed_case(suite, "gate");
    tcase_add_loop_test(tests, test_address, 0, (int)COUNT_OF(addresses));
    tcase_add_test(tests, test_gate_ok);
    tcase_add_test(tests, test_name_length);
    tcase_add_test(tests, test_malformed_name);
    tcase_add_test(tests, test_a_long_name_need_not_be_well_formed);
    tcase_add_test(tests, test_not_member);
    tcase_add_test(tests, test_member_of_nothing);
    tcase_add_test(tests, test_no_such_group);
    tcase_add_test(tests, test_group_not_learned);
    tcase_add_test(tests, test_publisher_not_member);
    tcase_add_test(tests, test_membership_of_publisher_not_learned);
    tcase_add_test(tests, test_the_viewers_group_comes_first);
    tcase_add_test(tests, test_out_of_time_matters_only_for_what_is_unknown);
    tcase_add_test(tests, test_user_not_learned);
    tcase_add_loop_test(tests, test_publishers, 0, (int)COUNT_OF(publishers));
    tcase_add_test(tests, test_publishers_come_after_the_group);
    tcase_add_test(tests, test_own_job_passes_the_group);
    tcase_add_test(tests, test_own_job_of_one_who_may_not_publish);
    tests = add_fixed_case(suite, "message");
    tcase_add_test(tests, test_message_ok);
    tcase_add_test(tests, test_not_recipient);
    tcase_add_test(tests, test_own_job_needs_no_recipient);
    tcase_add_test(tests, test_own_job_is_checked_all_the_same);
    tcase_add_loop_test(tests, test_bad_session_id, 0, (int)COUNT_OF(bad_sessions));
    tcase_add_loop_test(tests, test_bad_app_name, 0, (int)COUNT_OF(bad_apps));
    tcase_add_loop_test(tests, test_bad_title, 0, (int)COUNT_OF(bad_apps));
    tcase_add_test(tests, test_length_of_app_name);
    tcase_add_loop_test(tests, test_own_host, 0, (int)COUNT_OF(hosts));
    tcase_add_test(tests, test_own_host_of_nodes_that_are_not_known);
    tcase_add_loop_test(tests, test_bad_method, 0, (int)COUNT_OF(bad_methods));
    tcase_add_test(tests, test_order);
    tests = add_fixed_case(suite, "delivery");
    tcase_add_loop_test(tests, test_delivery, 0, (int)COUNT_OF(deliveries));
    tcase_add_test(tests, test_any_of_several_patterns);
    tcase_add_test(tests, test_a_token_that_no_app_has);
    tcase_add_test(tests, test_length_of_delivery);
    tests = add_fixed_case(suite, "connection");
    tcase_add_loop_test(tests, test_good_key, 0, (int)COUNT_OF(good_keys));
    tcase_add_loop_test(tests, test_bad_key, 0, (int)COUNT_OF(bad_keys));
    tcase_add_test(tests, test_number_of_keys);
    tcase_add_loop_test(tests, test_length_of_value, 0, 3);
    tcase_add_test(tests, test_length_of_host);
    tcase_add_loop_test(tests, test_good_value, 0, (int)COUNT_OF(good_values));
    tcase_add_loop_test(tests, test_bad_value, 0, (int)COUNT_OF(bad_values));
    tcase_add_test(tests, test_nul_in_a_value);
    tcase_add_test(tests, test_no_connection_at_all);
    tests = add_fixed_case(suite, "card");
    tcase_add_test(tests, test_card_ok);
    tcase_add_test(tests, test_form_only);
    tcase_add_test(tests, test_own_session);
    tcase_add_test(tests, test_dismissed);
    tcase_add_test(tests, test_unknown_cluster);
    return run_suite(suite);
}
