/*
 * The read-only part of the schema registry's API under /registry: kcat, Redpanda Console, kafbat
 * and AKHQ ask it for the schemas of our topics. No token: the schemas are no secret, and these
 * tools send none. Subjects are <topic>-value, ids and versions are those of the build
 * (schemas/ids.json); of rows.<table> they follow from the content (rowtopics.h).
 */
#include <stdio.h>

#include "common/avro/schemas.h"
#include "common/base/num.h"
#include "common/event/topics.h"
#include "stages/sink/api/api_priv.h"

enum {
    TOPICS_MAX = 256,
    ROWS_MAX = 128,
    SUBJECTS_MAX = 3 * TOPICS_MAX + ROWS_MAX + 6,
    ANSWER_MAX_BYTES = 1 << 20
};

static const char type[] = "application/vnd.schemaregistry.v1+json";

/* ---- subjects ---- */

struct subject {
    char name[WH_TOPIC_MAX + 8];
    enum wh_schema schema; /* WH_SCHEMA_COUNT: one of rows */
};

struct subjects {
    struct rowtopics *rows; /* NULL: there are none */
    struct wh_arena arena;
    struct subject *items;
    size_t n;
};

static void add_subject(struct subjects *s, const char *prefix, enum wh_topic_role role,
                        const char *connection, enum wh_schema schema)
{
    char topic[WH_TOPIC_MAX];
    struct wh_err err;

    if (s->n < SUBJECTS_MAX &&
        wh_topic_name(prefix, role, wh_slice_str(connection), topic, &err) == WH_OK) {
        (void)snprintf(s->items[s->n].name, sizeof(s->items[s->n].name), "%s-value", topic);
        s->items[s->n++].schema = schema;
    }
}

/* The prefix follows from a topic of a known connection, "wellhead.entities.c1". */
static bool prefix_of(const struct sink_topic_status *t, char *prefix, size_t size)
{
    static const char role[] = "entities.";
    size_t len = strlen(t->topic);
    size_t tail = sizeof(role) - 1 + strlen(t->connection);

    if (t->connection[0] == 0 || len < tail || len - tail >= size ||
        strncmp(t->topic + len - tail, role, sizeof(role) - 1) != 0) {
        return false;
    }
    memcpy(prefix, t->topic, len - tail);
    prefix[len - tail] = 0;
    return true;
}

static void add_topics(struct subjects *s, const struct sink_topic_status *topics, size_t n)
{
    char prefix[WH_TOPIC_MAX] = "wellhead.";

    for (size_t i = 0; i < n; i++) {
        if (prefix_of(&topics[i], prefix, sizeof(prefix))) {
            add_subject(s, prefix, WH_TOPIC_RAW, topics[i].connection, WH_SCHEMA_RAW_EVENT);
            add_subject(s, prefix, WH_TOPIC_ENTITIES, topics[i].connection, WH_SCHEMA_OBSERVATION);
            add_subject(s, prefix, WH_TOPIC_DEAD_LETTER, topics[i].connection,
                        WH_SCHEMA_DEAD_LETTER);
        }
    }
    add_subject(s, prefix, WH_TOPIC_CONNECTIONS, "", WH_SCHEMA_CONNECTION);
    add_subject(s, prefix, WH_TOPIC_FETCH_STATE, "", WH_SCHEMA_FETCH_STATE);
    add_subject(s, prefix, WH_TOPIC_REREADS, "", WH_SCHEMA_REREAD);
    add_subject(s, prefix, WH_TOPIC_RUNS, "", WH_SCHEMA_RUN);
    add_subject(s, prefix, WH_TOPIC_HEALTH, "", WH_SCHEMA_HEALTH);
    add_subject(s, prefix, WH_TOPIC_DECISIONS, "", WH_SCHEMA_DECISION);
}

static const struct subject *find_subject(const struct subjects *s, struct wh_slice name);

static void add_rows(struct subjects *s)
{
    size_t n = s->rows ? rowtopics_schemas(s->rows) : 0;

    for (size_t i = 0; i < n; i++) {
        const struct rowtopics_schema *schema = rowtopics_schema_at(s->rows, i);

        if (s->n < SUBJECTS_MAX && find_subject(s, wh_slice_str(schema->subject)) == NULL) {
            (void)snprintf(s->items[s->n].name, sizeof(s->items[s->n].name), "%s", schema->subject);
            s->items[s->n++].schema = WH_SCHEMA_COUNT;
        }
    }
}

