#include "stages/fetcher/conn/shown.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/check/gone.h"
#include "stages/fetcher/conn/conn_priv.h"

enum { TEXT_MAX = 240 };

/* ---- objects without numbers: the absence remembers the tombstone ---- */

/* The record that says that an object is back. */
struct back {
    struct wh_bus_ack ack; /* first: the record carries it */
    struct absences *absences;
    struct absence copy; /* the key is read from it */
};

static struct absence_key key_of(const struct absence *a)
{
    return (struct absence_key){
        .connection = a->connection, .project = a->project, .kind = a->kind, .id = a->id};
}

/* Until Kafka has the record, the absence stays: the next sighting would tell it again. */
static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct back *b = (struct back *)ack;
    const struct absence_key key = key_of(&b->copy);
    struct absence *a = absences_find(b->absences, &key);

    if (a && d->rc == WH_OK) {
        absences_remove(b->absences, a);
    } else if (a) {
        a->returning = false;
    }
    wh_mem_free(b);
}

static enum wh_rc publish_back(struct conn *c, struct back *b, struct wh_err *err)
{
    struct outbox_row row = conn_row(c, WH_ORIGIN_REST, c->run.id);
    WH_AUTO(buf) struct wh_buf payload;

    wh_buf_init(&payload, ABSENCE_EVENT_MAX);
    if (absence_event(&b->copy, "", &payload, err) != WH_OK) {
        return err->rc;
    }
    row.kind = WH_LIT("back");
    row.project = wh_slice_str(b->copy.project);
    row.object_id = wh_slice_str(b->copy.id);
    row.path = row.kind;
    row.payload = wh_buf_slice(&payload);
    return outbox_row(c->fetcher->outbox, &row, &b->ack, err);
}

static void tell(struct conn *c, struct absence *a)
{
    struct back *b = wh_mem_zalloc(1, sizeof(*b));
    struct wh_err err;

    if (b == NULL) {
        return; /* the next sighting tells it */
    }
    b->ack.fn = on_record;
    b->absences = c->fetcher->absences;
    b->copy = *a;
    a->returning = true;
    if (publish_back(c, b, &err) != WH_OK) {
        a->returning = false;
        wh_mem_free(b);
    }
}

static void shown(struct conn *c, const struct absence_key *key)
{
    struct absence *a = absences_find(c->fetcher->absences, key);

    if (a == NULL || a->returning) {
        return;
    }
    /* A person's row has a field that says so, and whatever is read later sets it. */
    if (a->told && strcmp(a->kind, "user") != 0) {
        tell(c, a);
    } else {
        absences_remove(c->fetcher->absences, a);
    }
}

/* ---- objects with numbers: the number remembers it ---- */

static void shown_number(struct conn *c, const char *project, enum numbers_stream stream,
                         const struct gitlab_row *row, int64_t number, struct wh_json_val value)
{
    struct numbers *n = numbers_of(c->fetcher->numbers, c->id, project, stream, false);
    struct number_set_entry e = n ? number_set_get(n->set, number) : (struct number_set_entry){0};

    if (n && e.id == row->number) {
        (void)gone_back(c->reads.gone, n, number, row->number, numbers_row_confidential(value));
    }
}

/* A tool's row has its numbers as text, and the id as part of a global one. */
static void read_tool_row(const struct gitlab_row *row, struct wh_json_val value,
                          struct gitlab_row *ret_row, int64_t *ret_number)
{
    struct wh_json_val iid = {0};
    struct wh_err err;

    *ret_row = *row;
    *ret_number = 0;
    if (wh_num_i64(wh_slice_str(row->id), &ret_row->number, &err) != WH_OK ||
        !wh_json_get(value, WH_LIT("iid"), &iid)) {
        return;
    }
    if (wh_json_type(iid) == WH_JSON_INT) {
        *ret_number = wh_json_int(iid);
    } else if (wh_num_i64(wh_json_string(iid), ret_number, &err) != WH_OK) {
        *ret_number = 0;
    }
}

/* ---- where it comes from ---- */

/* The kind and the id of the entity that a row of a listing shows; false: it has none. */
static bool entity_of(const struct listing_task *task, const struct gitlab_row *row,
                      struct wh_json_val value, const char **ret_kind, char id[TEXT_MAX])
{
    const char *kind = streams[task->stream].kind;
    struct wh_json_val tag = {0};

    *ret_kind = kind;
    if (strcmp(kind, "member") == 0) {
        *ret_kind = "membership";
        (void)snprintf(id, TEXT_MAX, "project:%s:%s", task->project->id, row->id);
    } else if (strcmp(kind, "release") == 0) {
        if (!wh_json_get(value, WH_LIT("tag_name"), &tag)) {
            return false;
        }
        (void)snprintf(id, TEXT_MAX, "%s:%.*s", task->project->id,
                       WH_SLICE_ARG(wh_json_string(tag)));
    } else {
        (void)snprintf(id, TEXT_MAX, "%s", row->id);
    }
    return id[0] != '\0';
}

void shown_by_listing(struct conn *c, const struct listing_task *task, const struct gitlab_row *row,
                      struct wh_json_val value)
{
    enum numbers_stream stream = numbers_stream_of(task->stream);
    struct gitlab_row known;
    char id[TEXT_MAX];
    const char *kind;
    int64_t number;

    if (task->project == NULL) {
        return;
    }
    if (stream != NUMBERS_STREAMS && task->tool) {
        read_tool_row(row, value, &known, &number);
        shown_number(c, task->project->id, stream, &known, number, value);
    }
    if (entity_of(task, row, value, &kind, id)) {
        const struct absence_key key = {c->id, task->project->id, kind, id};

        shown(c, &key);
    }
}

void shown_by_record(struct conn *c, const struct outbox_row *row)
{
    bool job = wh_slice_eq(row->kind, WH_LIT("job")) || wh_slice_eq(row->kind, WH_LIT("bridge"));
    char project[PROJECT_ID_MAX];
    char id[TEXT_MAX];
    const struct absence_key key = {c->id, project, job ? "job" : "note", id};

    if (!job && !wh_slice_eq(row->kind, WH_LIT("note"))) {
        return;
    }
    (void)snprintf(project, sizeof(project), "%.*s", WH_SLICE_ARG(row->project));
    (void)snprintf(id, sizeof(id), "%.*s", WH_SLICE_ARG(row->object_id));
    shown(c, &key);
}

void shown_by_reread(struct conn *c, const struct absence_key *key, struct wh_json_val value)
{
    struct gitlab_row row;
    struct wh_err err;
    int64_t number = 0;

    shown(c, key);
    gitlab_row_read(value, &row);
    for (unsigned s = 0; s < NUMBERS_PROJECT; s++) {
        if (strcmp(numbers_stream_kind((enum numbers_stream)s), key->kind) == 0 &&
            wh_num_i64(wh_slice_str(row.iid), &number, &err) == WH_OK) {
            shown_number(c, key->project, (enum numbers_stream)s, &row, number, value);
        }
    }
}
