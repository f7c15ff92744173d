#include "common/event/health.h"

#include "common/json/json_doc.h"
#include "common/json/json_write.h"

static const char *const kinds[WH_OUTCOME_KINDS] = {
    "issue",     "merge_request", "pipeline", "job",     "deployment", "environment", "release",
    "milestone", "note",          "user",     "project", "membership", "other"};

/* ---- what a run changed ---- */

const char *wh_outcome_kind(unsigned i)
{
    return kinds[i < WH_OUTCOME_KINDS ? i : WH_OUTCOME_KINDS - 1];
}

unsigned wh_outcome_kind_of(struct wh_slice source_kind)
{
    unsigned i = 0;

    while (i < WH_OUTCOME_KINDS - 1 && !wh_slice_eq(source_kind, wh_slice_str(kinds[i]))) {
        i++;
    }
    return i;
}

struct wh_outcome_counts wh_outcome_sum(const struct wh_outcome *o)
{
    struct wh_outcome_counts sum = {0};

    for (unsigned i = 0; i < WH_OUTCOME_KINDS; i++) {
        sum.read += o->kinds[i].read;
        sum.added += o->kinds[i].added;
        sum.changed += o->kinds[i].changed;
        sum.repaired += o->kinds[i].repaired;
        sum.deleted += o->kinds[i].deleted;
    }
    return sum;
}

static void put_counts(struct wh_json_writer *w, const struct wh_outcome_counts *n)
{
    wh_jw_object(w);
    wh_jw_put_int(w, "read", n->read);
    wh_jw_put_int(w, "new", n->added);
    wh_jw_put_int(w, "changed", n->changed);
    wh_jw_put_int(w, "repaired", n->repaired);
    wh_jw_put_int(w, "deleted", n->deleted);
    wh_jw_end(w);
}

enum wh_rc wh_outcome_write(const struct wh_outcome *o, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "connection", o->connection);
    wh_jw_put_int(&w, "run", o->run);
    wh_jw_put_int(&w, "at_ms", o->at_ms);
    wh_jw_put_ms(&w, "last_webhook_ms", o->last_webhook_ms);
    wh_jw_put_ms(&w, "repaired_oldest_ms", o->repaired_oldest_ms);
    wh_jw_key(&w, "kinds");
    wh_jw_object(&w);
    for (unsigned i = 0; i < WH_OUTCOME_KINDS; i++) {
        if (o->kinds[i].read > 0) {
            wh_jw_key(&w, kinds[i]);
            put_counts(&w, &o->kinds[i]);
        }
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

enum wh_rc wh_outcome_parse(struct wh_slice json, struct wh_json_parser *parser,
                            struct wh_outcome *ret, struct wh_err *err)
{
    struct wh_outcome o = {0};
    struct wh_json_val root;
    struct wh_json_val all;
    struct wh_json_val n;

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return wh_err_prefix(err, "outcome of a run");
    }
    o.connection = wh_json_get_str(root, "connection");
    o.run = wh_json_get_int(root, "run", 0);
    o.at_ms = wh_json_get_int(root, "at_ms", 0);
    o.last_webhook_ms = wh_json_get_int(root, "last_webhook_ms", 0);
    o.repaired_oldest_ms = wh_json_get_int(root, "repaired_oldest_ms", 0);
    if (o.connection.len == 0 || o.run <= 0 || !wh_json_get(root, WH_LIT("kinds"), &all)) {
        return wh_fail(err, WH_E_MISSING, "outcome of a run: connection, run or kinds is missing");
    }
    for (unsigned i = 0; i < WH_OUTCOME_KINDS; i++) {
        if (wh_json_get(all, wh_slice_str(kinds[i]), &n)) {
            o.kinds[i] = (struct wh_outcome_counts){.read = wh_json_get_int(n, "read", 0),
                                                    .added = wh_json_get_int(n, "new", 0),
                                                    .changed = wh_json_get_int(n, "changed", 0),
                                                    .repaired = wh_json_get_int(n, "repaired", 0),
                                                    .deleted = wh_json_get_int(n, "deleted", 0)};
        }
    }
    *ret = o;
    return WH_OK;
}

/* ---- webhooks ---- */

enum wh_rc wh_webhook_health_write(const struct wh_webhook_health *h, struct wh_buf *out,
                                   struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "connection", h->connection);
    wh_jw_put_str(&w, "intake", h->intake);
    wh_jw_put_int(&w, "at_ms", h->at_ms);
    wh_jw_put_ms(&w, "last_ok_ms", h->last_ok_ms);
    wh_jw_put_ms(&w, "last_unauthorized_ms", h->last_unauthorized_ms);
    wh_jw_put_int(&w, "accepted", h->accepted);
    wh_jw_put_int(&w, "unauthorized", h->unauthorized);
    wh_jw_put_int(&w, "refused", h->refused);
    wh_jw_key(&w, "projects");
    wh_jw_array(&w);
    for (size_t i = 0; i < h->n_lines; i++) {
        wh_jw_object(&w);
        wh_jw_put_str(&w, "project", h->lines[i].project);
        wh_jw_put_str(&w, "event", h->lines[i].event);
        wh_jw_put_int(&w, "last_ms", h->lines[i].last_ms);
        wh_jw_put_int(&w, "count", h->lines[i].count);
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static enum wh_rc read_lines(struct wh_json_val list, struct wh_arena *arena,
                             struct wh_webhook_health *h, struct wh_err *err)
{
    struct wh_webhook_line *lines;
    struct wh_json_iter it;
    struct wh_json_val item;
    struct wh_slice key;
    void *memory;
    size_t n = 0;

    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        n++;
    }
    if (wh_arena_zalloc(arena, n + 1, sizeof(*lines), &memory, err) != WH_OK) {
        return err->rc;
    }
    lines = memory;
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        lines[h->n_lines++] =
            (struct wh_webhook_line){.project = wh_json_get_str(item, "project"),
                                     .event = wh_json_get_str(item, "event"),
                                     .last_ms = wh_json_get_int(item, "last_ms", 0),
                                     .count = wh_json_get_int(item, "count", 0)};
    }
    h->lines = lines;
    return WH_OK;
}

enum wh_rc wh_webhook_health_parse(struct wh_slice json, struct wh_json_parser *parser,
                                   struct wh_arena *arena, struct wh_webhook_health *ret,
                                   struct wh_err *err)
{
    struct wh_webhook_health h = {0};
    struct wh_json_val root;
    struct wh_json_val list;

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return wh_err_prefix(err, "health of webhooks");
    }
    h.connection = wh_json_get_str(root, "connection");
    h.intake = wh_json_get_str(root, "intake");
    h.at_ms = wh_json_get_int(root, "at_ms", 0);
    h.last_ok_ms = wh_json_get_int(root, "last_ok_ms", 0);
    h.last_unauthorized_ms = wh_json_get_int(root, "last_unauthorized_ms", 0);
    h.accepted = wh_json_get_int(root, "accepted", 0);
    h.unauthorized = wh_json_get_int(root, "unauthorized", 0);
    h.refused = wh_json_get_int(root, "refused", 0);
    if (h.connection.len == 0 || !wh_json_get(root, WH_LIT("projects"), &list)) {
        return wh_fail(err, WH_E_MISSING, "health of webhooks: connection or projects is missing");
    }
    if (read_lines(list, arena, &h, err) != WH_OK) {
        return err->rc;
    }
    *ret = h;
    return WH_OK;
}
