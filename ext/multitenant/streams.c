/* SPDX-License-Identifier: MIT */
#include "streams.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

/* How many jobs may have ended between two that are known. */
#define AHEAD 64

static bool wckeys_ok(const json_t *wckeys)
{
    size_t n = json_array_size(wckeys);
    if (n == 0 || n > MT_WCKEYS_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *key = json_string_value(json_array_get(wckeys, i));
        if (!key || *key == '\0' || strlen(key) > MT_NAME_MAX)
            return false;
    }
    return true;
}

/* Takes a reference of its own to `json`. */
static bool parse_header(json_t *json, struct mt_stream *out)
{
    const char *sees;
    int64_t version;
    memset(out, 0, sizeof *out);
    out->header = json_incref(json);
    out->wckeys = json_object_get(json, "wckeys");
    out->round = json_string_value(json_object_get(json, "round"));
    out->groups = json_object_get(json, "groups");
    out->undetermined = json_object_get(json, "undetermined");
    if (out->undetermined && !json_is_array(out->undetermined))
        return false;
    if (json_object_get(json, "publishers") && !mt_json_name(json, "publishers", &out->publishers))
        return false;
    if (!mt_json_name(json, "sees", &sees) ||
        !mt_json_answer(json, "private_jobs", true, &out->private_jobs))
        return false;
    out->sees_all = strcmp(sees, "all") == 0;
    return (out->sees_all || strcmp(sees, "own") == 0) &&
           mt_json_integer(json, "multitenant", 1, 1, &version) &&
           mt_json_integer(json, "generated", 0, INT64_MAX, &out->generated) &&
           mt_json_name(json, "cluster", &out->cluster) && wckeys_ok(out->wckeys);
}

static int by_job_id(const void *a, const void *b)
{
    return MT_ORDER(*(const uint32_t *)a, *(const uint32_t *)b);
}

static enum mt_status has_duplicates(const struct mt_stream *stream, bool *out)
{
    *out = false;
    if (stream->count < 2)
        return MT_OK;
    uint32_t *ids = calloc(stream->count, sizeof *ids);
    if (!ids)
        return MT_NOMEM;
    for (size_t i = 0; i < stream->count; i++)
        ids[i] = stream->records[i].job_id;
    qsort(ids, stream->count, sizeof *ids, by_job_id);
    for (size_t i = 1; i < stream->count; i++)
        *out |= ids[i - 1] == ids[i];
    free(ids);
    return MT_OK;
}

/* Whether an earlier stream is of the same cluster. */
static bool is_second(const struct mt_streams *streams, const struct mt_stream *stream)
{
    for (const struct mt_stream *other = streams->items; other < stream; other++) {
        if (strcmp(other->cluster, stream->cluster) == 0)
            return true;
    }
    return false;
}

/* A line of the text, by its number and place. */
struct place {
    size_t number;
    size_t at;
    size_t len;
};

/* MT_MALFORMED, here and below: the line does not belong. */
static enum mt_status add_header(struct mt_streams *streams, json_t *json,
                                 const struct place *place, struct mt_stream **open)
{
    if (*open || streams->count == MT_STREAMS_MAX)
        return MT_MALFORMED;
    struct mt_stream *stream = &streams->items[streams->count++];
    if (!parse_header(json, stream)) {
        json_decref(stream->header);
        streams->count--;
        return MT_MALFORMED;
    }
    stream->line = place->number;
    if (is_second(streams, stream))
        return MT_MALFORMED;
    *open = stream;
    return MT_OK;
}

/* NULL: no memory. */
static struct mt_record *new_record(struct mt_stream *stream, const struct place *place)
{
    /* Powers of two: full when the count is one. */
    if ((stream->count & (stream->count - 1)) == 0) {
        size_t size = stream->count ? stream->count * 2 : 1;
        struct mt_record *records = realloc(stream->records, size * sizeof *records);
        if (!records)
            return NULL;
        stream->records = records;
    }
    struct mt_record *record = &stream->records[stream->count++];
    *record = (struct mt_record){.line_at = place->at, .line_len = place->len};
    return record;
}

static enum mt_status add_job(struct mt_stream *stream, json_t *json, const struct place *place)
{
    struct mt_record *record = new_record(stream, place);
    return record ? mt_record_parse(json, stream->cluster, record) : MT_NOMEM;
}

static enum mt_status add_end(const json_t *json, struct mt_stream **open)
{
    struct mt_stream *stream = *open;
    int64_t count;
    bool duplicates;
    if (!mt_json_integer(json, "end", 0, INT64_MAX, &count) || (uint64_t)count != stream->count)
        return MT_MALFORMED;
    enum mt_status status = has_duplicates(stream, &duplicates);
    if (status != MT_OK)
        return status;
    stream->complete = !duplicates;
    *open = NULL;
    return duplicates ? MT_MALFORMED : MT_OK;
}

static bool is_short(const char *line, size_t len)
{
    static const char header[] = "{\"multitenant\":";
    const size_t begin = sizeof header - 1;
    bool is_header = len > begin && memcmp(line, header, begin) == 0;
    return len <= (is_header ? MT_HEADER_LINE_MAX : MT_RECORD_LINE_MAX);
}