/* A schema of rows as one of the build. */
static struct wh_schema_info info_of(const struct rowtopics_schema *row)
{
    return (struct wh_schema_info){.id = row->id,
                                   .schema = WH_SCHEMA_COUNT,
                                   .version = row->version,
                                   .begin = row->text,
                                   .end = row->text + row->len};
}

/* The i-th version of a subject of rows; false past the last. */
static bool row_version(const struct subjects *s, const struct subject *subject, size_t i,
                        struct wh_schema_info *ret)
{
    size_t n = rowtopics_schemas(s->rows);

    for (size_t k = 0; k < n; k++) {
        const struct rowtopics_schema *row = rowtopics_schema_at(s->rows, k);

        if (strcmp(row->subject, subject->name) == 0 && i-- == 0) {
            *ret = info_of(row);
            return true;
        }
    }
    return false;
}

static bool row_by_id(const struct subjects *s, int64_t id, struct wh_schema_info *ret)
{
    size_t n = s->rows ? rowtopics_schemas(s->rows) : 0;

    for (size_t i = 0; i < n; i++) {
        const struct rowtopics_schema *row = rowtopics_schema_at(s->rows, i);

        if (row->id == id) {
            *ret = info_of(row);
            return true;
        }
    }
    return false;
}

static enum wh_rc load_subjects(struct sink_api *api, struct subjects *s, struct wh_err *err)
{
    void *items;
    void *topics;
    size_t n = 0;

    wh_arena_init(&s->arena, 64 << 10, 4 << 20);
    s->n = 0;
    s->rows = api->deps.rows;
    if (wh_arena_zalloc(&s->arena, SUBJECTS_MAX, sizeof(struct subject), &items, err) != WH_OK ||
        wh_arena_zalloc(&s->arena, TOPICS_MAX, sizeof(struct sink_topic_status), &topics, err) !=
            WH_OK) {
        return err->rc;
    }
    s->items = items;
    if (api->deps.sink) {
        n = sink_topics_get(api->deps.sink, topics, TOPICS_MAX);
    }
    add_topics(s, topics, n < TOPICS_MAX ? n : TOPICS_MAX);
    add_rows(s);
    return WH_OK;
}

static const struct subject *find_subject(const struct subjects *s, struct wh_slice name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (wh_slice_eq(name, wh_slice_str(s->items[i].name))) {
            return &s->items[i];
        }
    }
    return NULL;
}

/* ---- answers ---- */

struct registry_answer {
    unsigned status;
    struct wh_buf body;
    struct wh_json_writer w;
};

static void fail(struct registry_answer *a, int code, const char *message)
{
    wh_buf_reset(&a->body);
    wh_json_writer_init(&a->w, &a->body);
    a->status = (unsigned)code / 100;
    wh_jw_object(&a->w);
    wh_jw_key(&a->w, "error_code");
    wh_jw_int(&a->w, code);
    wh_jw_key(&a->w, "message");
    wh_jw_str(&a->w, wh_slice_str(message));
    wh_jw_end(&a->w);
}

static bool is_latest(struct wh_slice text)
{
    return wh_slice_eq(text, WH_LIT("latest")) || wh_slice_eq(text, WH_LIT("-1"));
}

static bool row_version_of(const struct subjects *s, const struct subject *subject,
                           struct wh_slice text, struct wh_schema_info *ret)
{
    int64_t version = 0;
    struct wh_err err;
    bool found = false;

    if (!is_latest(text)) {
        return wh_num_i64(text, &version, &err) == WH_OK && version > 0 &&
               row_version(s, subject, (size_t)version - 1, ret);
    }
    for (size_t i = 0; row_version(s, subject, i, ret); i++) {
        found = true;
    }
    return found;
}

static bool version_of(const struct subjects *s, const struct subject *subject,
                       struct wh_slice text, struct wh_schema_info *ret)
{
    const struct wh_schema_info *all;
    int64_t version = 0;
    struct wh_err err;
    size_t n;

