#include "stages/fetcher/conn/status_gone.h"

#include <inttypes.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/listed_ledger.h"

enum { EXAMPLES_MAX = 5, UNSURE_MAX = 20, ADDRESS_MAX = 4096 };

/* ---- held ---- */

/* A project whose path is not known is named by its id, as in GitLab's API. */
static void address_of(const struct conn *c, const struct numbers *n, int64_t number,
                       struct wh_buf *out)
{
    const struct project *p = projects_find(&c->projects, n->project);
    bool path = p && p->path;
    struct wh_err err;
    int64_t last = n->stream == NUMBERS_PIPELINES ? number_set_get(n->set, number).id : number;

    if (wh_buf_printf(out, &err, "%s%s/%s", c->instance, path ? "" : "/api/v4/projects",
                      path ? p->path : n->project) != WH_OK ||
        n->stream == NUMBERS_PROJECT) {
        return; /* an address that is too long is cut */
    }
    (void)!wh_buf_printf(out, &err, "%s/%s/%" PRId64, path ? "/-" : "",
                         numbers_stream_name(n->stream), last);
}

static void write_examples(const struct conn *c, const struct numbers *n, struct wh_json_writer *w)
{
    WH_AUTO(buf) struct wh_buf address;
    int64_t number = 0;

    wh_buf_init(&address, ADDRESS_MAX);
    wh_jw_key(w, "examples");
    wh_jw_array(w);
    for (int i = 0; i < EXAMPLES_MAX && number_set_next(n->set, number, 1u << NUMBER_HELD, &number);
         i++) {
        wh_buf_reset(&address);
        address_of(c, n, number, &address);
        wh_jw_str(w, wh_buf_slice(&address));
    }
    wh_jw_end(w);
}

static void write_held(const struct conn *c, const struct numbers *n, struct wh_json_writer *w)
{
    const struct project *p = projects_find(&c->projects, n->project);
    struct number_counts counts = number_set_counts(n->set);

    wh_jw_object(w);
    wh_jw_put_str(w, "project", wh_slice_str(n->project));
    wh_jw_put_str(w, "path", wh_slice_str(p && p->path ? p->path : ""));
    wh_jw_put_str(w, "stream", wh_slice_str(numbers_stream_name(n->stream)));
    wh_jw_put_int(w, "count", counts.held);
    wh_jw_put_int(w, "known", counts.held + counts.have);
    write_examples(c, n, w);
    wh_jw_end(w);
}

/* Objects without numbers: one entry for each project and kind. */
struct held_kind {
    const struct conn *c;
    struct wh_json_writer *w;
    const struct absence *last; /* NULL: none yet */
    int64_t n;
};

static void end_kind(struct held_kind *h)
{
    if (h->last) {
        wh_jw_end(h->w);
        wh_jw_put_int(h->w, "count", h->n);
        wh_jw_put_int(h->w, "known", listed_ledger_known(h->c, h->last->project, h->last->kind));
        wh_jw_end(h->w);
    }
}

static void begin_kind(struct held_kind *h, const struct absence *a)
{
    const struct project *p = projects_find(&h->c->projects, a->project);

    h->n = 0;
    wh_jw_object(h->w);
    wh_jw_put_str(h->w, "project", wh_slice_str(a->project));
    wh_jw_put_str(h->w, "path", wh_slice_str(p && p->path ? p->path : ""));
    wh_jw_put_str(h->w, "stream", wh_slice_str(a->kind));
    wh_jw_key(h->w, "examples");
    wh_jw_array(h->w);
}

static void write_held_absence(void *ctx, const struct absence *a)
{
    struct held_kind *h = ctx;

    if (!a->held) {
        return;
    }
    if (h->last == NULL || strcmp(h->last->kind, a->kind) != 0 ||
        strcmp(h->last->project, a->project) != 0) {
        end_kind(h);
        begin_kind(h, a);
    }
    h->last = a;
    if (h->n++ < EXAMPLES_MAX) {
        wh_jw_str(h->w, wh_slice_str(a->id));
    }
}

static void write_all_held(const struct conn *c, struct wh_json_writer *w)
{
    struct held_kind h = {.c = c, .w = w};

    const struct numbers_table *t = c->fetcher->numbers;

    wh_jw_key(w, "held");
    wh_jw_array(w);
    for (const struct numbers *n = numbers_next(t, NULL); n; n = numbers_next(t, n)) {
        if (n->holds && strcmp(n->connection, c->id) == 0 && number_set_counts(n->set).held > 0) {
            write_held(c, n, w);
        }
    }
    absences_each_unsure(c->fetcher->absences, c->id, write_held_absence, &h);
    end_kind(&h);
    wh_jw_end(w);
}

/* ---- unsure ---- */

struct unsure {
    struct wh_json_writer *w;
    size_t n;
};

static void write_unsure(void *ctx, const struct absence *a)
{
    struct unsure *u = ctx;

    if (a->held || u->n++ >= UNSURE_MAX) {
        return;
    }
    wh_jw_object(u->w);
    wh_jw_put_str(u->w, "project", wh_slice_str(a->project));
    wh_jw_put_str(u->w, "kind", wh_slice_str(a->kind));
    wh_jw_put_str(u->w, "id", wh_slice_str(a->id));
    if (a->number) {
        wh_jw_put_int(u->w, "number", a->number);
    }
    wh_jw_put_ms(u->w, "since_ms", a->first_ms);
    wh_jw_end(u->w);
}

void status_gone_write(const struct conn *c, struct wh_json_writer *w)
{
    struct unsure u = {.w = w};

    wh_jw_put_int(w, "held_deletes", c->run.held);
    write_all_held(c, w);
    wh_jw_key(w, "unsure");
    wh_jw_array(w);
    absences_each_unsure(c->fetcher->absences, c->id, write_unsure, &u);
    wh_jw_end(w);
    wh_jw_put_int(w, "unsure_deletes", (int64_t)u.n);
}
