/* SPDX-License-Identifier: MIT */
#include "message.h"

#include "buf.h"
#include "json.h"
#include "mt_limits.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A control character in a string becomes six bytes of JSON. */
#define JSON_TEXT_MAX (6 * MT_MESSAGE_MAX)

static const char *const accounting_keys[] = {"mtu", "mti", "mta", "mtm", "mtd"};

/* One byte inside a string quoted by `quote`, as strict JSON. */
static enum mt_status append_quoted(struct mt_buf *json, unsigned char c)
{
    char text[8];
    int n = 1;
    if (c == '"')
        n = snprintf(text, sizeof text, "\\\"");
    else if (c < 0x20)
        n = snprintf(text, sizeof text, "\\u%04x", c);
    else
        text[0] = (char)c;
    return mt_buf_append(json, text, (size_t)n);
}

/*
 * Writes the v1 text as strict JSON, `|` left out, and sets *split to where it stood. Old readers
 * turned every ' into "; a text that was valid JSON then means the same here. On MT_OK neither part
 * is empty.
 */
static enum mt_status to_json(const char *text, size_t len, struct mt_buf *json, size_t *split)
{
    enum mt_status status = MT_OK;
    bool found = false;
    char quote = 0;
    for (size_t i = 0; i < len && status == MT_OK; i++) {
        char c = text[i];
        if (c == '\\' && quote) {
            if (len - i < 2)
                return MT_MALFORMED;
            status = mt_buf_append(json, text + i, 2);
            i++;
        } else if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? 0 : c;
            status = mt_buf_append(json, "\"", 1);
        } else if (quote) {
            status = append_quoted(json, (unsigned char)c);
        } else if (c == '|') {
            if (found)
                return MT_MALFORMED;
            found = true;
            *split = json->len;
        } else {
            status = mt_buf_append(json, &c, 1);
        }
    }
    if (status == MT_OK && (quote || !found || *split == 0 || *split == json->len))
        status = MT_MALFORMED;
    return status;
}

static enum mt_status load_object(const char *text, size_t len, json_t **out)
{
    enum mt_status status = mt_json_load(text, len, out);
    return status == MT_OK && !json_is_object(*out) ? MT_MALFORMED : status;
}

void mt_message_set_texts(struct mt_message *message)
{
    const char **texts[] = {&message->recipients, &message->session, &message->app,
                            &message->method, &message->delivery};
    for (size_t i = 0; i < 5; i++)
        *texts[i] = json_string_value(json_object_get(message->accounting, accounting_keys[i]));
}

static enum mt_status keep_accounting(const json_t *loaded, struct mt_message *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)loaded, key, value)
    {
        if (!mt_json_is_text(value))
            return MT_MALFORMED;
    }
    out->accounting = json_object();
    if (!out->accounting)
        return MT_NOMEM;
    for (size_t i = 0; i < 5; i++) {
        value = json_object_get(loaded, accounting_keys[i]);
        if (!value)
            return MT_MALFORMED;
        if (json_object_set(out->accounting, accounting_keys[i], value) != 0)
            return MT_NOMEM;
    }
    mt_message_set_texts(out);
    return out->recipients[strspn(out->recipients, "0123456789,")] == '\0' ? MT_OK : MT_MALFORMED;
}

/* Makes every value of the connection a string. */
static enum mt_status to_strings(json_t *connection)
{
    for (void *at = json_object_iter(connection); at; at = json_object_iter_next(connection, at)) {
        const json_t *value = json_object_iter_value(at);
        json_t *text = NULL;
        if (json_is_string(value))
            continue;
        if (json_is_integer(value))
            text = json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_boolean(value))
            text = json_string(json_is_true(value) ? "true" : "false");
        else
            return MT_MALFORMED;
        if (!text || json_object_iter_set_new(connection, at, text) != 0)
            return MT_NOMEM;
    }
    return MT_OK;
}

/* Digits of a number that surely is one of 64 bits. */
#define DIGITS_MAX 18

/* Takes a text out of the connection; NULL: it has none. MT_OK, MT_MALFORMED. */
static enum mt_status lift(json_t *connection, const char *key, json_t **out)
{
    *out = json_incref(json_object_get(connection, key));
    (void)json_object_del(connection, key);
    return *out && !mt_json_is_text(*out) ? MT_MALFORMED : MT_OK;
}

static enum mt_status lift_number(json_t *connection, const char *key, int64_t *out)
{
    json_t *value;
    enum mt_status status = lift(connection, key, &value);
    const char *text = status == MT_OK ? json_string_value(value) : NULL;
    if (text) {
        size_t len = strspn(text, "0123456789");
        bool fine = text[len] == '\0' && *text != '0' && len > 0 && len <= DIGITS_MAX;
        *out = fine ? strtoll(text, NULL, 10) : -1;
    }
    json_decref(value);
    return status;
}

