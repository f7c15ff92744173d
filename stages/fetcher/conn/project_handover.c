#include "stages/fetcher/conn/project_handover.h"

#include <stdio.h>

#include "stages/fetcher/conn/conn_priv.h"

enum { EPOCH_MAX = 64 };

#define PROJECT_SUFFIX ":project"
#define PROJECTS_SUFFIX "::projects"

/* ---- the owner announces ---- */

/* A record is a cursor whose rows are the epoch. */
static struct wh_slice write_epoch(const struct conn *c, char text[EPOCH_MAX])
{
    int n = snprintf(text, EPOCH_MAX, "{\"rows\":%lld}", (long long)c->announced.epoch_ms);

    return wh_slice(text, n > 0 ? (size_t)n : 0);
}

static enum wh_rc announce_one(struct conn *c, const struct project *p, bool there,
                               struct wh_err *err)
{
    struct wh_slice id = wh_slice_str(p->id);
    char key[CURSOR_KEY_MAX];
    char json[EPOCH_MAX];

    cursor_key(key, c->id, id, "project");
    return fetcher_save_state(c->fetcher, wh_slice_str(c->id), id, wh_slice_str(key),
                              there ? write_epoch(c, json) : WH_LIT(""), NULL, err);
}

static enum wh_rc announce_all(struct conn *c, struct wh_err *err)
{
    char key[CURSOR_KEY_MAX];
    char json[EPOCH_MAX];

    cursor_key(key, c->id, WH_LIT(""), "projects");
    return fetcher_save_everywhere(c->fetcher, c, key, write_epoch(c, json), true, err);
}

void project_handover_announce(struct conn *c)
{
    struct wh_err err;
    enum wh_rc rc = WH_OK;

    if (c->fetcher->ownership.partitions == 0) {
        return;
    }
    c->announced.epoch_ms = c->announced.epoch_ms ? c->announced.epoch_ms : c->run.started_ms;
    for (struct project *p = c->projects.first; p && rc == WH_OK; p = p->next) {
        bool there = p->skipped[0] == '\0';

        if (p->announced != there) {
            rc = announce_one(c, p, there, &err);
            p->announced = rc == WH_OK ? there : p->announced;
        }
    }
    if (rc == WH_OK && !c->announced.all) {
        rc = announce_all(c, &err);
        c->announced.all = rc == WH_OK;
    }
    if (rc != WH_OK) {
        wh_log_warn(c->fetcher->deps.log, "projects not announced to the other fetchers",
                    WH_STR("connection", c->id), WH_RC(&err));
    }
}

void project_handover_forget(struct conn *c)
{
    c->announced.epoch_ms = 0;
    c->announced.all = false;
    for (struct project *p = c->projects.first; p; p = p->next) {
        p->announced = false;
    }
}

/* ---- the others take over ---- */

struct recall {
    struct conn *conn;
    uint64_t epoch;
};

static void recall_one(void *ctx, struct wh_slice key, struct cursor *cursor)
{
    const struct recall *r = ctx;
    size_t before = strlen(r->conn->id) + 1;
    struct project *p;

    if (!wh_slice_ends(key, WH_LIT(PROJECT_SUFFIX)) || cursor->rows < r->epoch ||
        key.len <= before + sizeof(PROJECT_SUFFIX) - 1) {
        return;
    }
    p = projects_add(&r->conn->projects,
                     wh_slice(key.ptr + before, key.len - before - (sizeof(PROJECT_SUFFIX) - 1)));
    if (p) {
        conn_project_listed(r->conn, p);
    }
}

void project_handover_recall(struct conn *c)
{
    struct recall r = {.conn = c};
    const struct cursor *epoch;
    char key[CURSOR_KEY_MAX];

    cursor_key(key, c->id, WH_LIT(""), "projects");
    epoch = cursors_get(c->fetcher->cursors, wh_slice_str(key));
    if (epoch == NULL || epoch->rows == 0) {
        return;
    }
    r.epoch = epoch->rows;
    (void)snprintf(key, sizeof(key), "%s:", c->id);
    cursors_each(c->fetcher->cursors, wh_slice_str(key), recall_one, &r);
}

/* The records that this member wrote itself arrive here too. */
static struct conn *take(struct fetcher *f, const struct wh_bus_msg *msg)
{
    const char *colon = memchr(msg->key.ptr, ':', msg->key.len);
    struct conn *c = fetcher_find(f, wh_slice(msg->key.ptr, (size_t)(colon - msg->key.ptr)));
    struct cursor *known = cursors_get(f->cursors, msg->key);
    struct wh_document doc;
    struct wh_err err;

    if (known == NULL) {
        return NULL;
    }
    if (msg->value.ptr == NULL) {
        cursor_clear(known);
    } else if (wh_document_decode(msg->value, &doc, &err) != WH_OK ||
               cursor_parse(doc.document, f->rows, known, &err) != WH_OK) {
        return NULL;
    }
    return c && f->caught_up && !fetcher_owns(f, c->id, NULL) &&
                   ownership_works_on(&f->ownership, msg->partition)
               ? c
               : NULL;
}

bool project_handover_take(struct fetcher *f, const struct wh_bus_msg *msg, struct conn **ret_news)
{
    *ret_news = NULL;
    if (!wh_slice_ends(msg->key, WH_LIT(PROJECT_SUFFIX)) &&
        !wh_slice_ends(msg->key, WH_LIT(PROJECTS_SUFFIX))) {
        return false;
    }
    *ret_news = take(f, msg);
    return true;
}
