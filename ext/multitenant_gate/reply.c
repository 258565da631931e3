/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include "json.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct reply {
    size_t len;
    bool cut; /* something had no room */
    char text[8192];
};

static const char json_headers[] = "Content-Type: application/json\r\nCache-Control: no-store\r\n";

static const char page_headers[] =
    "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n";

MT_NONNULL_ALL MT_PRINTF(2, 3) static void add(struct reply *reply, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int n = vsnprintf(reply->text + reply->len, sizeof reply->text - reply->len, format, values);
    va_end(values);
    if (n < 0 || (size_t)n >= sizeof reply->text - reply->len)
        reply->cut = true;
    else
        reply->len += (size_t)n;
}

static const char *phrase(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 303:
        return "See Other";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    default:
        return "Service Unavailable";
    }
}

static void begin(struct reply *reply, int status)
{
    reply->len = 0;
    reply->cut = false;
    add(reply, "Status: %d %s\r\n", status, phrase(status));
}

/* nginx takes a part of an answer that has no Status for a yes: it gets all or nothing. */
static void finish(struct reply *reply, int fd)
{
    if (!reply->cut && send(fd, reply->text, reply->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        reply->cut = true; /* it has gone, which is its own affair */
    OPENSSL_cleanse(reply->text, reply->len);
}

/* Takes the object. */
static void add_json(struct reply *reply, json_t *object)
{
    char *text = object ? mt_json_dump(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (text) {
        add(reply, "\r\n%s\n", text);
        OPENSSL_cleanse(text, strlen(text));
    } else {
        reply->cut = true;
    }
    free(text);
}

static void add_cookie(struct reply *reply, const struct cookie *cookie)
{
    if (cookie->token)
        add(reply,
            "Set-Cookie: multitenant_token=%s; Path=%s; Max-Age=%lld; HttpOnly; SameSite=Strict%s"
            "\r\n",
            cookie->token, cookie->base, (long long)cookie->seconds,
            cookie->is_https ? "; Secure" : "");
}

static void begin_page(struct reply *reply, int status, const char *title,
                       const struct cookie *cookie)
{
    begin(reply, status);
    add_cookie(reply, cookie);
    add(reply, page_headers);
    add(reply,
        "\r\n<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<style>body{font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em}"
        "pre{background:#f3f3f3;padding:1em;overflow:auto}</style></head>"
        "<body><main><h1>%s</h1>\n",
        title, title);
}

static void end_page(struct reply *reply, int fd)
{
    add(reply, "</main></body></html>\n");
    finish(reply, fd);
}

void reply_let_in(int fd, const char *user, uid_t uid)
{
    struct reply reply;
    begin(&reply, 200);
    add(&reply, "X-MultiTenant-User: %s\r\nX-MultiTenant-Uid: %u\r\n\r\n", user, uid);
    finish(&reply, fd);
}

void reply_refuse(int fd, enum reply_form form, enum code code, unsigned retry)
{
    struct reply reply;
    if (form == REPLY_PAGE) {
        const struct cookie none = {.token = NULL};
        begin_page(&reply, code_status(code), "Not let in", &none);
        add(&reply, "<p>%s</p><p><small>%s</small></p>\n", code_sentence(code), code_name(code));
        end_page(&reply, fd);
        return;
    }
    begin(&reply, code_status(code));
    add(&reply, "X-MultiTenant-Reason: %s\r\n", code_name(code));
    if (retry > 0)
        add(&reply, "X-MultiTenant-Retry: %u\r\n", retry);
    if (code_status(code) == 401)
        add(&reply, "WWW-Authenticate: Bearer realm=\"multitenant\"\r\n");
    if (form == REPLY_JSON) {
        add(&reply, json_headers);
        add_json(&reply,
                 json_pack("{s:s, s:s}", "code", code_name(code), "sentence", code_sentence(code)));
    } else {
        add(&reply, "\r\n");
    }
    finish(&reply, fd);
}

void reply_token(int fd, const char *token, int64_t expires, const char *user)
{
    struct reply reply;
    begin(&reply, 200);
    add(&reply, json_headers);
    add_json(&reply, json_pack("{s:s, s:I, s:s}", "token", token, "expires", (json_int_t)expires,
                               "user", user));
    finish(&reply, fd);
}

void reply_account(int fd, const char *account, const char *password, int64_t expires)
{
    struct reply reply;
    begin(&reply, 200);
    add(&reply, json_headers);
    add_json(&reply, json_pack("{s:s, s:s, s:I}", "user", account, "password", password, "expires",
                               (json_int_t)expires));
    finish(&reply, fd);
}

void reply_open(int fd, const struct cookie *cookie)
{
    struct reply reply;
    begin(&reply, 303);
    add_cookie(&reply, cookie);
    /* Up from the login: before a whole path Open OnDemand's /rnode puts its prefix once more. */
    add(&reply, "Location: ../\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\r\n");
    finish(&reply, fd);
}

/* Whether it can be a host and a port, and means nothing to HTML or a shell. */
static bool is_host(const char *text)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:";
    return *text && strlen(text) < 300 && text[strspn(text, fine)] == '\0';
}

/* What leads an OpenAI client to the service, the site's proxy for the internet aside. All that
 * such clients read of the user's own goes: it sends the key elsewhere, or what is for others here.
 */
static void add_exports(struct reply *reply, const char *token, const char *host)
{
    add(reply,
        "unset $(env | sed -n 's/^\\(OPENAI_[A-Za-z0-9_]*\\)=.*/\\1/p')\n"
        "export OPENAI_API_KEY=%s\n"
        "export OPENAI_BASE_URL=http://%s/v1\n"
        "export NO_PROXY=${NO_PROXY:+$NO_PROXY,}${no_proxy:+$no_proxy,}%.*s; "
        "export no_proxy=$NO_PROXY\n",
        token, host, (int)strcspn(host, ":"), host);
}

void reply_show_token(int fd, const char *token, int64_t expires, const char *host,
                      const struct cookie *cookie)
{
    struct reply reply;
    struct tm tm;
    char text[32];
    time_t at = (time_t)expires;
    begin_page(&reply, 200, "Your key", cookie);
    add(&reply,
        "<pre>%s\n</pre>\n<p>As a header: <code>Authorization: Bearer</code> and the key; as a "
        "password of HTTP, with any user name.</p>\n",
        token);
    if (is_host(host)) { /* a client that is told no address would send it to OpenAI */
        add(&reply, "<p>If it is a language model, for a shell:</p>\n<pre>");
        add_exports(&reply, token, host);
        add(&reply, "</pre>\n");
    }
    if (localtime_r(&at, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z", &tm) > 0)
        add(&reply, "<p>It holds until %s and is yours alone: give it to nobody.</p>\n", text);
    end_page(&reply, fd);
}

void reply_show_account(int fd, const char *account, const char *password,
                        const struct cookie *cookie)
{
    struct reply reply;
    begin_page(&reply, 200, "Your account", cookie);
    add(&reply,
        "<pre>user: %s\npassword: %s\n</pre>\n"
        "<p>It is yours alone: give it to nobody. Once the service was started anew, log in again: "
        "it is closed until then, and may have another password where its owner launched it "
        "anew.</p>\n",
        account, password);
    end_page(&reply, fd);
}
