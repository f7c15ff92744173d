#include "tests/golden/transcript.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/event/messages.h"
#include "common/event/raw_event.h"
#include "tests/lib/th_cmocka.h"

enum {
    TEXT_MAX_BYTES = 16 << 20,
    TOPICS_MAX = 16,
    PARTITIONS_MAX = 8,
    DOCUMENT_MAX = 64, /* longer ones are cut; the hash is of all */
    SHOWN_LINES = 6,
};

#define GOLDEN_FOLDER "tests/stage/golden-fetcher"
#define ACTUAL_FOLDER "build/golden-fetcher"

struct seen {
    char topic[64];
    int64_t next[PARTITIONS_MAX];
};

struct transcript {
    const struct wh_bus_mem *bus;
    const char *connection;
    struct wh_buf text;
    struct seen seen[TOPICS_MAX];
    size_t n_seen;
};

struct transcript *transcript_new(const struct wh_bus_mem *bus, const char *connection)
{
    struct transcript *t = wh_mem_zalloc(1, sizeof(*t));

    assert_non_null(t);
    t->bus = bus;
    t->connection = connection;
    wh_buf_init(&t->text, TEXT_MAX_BYTES);
    return t;
}

void transcript_free(struct transcript *t)
{
    wh_buf_done(&t->text);
    wh_mem_free(t);
}

struct wh_buf *transcript_text(struct transcript *t)
{
    return &t->text;
}

static void put(struct transcript *t, const char *fmt, ...) WH_PRINTF(2, 3);
static void put(struct transcript *t, const char *fmt, ...)
{
    static char line[64 << 10];
    struct wh_err err;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < sizeof(line));
    th_ok(wh_buf_append(&t->text, wh_slice(line, (size_t)n), &err), &err);
}

void transcript_part(struct transcript *t, const char *title)
{
    put(t, "== %s\n", title);
}

/* ---- records ---- */

static void hash_more(uint64_t *hash, struct wh_slice bytes)
{
    uint64_t both[3] = {*hash, bytes.len, wh_hash64(bytes)};

    *hash = wh_hash64(wh_slice(both, sizeof(both)));
}

static void hash_headers(uint64_t *hash, const struct wh_bus_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hash_more(hash, headers[i].name);
        hash_more(hash, headers[i].value);
    }
}

/* The partition and the key, where the id of the connection is written as "~". */
static void put_key(struct transcript *t, const struct wh_bus_msg *msg)
{
    struct wh_slice key = msg->key;
    bool ours = wh_slice_starts(key, wh_slice_str(t->connection));

    put(t, "%d %s%.*s ", (int)msg->partition, ours ? "~" : "",
        WH_SLICE_ARG(wh_slice_from(key, ours ? strlen(t->connection) : 0)));
}

static void put_raw(struct transcript *t, const struct wh_bus_msg *msg, uint64_t hash)
{
    struct wh_raw_event e;
    struct wh_arena arena;
    struct wh_err err;

    wh_arena_init(&arena, 4096, 1 << 20);
    th_ok(wh_raw_event_decode(msg->value, &arena, &e, &err), &err);
    hash_more(&hash, e.connection);
    hash_more(&hash, e.instance);
    hash_more(&hash, wh_slice_str(wh_origin_name(e.origin)));
    hash_more(&hash, e.kind);
    hash_more(&hash, e.project);
    hash_more(&hash, e.object_id);
    hash_more(&hash, wh_slice(&e.observed_at_ms, sizeof(e.observed_at_ms)));
    hash_more(&hash, e.delivery_id);
    for (size_t i = 0; i < e.n_headers; i++) {
        hash_more(&hash, e.headers[i].name);
        hash_more(&hash, e.headers[i].value);
    }
    hash_more(&hash, e.payload);
    put_key(t, msg);
    put(t, "%08" PRIx64 "\n", hash & UINT32_MAX);
    wh_arena_done(&arena);
}