    if (subject->schema == WH_SCHEMA_COUNT) {
        return row_version_of(s, subject, text, ret);
    }
    if (is_latest(text)) {
        *ret = *wh_schema_current(subject->schema);
        return true;
    }
    if (wh_num_i64(text, &version, &err) != WH_OK) {
        return false;
    }
    all = wh_schemas(&n);
    for (size_t i = 0; i < n; i++) {
        if (all[i].schema == subject->schema && all[i].version == version) {
            *ret = all[i];
            return true;
        }
    }
    return false;
}

static void schema_object(struct wh_json_writer *w, const struct wh_schema_info *info)
{
    wh_jw_key(w, "schemaType");
    wh_jw_str(w, WH_LIT("AVRO"));
    wh_jw_key(w, "schema");
    wh_jw_str(w, wh_schema_text(info));
}

static void subject_version(struct registry_answer *a, const struct subjects *s,
                            const struct subject *subject, struct wh_slice version,
                            struct wh_slice rest)
{
    struct wh_schema_info found;
    const struct wh_schema_info *info = &found;

    if (!version_of(s, subject, version, &found)) {
        fail(a, 40402, "Version not found.");
    } else if (wh_slice_eq(rest, WH_LIT("schema"))) {
        wh_jw_raw(&a->w, wh_schema_text(info));
    } else if (rest.len) {
        fail(a, 40403, "Schema not found");
    } else {
        wh_jw_object(&a->w);
        wh_jw_key(&a->w, "subject");
        wh_jw_str(&a->w, wh_slice_str(subject->name));
        wh_jw_key(&a->w, "version");
        wh_jw_int(&a->w, info->version);
        wh_jw_key(&a->w, "id");
        wh_jw_int(&a->w, info->id);
        schema_object(&a->w, info);
        wh_jw_end(&a->w);
    }
}

static void subject_versions(struct registry_answer *a, const struct subjects *s,
                             const struct subject *subject)
{
    const struct wh_schema_info *all;
    struct wh_schema_info row;
    size_t n;

    all = wh_schemas(&n);
    wh_jw_array(&a->w);
    for (size_t i = 0; subject->schema == WH_SCHEMA_COUNT && row_version(s, subject, i, &row);
         i++) {
        wh_jw_int(&a->w, row.version);
    }
    for (size_t i = 0; i < n; i++) {
        if (all[i].schema == subject->schema) {
            wh_jw_int(&a->w, all[i].version);
        }
    }
    wh_jw_end(&a->w);
}

/* The first part of a path; the rest without the slash. */
static struct wh_slice part(struct wh_slice *rest)
{
    size_t n = 0;
    struct wh_slice first;

    while (n < rest->len && rest->ptr[n] != '/') {
        n++;
    }
    first = wh_slice(rest->ptr, n);
    *rest = wh_slice_from(*rest, n + 1);
    return first;
}

static void subjects_path(struct registry_answer *a, const struct subjects *s, struct wh_slice rest)
{
    const struct subject *subject;
    struct wh_slice version;

    if (rest.len == 0) {
        wh_jw_array(&a->w);
        for (size_t i = 0; i < s->n; i++) {
            wh_jw_str(&a->w, wh_slice_str(s->items[i].name));
        }
        wh_jw_end(&a->w);
        return;
    }
    subject = find_subject(s, part(&rest));
    if (subject == NULL) {
        fail(a, 40401, "Subject not found.");
    } else if (!wh_slice_eq(part(&rest), WH_LIT("versions"))) {
        fail(a, 40402, "Version not found.");
    } else if (rest.len == 0) {
        subject_versions(a, s, subject);
    } else {
        version = part(&rest);
        subject_version(a, s, subject, version, rest);
    }
}

static void id_subjects(struct registry_answer *a, const struct subjects *s,
                        const struct wh_schema_info *info, bool versions)
{
    wh_jw_array(&a->w);
    for (size_t i = 0; i < s->n; i++) {
        struct wh_schema_info row;

        if (s->items[i].schema != info->schema ||
            (info->schema == WH_SCHEMA_COUNT &&
             (!row_version(s, &s->items[i], (size_t)info->version - 1, &row) ||
              row.id != info->id))) {
            continue;
        }
        if (!versions) {
            wh_jw_str(&a->w, wh_slice_str(s->items[i].name));
            continue;
        }
        wh_jw_object(&a->w);
        wh_jw_key(&a->w, "subject");
        wh_jw_str(&a->w, wh_slice_str(s->items[i].name));
        wh_jw_key(&a->w, "version");
        wh_jw_int(&a->w, info->version);
        wh_jw_end(&a->w);
    }
    wh_jw_end(&a->w);
}

