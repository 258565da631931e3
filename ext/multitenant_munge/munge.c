/* SPDX-License-Identifier: MIT */
/*
 * multitenant-munge: opens MUNGE credentials, one a line on standard input, as the user that it
 * runs as, and writes what is in each; or makes one that a single other user can open. A program of
 * its own, because libmunge waits for munged without a limit.
 */
#include "clock.h"
#include "deadline.h"
#include "lines.h"
#include "make.h"
#include "mt_limits.h"
#include "program.h"
#include "reason.h"
#include "say.h"

#include <munge.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char help[] =
    "usage: multitenant-munge [--for UID [--ttl SECONDS]] [--socket PATH] [--timeout SECONDS]\n"
    "\n"
    "Reads MUNGE credentials, one a line, up to the end of standard input, has munged open\n"
    "each for the user of this process, and prints what is in it, one JSON object a line.\n"
    "With --for it has munged make one of the text on standard input, and prints\n"
    "{\"credential\":TEXT}.\n"
    "\n"
    "  --for UID             who alone may open it\n"
    "  --ttl SECONDS         for how long, 1 to 180 (default 60)\n"
    "  --socket PATH         munged's socket, where it is not libmunge's default\n"
    "  --timeout SECONDS     end within this time, 0.1 to 3600 (default 3), with what is known\n"
    "  --help, --version     this text; the program's version\n"
    "\n"
    "Exit codes: 0 fine, 64 usage, 65 input that is not credentials or too long, 69 munged\n"
    "could not be asked, 71 internal, 74 input or output, 75 not all were asked in time. The\n"
    "last line is {\"end\":COUNT}.\n";

static const struct mt_step ask_step = {"munged did not answer",
                                        "see that munged runs on this host"};

struct options {
    const char *socket; /* NULL: libmunge's default */
    bool make;
    struct mt_wish wish; /* where it makes one */
};

static int take(void *into, int option, const char *value)
{
    struct options *options = into;
    switch (option) {
    case 'f':
        options->make = true;
        /* munge's word for "whoever" is the largest. */
        if (mt_program_number(value, &options->wish.reader) &&
            options->wish.reader != (uint32_t)MUNGE_UID_ANY)
            return 0;
        return mt_usage("--for is not a uid");
    case 't':
        if (mt_program_number(value, &options->wish.ttl) && options->wish.ttl >= 1 &&
            options->wish.ttl <= MT_LOGIN_TTL_MAX)
            return 0;
        return mt_usage("--ttl is not a number of seconds from 1 to %d", MT_LOGIN_TTL_MAX);
    default:
        options->socket = value;
        return 0;
    }
}

/* What munged said of a credential, and what is in it if it is open. */
struct credential {
    munge_err_t status;
    uid_t uid;      /* who made it, as munged saw them */
    uid_t uid_only; /* MUNGE_UID_ANY, or who alone may open it */
    gid_t gid_only; /* MUNGE_GID_ANY, or whose members alone may */
    char *payload;  /* `len` bytes and a NUL; NULL where there are none */
    size_t len;
};

/*
 * Whether munged told what is in it. It does so of one that is expired, rewound or replayed, too
 * (dec.c: only after authentication, MAC and restriction were checked).
 */
static bool is_open(munge_err_t status)
{
    return status == EMUNGE_SUCCESS || status == EMUNGE_CRED_EXPIRED ||
           status == EMUNGE_CRED_REWOUND || status == EMUNGE_CRED_REPLAYED;
}

/*
 * Blocks while munged does not answer. False where munged can't be asked, no memory included. The
 * caller frees *out.
 */
static bool credential_open(struct credential *out, const char *text, const char *socket)
{
    void *payload = NULL;
    int len = 0;
    gid_t gid;
    munge_ctx_t ctx = munge_ctx_create();

    *out = (struct credential){.status = EMUNGE_NO_MEMORY};
    if (!ctx)
        return false;
    out->status = socket ? munge_ctx_set(ctx, MUNGE_OPT_SOCKET, socket) : EMUNGE_SUCCESS;
    if (out->status != EMUNGE_SUCCESS) {
        munge_ctx_destroy(ctx);
        return false;
    }
    out->status = munge_decode(text, ctx, &payload, &len, &out->uid, &gid);
    if (is_open(out->status) &&
        (munge_ctx_get(ctx, MUNGE_OPT_UID_RESTRICTION, &out->uid_only) != EMUNGE_SUCCESS ||
         munge_ctx_get(ctx, MUNGE_OPT_GID_RESTRICTION, &out->gid_only) != EMUNGE_SUCCESS))
        out->status = EMUNGE_SNAFU;
    munge_ctx_destroy(ctx);
    out->payload = payload;
    out->len = len > 0 ? (size_t)len : 0;
    return out->status != EMUNGE_SOCKET && out->status != EMUNGE_TIMEOUT;
}

