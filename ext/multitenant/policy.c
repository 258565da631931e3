/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include "mt_limits.h"
#include "text.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

/*
 * Connection keys that a card can't have. OOD turns each key into a method of the OpenStruct in
 * whose binding the app's view is evaluated (session.rb#connect, connections/_custom.html.erb).
 */
/* clang-format off */
static const char *const reserved_keys[] = {
    /* ours */
    "jobid", "mt_appname", MT_TITLE_KEY, MT_SERVICE_KEY, MT_UNTIL_KEY, MT_LEAD_KEY,
    /* locals of OOD's template: they would hide the key */
    "view", "connect", "session", "local_assigns", "output_buffer",
    /* what making and evaluating the view calls on the object */
    "binding", "instance_eval", "instance_exec", "eval", "to_h", "each_pair", "initialize",
    "singleton_method_added", "define_singleton_method", "method_missing", "respond_to_missing",
    "object_id", "__id__", "__send__",
    /* functions that a view calls with arguments: a key's method takes none */
    "require", "raise", "lambda", "proc", "Array", "Float", "Hash", "Integer", "String",
};
/* clang-format on */

static bool is_own(const struct mt_record *record, const struct mt_settings *settings)
{
    return record->uid == settings->uid;
}

static bool is_member(uint32_t gid, const struct mt_settings *settings)
{
    for (size_t i = 0; i < settings->n_gids; i++) {
        if (settings->gids[i] == gid)
            return true;
    }
    return false;
}

static enum mt_reason unknown(const struct mt_record *record)
{
    return record->out_of_time ? MT_REASON_out_of_time : MT_REASON_lookup_failed;
}

/* An answer as a reason: no becomes `refused`. */
static enum mt_reason need(enum mt_answer answer, enum mt_reason refused,
                           const struct mt_record *record)
{
    if (answer == MT_UNKNOWN)
        return unknown(record);
    return answer == MT_YES ? MT_REASON_ok : refused;
}

/* The publisher passes for their own job: they know what they shared. */
static enum mt_reason group_gate(const struct mt_record *record, const struct mt_settings *settings)
{
    if (is_own(record, settings))
        return MT_REASON_ok;
    enum mt_reason reason = need(record->group_known, MT_REASON_not_member, record);
    if (reason != MT_REASON_ok)
        return reason;
    if (!is_member(record->group_gid, settings))
        return MT_REASON_not_member;
    if (!settings->publisher_in_group)
        return MT_REASON_ok;
    return need(record->publisher_in_group, MT_REASON_publisher_not_member, record);
}

static enum mt_reason check_name(const struct mt_record *record)
{
    if (record->name_len > MT_JOBNAME_MAX)
        return MT_REASON_name_too_long;
    return record->is_share ? MT_REASON_ok : MT_REASON_malformed_name;
}

/* Whether the site lets this user publish at all. */
static enum mt_reason check_publisher(const struct mt_record *record, const char *publishers,
                                      const struct mt_settings *settings)
{
    if (!settings->publishers)
        return MT_REASON_ok;
    /* An answer about other groups does not count. */
    bool asked = publishers && strcmp(publishers, settings->publishers) == 0;
    return need(asked ? record->publisher_allowed : MT_UNKNOWN, MT_REASON_publisher_not_allowed,
                record);
}

enum mt_reason mt_policy_gate(const struct mt_record *record, const char *publishers,
                              const struct mt_settings *settings)
{
    enum mt_reason reason = check_name(record);
    if (reason != MT_REASON_ok)
        return reason;
    if (!*record->user)
        return unknown(record);
    reason = group_gate(record, settings);
    return reason == MT_REASON_ok ? check_publisher(record, publishers, settings) : reason;
}

enum mt_reason mt_policy_address(const struct mt_record *record, const char *publishers,
                                 const struct mt_settings *settings, struct mt_address *out)
{
    memset(out, 0, sizeof *out);
    enum mt_reason reason = check_name(record);
    if (reason == MT_REASON_ok)
        reason = mt_address_read(record->parts.label, record->parts.label_len, out);
    if (reason != MT_REASON_ok)
        return reason;
    if (!*record->user)
        return unknown(record);
    reason = need(record->group_known, MT_REASON_publisher_not_member, record);
    if (reason == MT_REASON_ok && settings->publisher_in_group)
        reason = need(record->publisher_in_group, MT_REASON_publisher_not_member, record);
    return reason == MT_REASON_ok ? check_publisher(record, publishers, settings) : reason;
}