static void ids_path(struct registry_answer *a, const struct subjects *s, struct wh_slice rest)
{
    const struct wh_schema_info *info = NULL;
    struct wh_schema_info row;
    struct wh_err err;
    int64_t id = 0;

    if (wh_num_i64(part(&rest), &id, &err) == WH_OK && id >= INT32_MIN && id <= INT32_MAX) {
        info = wh_schema_by_id((int32_t)id);
        info = info == NULL && row_by_id(s, id, &row) ? &row : info;
    }
    if (info == NULL) {
        fail(a, 40403, "Schema not found");
    } else if (wh_slice_eq(rest, WH_LIT("schema"))) {
        wh_jw_raw(&a->w, wh_schema_text(info));
    } else if (wh_slice_eq(rest, WH_LIT("subjects")) || wh_slice_eq(rest, WH_LIT("versions"))) {
        id_subjects(a, s, info, wh_slice_eq(rest, WH_LIT("versions")));
    } else {
        wh_jw_object(&a->w);
        schema_object(&a->w, info);
        wh_jw_end(&a->w);
    }
}

static void object_of(struct registry_answer *a, const char *key, const char *value)
{
    wh_jw_object(&a->w);
    wh_jw_key(&a->w, key);
    wh_jw_str(&a->w, wh_slice_str(value));
    wh_jw_end(&a->w);
}

static void route(struct registry_answer *a, const struct subjects *s, struct wh_slice rest)
{
    struct wh_slice first = part(&rest);

    if (wh_slice_eq(first, WH_LIT("subjects"))) {
        subjects_path(a, s, rest);
    } else if (wh_slice_eq(first, WH_LIT("config"))) {
        object_of(a, "compatibilityLevel", "FULL_TRANSITIVE");
    } else if (wh_slice_eq(first, WH_LIT("mode"))) {
        object_of(a, "mode", "READONLY");
    } else if (first.len == 0) {
        wh_jw_object(&a->w);
        wh_jw_end(&a->w);
    } else if (!wh_slice_eq(first, WH_LIT("schemas"))) {
        fail(a, 404, "HTTP 404 Not Found");
        a->status = 404;
    } else if (wh_slice_eq(rest, WH_LIT("types"))) {
        wh_jw_array(&a->w);
        wh_jw_str(&a->w, WH_LIT("AVRO"));
        wh_jw_end(&a->w);
    } else if (wh_slice_eq(part(&rest), WH_LIT("ids")) && rest.len) {
        ids_path(a, s, rest);
    } else {
        fail(a, 40403, "Schema not found");
    }
}

static void answer(struct sink_api *api, struct registry_answer *a, struct wh_slice method,
                   struct wh_slice rest)
{
    struct subjects s;
    struct wh_err err;

    if (!wh_slice_eq(method, WH_LIT("GET")) && !wh_slice_eq(method, WH_LIT("HEAD"))) {
        fail(a, 42205, "Subject is in read-only mode: schemas come with the build");
        return;
    }
    if (load_subjects(api, &s, &err) != WH_OK) {
        fail(a, 50001, "Error in the backend data store");
        wh_arena_done(&s.arena);
        return;
    }
    route(a, &s, rest);
    wh_arena_done(&s.arena);
}

void api_registry(struct sink_api *api, struct wh_http_req *req, struct wh_slice path)
{
    struct registry_answer a = {.status = 200};
    struct wh_err err;

    wh_buf_init(&a.body, ANSWER_MAX_BYTES);
    wh_json_writer_init(&a.w, &a.body);
    answer(api, &a, wh_http_method(req), wh_slice_from(path, sizeof("/registry/") - 1));
    if (wh_jw_finish(&a.w, &err) != WH_OK) {
        fail(&a, 50001, "Error in the backend data store");
    }
    wh_http_reply(req, &(struct wh_http_reply){.status = a.status,
                                               .content_type = type,
                                               .body = wh_buf_slice(&a.body)});
    wh_buf_done(&a.body);
}