static enum mt_status lift_all(struct mt_message *out)
{
    enum mt_status status = lift(out->connection, MT_TITLE_KEY, &out->title);
    if (status == MT_OK)
        status = lift(out->connection, MT_SERVICE_KEY, &out->service);
    if (status == MT_OK)
        status = lift_number(out->connection, MT_UNTIL_KEY, &out->until);
    if (status == MT_OK)
        status = lift_number(out->connection, MT_LEAD_KEY, &out->lead);
    return status;
}

enum mt_status mt_message_parse_v1(const char *text, size_t len, struct mt_message *out)
{
    enum mt_status status = MT_INTERNAL;
    struct mt_buf json = MT_BUF_INIT(JSON_TEXT_MAX);
    json_t *accounting = NULL;
    size_t split = 0;

    memset(out, 0, sizeof *out);
    if (len > MT_MESSAGE_MAX)
        return MT_TOO_LARGE;
    if ((status = to_json(text, len, &json, &split)) != MT_OK)
        goto out;
    if ((status = load_object(json.data, split, &accounting)) != MT_OK)
        goto out;
    if ((status = keep_accounting(accounting, out)) != MT_OK)
        goto out;
    if ((status = load_object(json.data + split, json.len - split, &out->connection)) != MT_OK)
        goto out;
    if ((status = to_strings(out->connection)) != MT_OK)
        goto out;
    status = lift_all(out);
out:
    json_decref(accounting);
    mt_buf_wipe(&json);
    if (status != MT_OK)
        mt_message_free(out);
    return status;
}

/* What the apps of the cards that come with this are, in words; of databases by their JDBC URL. */
static const struct {
    const char *app;
    const char *jdbc;
    const char *words;
} kinds[] = {
    {"Ollama_API", NULL, "Language model"},
    {"Ollama_Code", NULL, "Language model for Cline"},
    {"DB_Conn", "jdbc:mariadb:", "Database: MariaDB"},
    {"DB_Conn", "jdbc:mysql:", "Database: MySQL"},
    {"DB_Conn", "jdbc:postgresql:", "Database: PostgreSQL"},
    {"DB_Conn", NULL, "Database"},
    {"DB_JDBC", "jdbc:mariadb:", "Database: MariaDB (JDBC)"},
    {"DB_JDBC", "jdbc:mysql:", "Database: MySQL (JDBC)"},
    {"DB_JDBC", "jdbc:postgresql:", "Database: PostgreSQL (JDBC)"},
    {"DB_JDBC", NULL, "Database (JDBC)"},
    {"RShiny_App", NULL, "Web application"},
    {"App_API", NULL, "Service for programs"},
    {"Class", NULL, "Lesson"},
};

static const char *kind_of(const struct mt_message *message)
{
    const char *url = json_string_value(json_object_get(message->connection, "jdbc_url"));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *jdbc = kinds[i].jdbc;
        if (strcmp(kinds[i].app, message->app) == 0 &&
            (!jdbc || (url && strncmp(url, jdbc, strlen(jdbc)) == 0)))
            return kinds[i].words;
    }
    return message->app;
}

const char *mt_message_title(const struct mt_message *message)
{
    return message->title ? json_string_value(message->title) : kind_of(message);
}

enum mt_status mt_message_keep_name(struct mt_message *message)
{
    struct mt_message kept = {0};
    if (mt_text_is_title(message->app, MT_APP_CHARS_MAX)) {
        json_t *app = json_object_get(message->accounting, "mta");
        const char *title = mt_message_title(message);
        bool is_title = mt_text_is_title(title, MT_APP_CHARS_MAX);
        kept.accounting = json_object();
        kept.title = is_title ? json_string(title) : NULL;
        if (json_object_set(kept.accounting, "mta", app) != 0 || (is_title && !kept.title)) {
            mt_message_free(&kept);
            return MT_NOMEM;
        }
        mt_message_set_texts(&kept);
    }
    mt_message_free(message);
    *message = kept;
    return MT_OK;
}

struct mt_message mt_message_copy(const struct mt_message *message)
{
    json_incref(message->accounting);
    json_incref(message->connection);
    json_incref(message->title);
    json_incref(message->service);
    json_incref(message->door);
    return *message;
}

bool mt_message_is_for(const struct mt_message *message, uint32_t uid)
{
    char wanted[16];
    if (strcmp(message->recipients, MT_WHOLE_GROUP) == 0)
        return true;
    size_t len = (size_t)snprintf(wanted, sizeof wanted, "%lu", (unsigned long)uid);
    return mt_text_list_has(message->recipients, wanted, len);
}

void mt_message_free(struct mt_message *message)
{
    json_decref(message->accounting);
    json_decref(message->connection);
    json_decref(message->title);
    json_decref(message->service);
    json_decref(message->door);
    memset(message, 0, sizeof *message);
}