/* A text while it is read: `open` is the stream that the line stands in, or NULL. */
struct reading {
    struct mt_streams *streams;
    const char *text;
    struct mt_stream *open;
    const struct mt_known *known; /* behind the last one that was found */
    const struct mt_known *known_end;
};

static const struct mt_record *find_known(struct reading *r, const struct place *place)
{
    for (size_t i = 0; i < AHEAD && r->open && i < (size_t)(r->known_end - r->known); i++) {
        const struct mt_record *record = r->known[i].record;
        if (record->line_len == place->len &&
            memcmp(r->known[i].text + record->line_at, r->text + place->at, place->len) == 0 &&
            strcmp(record->cluster, r->open->cluster) == 0) {
            r->known += i + 1;
            return record;
        }
    }
    return NULL;
}

static enum mt_status add_known(struct mt_stream *stream, const struct mt_record *known,
                                const struct place *place)
{
    struct mt_record *record = new_record(stream, place);
    if (!record)
        return MT_NOMEM;
    *record = mt_record_copy(known);
    record->line_at = place->at;
    return MT_OK;
}

static enum mt_status add_line(struct reading *r, const struct place *place)
{
    json_t *json = NULL;
    enum mt_status status = MT_MALFORMED;
    const struct mt_record *known = find_known(r, place);
    if (known)
        return add_known(r->open, known, place);
    if (is_short(r->text + place->at, place->len))
        status = mt_json_load(r->text + place->at, place->len, &json);
    if (status != MT_OK)
        return status;
    if (json_object_get(json, "multitenant"))
        status = add_header(r->streams, json, place, &r->open);
    else if (!r->open || !json_is_object(json))
        status = MT_MALFORMED;
    else if (json_object_get(json, "end") && json_object_size(json) == 1)
        status = add_end(json, &r->open);
    else
        status = add_job(r->open, json, place);
    json_decref(json);
    return status;
}

enum mt_status mt_streams_read(struct mt_streams *streams, const char *text, size_t len,
                               size_t *bad_line)
{
    return mt_streams_read_again(streams, text, len, bad_line, NULL, 0);
}

enum mt_status mt_streams_read_again(struct mt_streams *streams, const char *text, size_t len,
                                     size_t *bad_line, const struct mt_known *known, size_t n_known)
{
    *bad_line = 0;
    if (len > MT_RECORDS_MAX)
        return MT_TOO_LARGE;
    const char *end = text + len;
    struct reading reading = {streams, text, NULL, known, known ? known + n_known : NULL};
    enum mt_status status = MT_OK;
    struct place place = {.number = 1};
    for (const char *line = text; line < end && status == MT_OK; place.number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        place.at = (size_t)(line - text);
        place.len = (size_t)(stop - line);
        if (place.len > 0)
            status = add_line(&reading, &place);
        line = newline ? newline + 1 : end;
    }
    if (status != MT_MALFORMED)
        return status;
    *bad_line = place.number - 1;
    return MT_OK;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

static bool same_stream(const struct mt_stream *a, const struct mt_stream *b)
{
    if (!a->complete || !b->complete || strcmp(a->cluster, b->cluster) != 0 ||
        a->sees_all != b->sees_all || a->count != b->count ||
        !same_text(a->publishers, b->publishers) || !same_list(a->wckeys, b->wckeys) ||
        !same_list(a->undetermined, b->undetermined))
        return false;
    for (size_t i = 0; i < a->count && a->records != b->records; i++) {
        if (a->records[i].json != b->records[i].json)
            return false;
    }
    return true;
}

bool mt_streams_same(const struct mt_streams *a, const struct mt_streams *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = same_stream(&a->items[i], &b->items[i]);
    return same;
}

static enum mt_status copy_stream(const struct mt_stream *stream, struct mt_stream *out)
{
    *out = *stream;
    json_incref(out->header);
    out->records = calloc(stream->count + 1, sizeof *out->records);
    if (!out->records) {
        out->count = 0;
        return MT_NOMEM;
    }
    for (size_t i = 0; i < stream->count; i++)
        out->records[i] = mt_record_copy(&stream->records[i]);
    return MT_OK;
}

enum mt_status mt_streams_add(struct mt_streams *streams, const struct mt_streams *others,
                              size_t *bad_line)
{
    *bad_line = 0;
    for (size_t i = 0; i < others->count && *bad_line == 0; i++) {
        const struct mt_stream *stream = &others->items[i];
        bool room = streams->count < MT_STREAMS_MAX;
        struct mt_stream *copy = &streams->items[streams->count];
        enum mt_status status = room ? copy_stream(stream, copy) : MT_OK;
        streams->count += room;
        if (status != MT_OK)
            return status;
        if (room && !is_second(streams, copy))
            continue;
        *bad_line = stream->line;
        if (room)
            copy->complete = false;
    }
    return MT_OK;
}

void mt_streams_free(struct mt_streams *streams)
{
    for (size_t i = 0; i < streams->count; i++) {
        struct mt_stream *stream = &streams->items[i];
        for (size_t j = 0; j < stream->count; j++)
            mt_record_free(&stream->records[j]);
        free(stream->records);
        json_decref(stream->header);
    }
    memset(streams, 0, sizeof *streams);
}