static bool is_token_part(const char *part)
{
    size_t len = strspn(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return part[len] == '\0' && part[0] != '.' && len > 0 && len <= MT_TOKEN_PART_MAX;
}

bool mt_policy_allows_delivery(const char *token, const struct mt_settings *settings)
{
    if (strncmp(token, "sys/", 4) != 0 || !is_token_part(token + 4))
        return false;
    for (size_t i = 0; i < settings->n_deliveries; i++) {
        if (fnmatch(settings->deliveries[i], token, FNM_PATHNAME | FNM_NOESCAPE) == 0)
            return true;
    }
    return false;
}

static bool is_installed(const char *token, const struct mt_settings *settings)
{
    const char *const *app = settings->installed;
    while (app && *app && strcmp(*app, token) != 0)
        app++;
    return !app || *app;
}

bool mt_policy_allows_key(const char *key)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t len = strlen(key);
    if (len == 0 || len > MT_CONN_KEY_MAX || strspn(key, first) == 0 || strspn(key, rest) != len)
        return false;
    for (size_t i = 0; i < sizeof reserved_keys / sizeof *reserved_keys; i++) {
        if (strcmp(key, reserved_keys[i]) == 0)
            return false;
    }
    return true;
}

const char *const *mt_policy_reserved_keys(size_t *count)
{
    *count = sizeof reserved_keys / sizeof *reserved_keys;
    return reserved_keys;
}

static enum mt_reason check_connection(const json_t *connection)
{
    const char *key;
    json_t *value;
    if (json_object_size(connection) > MT_CONN_KEYS_MAX)
        return MT_REASON_bad_connection_key;
    json_object_foreach((json_t *)connection, key, value)
    {
        size_t len = json_string_length(value);
        size_t most = strcmp(key, "host") == 0 ? MT_HOST_MAX : MT_CONN_VALUE_MAX;
        if (!mt_policy_allows_key(key))
            return MT_REASON_bad_connection_key;
        if (len > most || !mt_text_is_yaml(json_string_value(value), len))
            return MT_REASON_bad_connection_value;
    }
    return MT_REASON_ok;
}

static bool is_service_fine(const struct mt_message *message)
{
    return (!message->service || mt_text_is_service(json_string_value(message->service))) &&
           message->until >= 0 && message->until <= MT_UNTIL_MAX && message->lead >= 0 &&
           message->lead <= MT_LEAD_MAX;
}

/* Both or none. */
static bool is_gateway_fine(const struct mt_message *message)
{
    if (!message->door)
        return message->gate == 0;
    return mt_text_is_door(json_string_value(message->door)) && message->gate >= MT_GATE_MIN &&
           message->gate <= MT_GATE_MAX;
}

enum mt_reason mt_policy_message(const struct mt_record *record, const struct mt_message *message,
                                 const struct mt_settings *settings)
{
    if (!is_own(record, settings) && !mt_message_is_for(message, settings->uid))
        return MT_REASON_not_recipient;
    if (!mt_text_is_uuid(message->session))
        return MT_REASON_bad_session_id;
    if (!mt_text_is_title(message->app, MT_APP_CHARS_MAX))
        return MT_REASON_bad_app_name;
    if (message->title && !mt_text_is_title(mt_message_title(message), MT_APP_CHARS_MAX))
        return MT_REASON_bad_title;
    if (!is_service_fine(message) || !is_gateway_fine(message))
        return MT_REASON_bad_service;
    if (strcmp(message->method, "form") != 0 && strcmp(message->method, "card") != 0)
        return MT_REASON_bad_method;
    if (!mt_policy_allows_delivery(message->delivery, settings))
        return MT_REASON_delivery_not_allowed;
    enum mt_reason reason = check_connection(message->connection);
    /* What may change comes last. */
    if (reason == MT_REASON_ok && !is_installed(message->delivery, settings))
        return MT_REASON_delivery_not_allowed;
    return reason;
}

enum mt_reason mt_policy_card(const struct mt_record *record, const struct mt_message *message,
                              const struct mt_settings *settings, bool dismissed,
                              const char *ood_cluster)
{
    if (strcmp(message->method, "card") != 0)
        return MT_REASON_form_only;
    if (is_own(record, settings))
        return MT_REASON_own_session;
    if (dismissed)
        return MT_REASON_dismissed;
    return ood_cluster ? MT_REASON_ok : MT_REASON_unknown_cluster;
}

/* Whether the host is the name, or the name and a node domain. */
static bool is_named(const char *host, const char *name, const char *const *domain)
{
    size_t len = name ? strlen(name) : 0;
    if (len == 0 || strncasecmp(host, name, len) != 0)
        return false;
    if (host[len] == '\0')
        return true;
    while (host[len] == '.' && domain && *domain && strcasecmp(host + len + 1, *domain) != 0)
        domain++;
    return host[len] == '.' && domain && *domain;
}

enum mt_answer mt_policy_own_host(const struct mt_record *record, const struct mt_message *message,
                                  const struct mt_settings *settings)
{
    const char *host = json_string_value(json_object_get(message->connection, "host"));
    if (!host)
        return MT_NO;
    for (size_t i = 0; i < json_array_size(record->nodes); i++) {
        const json_t *node = json_array_get(record->nodes, i);
        const char *name = json_string_value(json_object_get(node, "name"));
        const char *hostname = json_string_value(json_object_get(node, "host"));
        const char *addr = json_string_value(json_object_get(node, "addr"));
        if (is_named(host, name, settings->node_domains) ||
            is_named(host, hostname, settings->node_domains) || is_named(host, addr, NULL))
            return MT_YES;
    }
    return record->nodes ? MT_NO : MT_UNKNOWN;
}