static void credential_free(struct credential *credential)
{
    if (credential->payload)
        explicit_bzero(credential->payload, credential->len);
    free(credential->payload);
}

/*
 * munged, or this user, may not know yet of a group that the user has joined; and what munged fails
 * at for a reason of its own says nothing of the next one: a cipher that its host does not have is
 * such a failure, and whoever names a job can ask for it.
 */
static bool may_open_later(munge_err_t status)
{
    return status == EMUNGE_CRED_UNAUTHORIZED || status == EMUNGE_SNAFU ||
           status == EMUNGE_NO_MEMORY;
}

static enum mt_reason reason_of(const struct credential *credential)
{
    if (!is_open(credential->status))
        return may_open_later(credential->status) ? MT_REASON_envelope_unavailable
                                                  : MT_REASON_bad_cipher;
    return credential->len > MT_MUNGE_TEXT_MAX ? MT_REASON_too_large : MT_REASON_ok;
}

/*
 * As ext/multitenant/opened.h has it. uid_only and gid_only are there where it is restricted; a
 * content that is not text has no text.
 */
static json_t *answer_line(const char *text, const struct credential *credential)
{
    enum mt_reason reason = reason_of(credential);
    json_t *line = json_object();
    mt_line_add(&line, "payload", json_string(text));
    if (reason != MT_REASON_ok) {
        mt_line_add(&line, "reason", json_string(mt_reason_code(reason)));
        return line;
    }
    mt_line_add(&line, "uid", json_integer(credential->uid));
    if (credential->uid_only != (uid_t)MUNGE_UID_ANY)
        mt_line_add(&line, "uid_only", json_integer(credential->uid_only));
    if (credential->gid_only != (gid_t)MUNGE_GID_ANY)
        mt_line_add(&line, "gid_only", json_integer(credential->gid_only));
    json_t *content = json_stringn(credential->payload ? credential->payload : "", credential->len);
    if (content)
        mt_line_add(&line, "text", content);
    return line;
}

static int answer(const char *text, const char *socket)
{
    struct credential credential;
    int status;
    if (credential_open(&credential, text, socket))
        status = mt_line_write(answer_line(text, &credential));
    else
        status = mt_say(EX_UNAVAILABLE, "munged could not be asked: %s",
                        munge_strerror(credential.status));
    credential_free(&credential);
    return status;
}

/* What was not asked in time is not among the answers. `input` has a NUL behind it. */
static int answer_all(const struct mt_buf *input, const char *socket)
{
    size_t end = input->len - 1;
    char *rest = end > 0 ? input->data : NULL;
    bool malformed = memchr(input->data, '\0', end) != NULL;
    bool late = false;
    size_t count = 0;
    int status = 0;

    const int64_t until = mt_deadline_soft();
    if (rest && rest[end - 1] == '\n')
        rest[end - 1] = '\0';
    for (const char *line; status == 0 && (line = strsep(&rest, "\n"));) {
        size_t len = strlen(line);
        if (malformed || len == 0 || len > MT_JOBNAME_MAX || count == MT_CREDENTIALS_MAX)
            return mt_say(EX_DATAERR, "standard input is not credentials, one a line");
        if ((late = mt_now() >= until))
            break;
        status = answer(line, socket);
        count += status == 0;
    }
    if (status == 0)
        status = mt_lines_end(count);
    return status == 0 && late ? mt_say(EX_TEMPFAIL, "%s in time; %s", ask_step.late, ask_step.fix)
                               : status;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'},
        {"for", required_argument, NULL, 'f'},
        {"ttl", required_argument, NULL, 't'},
        MT_OPTIONS_OF_ALL,
    };
    static const struct mt_program program = {
        .help = help, .options = known, .timeout = 3, .take = take};
    struct options options = {.wish.ttl = 60};
    int status;

    if (!mt_program_begin(&program, argc, argv, &options, &status))
        return status;
    struct mt_buf input = MT_BUF_INIT(options.make ? MT_LOGIN_TEXT_MAX : MT_MUNGE_INPUT_MAX);
    status = mt_input_read(&input);
    if (status == 0 && !options.make && mt_buf_append(&input, "", 1) != MT_OK)
        status = mt_say_no_memory();
    if (status == 0) {
        mt_deadline_step(&ask_step);
        status = options.make ? mt_credential_make(&input, &options.wish, options.socket)
                              : answer_all(&input, options.socket);
    }
    mt_buf_wipe(&input);
    return status;
}