/* Where the next member begins whose value is another in each run, and its length; NULL: none. */
static const char *next_random(struct wh_slice json, size_t *ret_len)
{
    /* The nonce of a seal is random, and so are the tokens that a fingerprint is made of. */
    static const char *const marks[] = {"sealed\":\"", "fingerprint\":\""};
    const char *first = NULL;

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *at = memmem(json.ptr, json.len, marks[i], strlen(marks[i]));

        if (at && (first == NULL || at < first)) {
            first = at;
            *ret_len = strlen(marks[i]);
        }
    }
    return first;
}

static void put_unsealed(struct wh_buf *out, struct wh_slice json)
{
    struct wh_err err;

    while (json.len) {
        size_t mark = 0;
        const char *at = next_random(json, &mark);
        size_t n = at ? (size_t)(at - json.ptr) + mark : json.len;
        size_t value = 0;

        th_ok(wh_buf_append(out, wh_slice(json.ptr, n), &err), &err);
        while (at && n + value < json.len && json.ptr[n + value] != '"') {
            value++;
        }
        if (at) {
            th_ok(wh_buf_printf(out, &err, "%zu bytes", value), &err);
        }
        json = wh_slice_from(json, n + value);
    }
}

static void put_document(struct transcript *t, const struct wh_bus_msg *msg, uint64_t hash)
{
    WH_AUTO(buf) struct wh_buf json;
    struct wh_document doc;
    struct wh_err err;

    wh_buf_init(&json, TEXT_MAX_BYTES);
    if (msg->value.ptr == NULL) {
        put_key(t, msg);
        put(t, "gone\n");
        return;
    }
    th_ok(wh_document_decode(msg->value, &doc, &err), &err);
    put_unsealed(&json, doc.document);
    hash_more(&hash, doc.connection);
    hash_more(&hash, doc.key);
    hash_more(&hash, wh_slice(&doc.at_ms, sizeof(doc.at_ms)));
    hash_more(&hash, wh_buf_slice(&json));
    if (json.len > DOCUMENT_MAX && !getenv("GOLDEN_FULL")) {
        json.len = DOCUMENT_MAX;
    }
    put_key(t, msg);
    put(t, "%.*s %08" PRIx64 "\n", (int)json.len, json.ptr, hash & UINT32_MAX);
}

static struct seen *seen_of(struct transcript *t, const char *topic)
{
    for (size_t i = 0; i < t->n_seen; i++) {
        if (strcmp(t->seen[i].topic, topic) == 0) {
            return &t->seen[i];
        }
    }
    assert_true(t->n_seen < TOPICS_MAX);
    (void)snprintf(t->seen[t->n_seen].topic, sizeof(t->seen[0].topic), "%s", topic);
    return &t->seen[t->n_seen++];
}

void transcript_records(struct transcript *t, const char *topic)
{
    struct seen *seen = seen_of(t, topic);
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    size_t n;

    put(t, "-- %s\n", topic);
    for (size_t i = 0; wh_bus_mem_get(t->bus, topic, i, &msg, &headers, &n); i++) {
        uint64_t hash = 0;

        assert_true(msg.partition < PARTITIONS_MAX);
        if (msg.offset < seen->next[msg.partition]) {
            continue;
        }
        seen->next[msg.partition] = msg.offset + 1;
        if (memmem(msg.key.ptr, msg.key.len, ":streams:", 9)) {
            continue; /* how reads fare is told by times and texts; test_run.c compares it */
        }
        hash_headers(&hash, headers, n);
        if (strncmp(topic, "raw.", 4) == 0) {
            put_raw(t, &msg, hash);
        } else {
            put_document(t, &msg, hash);
        }
    }
}

void transcript_json(struct transcript *t, const char *title, struct wh_slice json)
{
    WH_AUTO(buf) struct wh_buf same;

    wh_buf_init(&same, TEXT_MAX_BYTES);
    put_unsealed(&same, json);
    json = wh_buf_slice(&same);
    put(t, "-- %s: %zu bytes %08" PRIx64 "\n", title, json.len, wh_hash64(json) & UINT32_MAX);
    if (getenv("GOLDEN_FULL")) {
        struct wh_err err;

        th_ok(wh_buf_append(&t->text, json, &err), &err);
        put(t, "\n");
    }
}

/* ---- files ---- */

static void write_file(const char *folder, const char *name, struct wh_slice text)
{
    char path[256];
    FILE *f;

    (void)mkdir("build", 0777);
    (void)mkdir(folder, 0777);
    (void)snprintf(path, sizeof(path), "%s/%s.txt", folder, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text.ptr, 1, text.len, f), text.len);
    assert_int_equal(fclose(f), 0);
}

static void read_file(const char *name, struct wh_buf *out)
{
    char path[256];
    char block[4096];
    struct wh_err err;
    size_t n;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s.txt", GOLDEN_FOLDER, name);
    f = fopen(path, "re");
    if (f == NULL) {
        fail_msg("%s is not there; make it with GOLDEN_UPDATE=1", path);
        return;
    }
    while ((n = fread(block, 1, sizeof(block), f)) > 0) {
        th_ok(wh_buf_append(out, wh_slice(block, n), &err), &err);
    }
    (void)fclose(f);
}

static struct wh_slice line_at(struct wh_slice text, size_t at)
{
    struct wh_slice rest = wh_slice_from(text, at < text.len ? at : text.len);
    const char *end = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;

    return end ? wh_slice(rest.ptr, (size_t)(end - rest.ptr)) : rest;
}

static void show_lines(const char *title, struct wh_slice text, size_t at)
{
    print_message("%s\n", title);
    for (int i = 0; i < SHOWN_LINES && at < text.len; i++) {
        struct wh_slice line = line_at(text, at);

        print_message("    %.*s\n", (int)(line.len < 300 ? line.len : 300), line.ptr);
        at += line.len + 1;
    }
}

/* The offset of the first line that differs. */
static size_t first_difference(struct wh_slice a, struct wh_slice b, size_t *ret_line)
{
    size_t at = 0;
    size_t start = 0;

    *ret_line = 1;
    while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at]) {
        if (a.ptr[at++] == '\n') {
            start = at;
            (*ret_line)++;
        }
    }
    return start;
}

/* Each section's title, number of lines and hash. */
static void summarise(struct wh_slice text, struct wh_buf *out)
{
    struct wh_err err;

    for (size_t at = 0; at < text.len;) {
        struct wh_slice title = line_at(text, at);
        size_t start = at + title.len + 1;
        size_t lines = 0;

        for (at = start; at < text.len && !wh_slice_starts(line_at(text, at), WH_LIT("== ")) &&
                         !wh_slice_starts(line_at(text, at), WH_LIT("-- "));
             lines++) {
            at += line_at(text, at).len + 1;
        }
        th_ok(wh_buf_printf(out, &err, "%.*s: %zu lines %08" PRIx64 "\n", WH_SLICE_ARG(title),
                            lines, wh_hash64(wh_slice(text.ptr + start, at - start)) & UINT32_MAX),
              &err);
    }
}

static void compare(const char *name, struct wh_slice actual)
{
    WH_AUTO(buf) struct wh_buf golden;
    size_t line;
    size_t at;

    wh_buf_init(&golden, TEXT_MAX_BYTES);
    read_file(name, &golden);
    if (wh_slice_eq(wh_buf_slice(&golden), actual)) {
        return;
    }
    at = first_difference(wh_buf_slice(&golden), actual, &line);
    show_lines("expected:", wh_buf_slice(&golden), at);
    show_lines("actual:", actual, at);
    fail_msg("%s/%s.txt differs in line %zu; the whole text is in %s/%s.txt", GOLDEN_FOLDER, name,
             line, ACTUAL_FOLDER, name);
}

void transcript_check(const struct transcript *t, const char *name, bool brief)
{
    WH_AUTO(buf) struct wh_buf summary;
    struct wh_slice text = wh_slice(t->text.ptr, t->text.len);

    wh_buf_init(&summary, TEXT_MAX_BYTES);
    write_file(ACTUAL_FOLDER, name, text);
    if (brief) {
        summarise(text, &summary);
        text = wh_buf_slice(&summary);
    }
    if (getenv("GOLDEN_UPDATE")) {
        write_file(GOLDEN_FOLDER, name, text);
    } else {
        compare(name, text);
    }
}
