#include "stages/fetcher/conn/listed_ledger.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/state/listed.h"

static bool is_kept(unsigned stream)
{
    return streams[stream].mode == STREAM_LIST;
}

static const char *kind_of(unsigned stream)
{
    return strcmp(streams[stream].kind, "member") == 0 ? "membership" : streams[stream].kind;
}

void listed_ledger_begin(struct conn *c, const struct project *project, unsigned stream)
{
    struct listed *l = project && is_kept(stream)
                           ? listed_of(c->fetcher->listed, c->id, project->id, stream, true)
                           : NULL;

    if (l) {
        listed_begin(l);
    }
}

void listed_ledger_row(struct conn *c, const struct listing_task *task,
                       const struct gitlab_row *row, struct wh_json_val value)
{
    struct listed *l;
    struct wh_json_val tag = {0};
    char id[LISTED_ID_MAX] = "";
    int64_t group = 0;

    if (task->project == NULL || task->tool || !is_kept(task->stream)) {
        return;
    }
    l = listed_of(c->fetcher->listed, c->id, task->project->id, task->stream, false);
    if (strcmp(streams[task->stream].kind, "milestone") == 0) {
        group = wh_json_get_int(value, "group_id", 0);
    }
    if (row->id[0]) {
        (void)snprintf(id, sizeof(id), group > 0 ? "%s %" PRId64 : "%s", row->id, group);
    } else if (wh_json_get(value, WH_LIT("tag_name"), &tag) &&
               wh_json_string(tag).len < sizeof(id)) {
        (void)snprintf(id, sizeof(id), "%.*s", WH_SLICE_ARG(wh_json_string(tag)));
    }
    if (l && id[0]) {
        listed_see(l, id);
    }
}

/* ---- the end of a listing ---- */

struct ending {
    struct conn *c;
    const struct listed *l;
};

static bool on_missing(void *ctx, const char *id)
{
    const struct ending *e = ctx;
    struct fetcher *f = e->c->fetcher;
    const char *kind = kind_of(e->l->stream);
    bool is_member = strcmp(kind, "membership") == 0;
    bool below = is_member || strcmp(kind, "release") == 0; /* its id begins with the project's */
    const char *space = strchr(id, ' ');
    char own[LISTED_ID_MAX];
    char text[LISTED_ID_MAX + 64];
    const struct absence_key key = {e->c->id, e->l->project, kind, text};
    int64_t group = 0;
    struct wh_err err;
    const struct absence *a;

    if (space && wh_num_i64(wh_slice_str(space + 1), &group, &err) != WH_OK) {
        group = 0;
    }
    (void)snprintf(own, sizeof(own), "%s", id);
    own[strcspn(own, " ")] = '\0';
    (void)snprintf(text, sizeof(text), "%s%s%s%s", is_member ? "project:" : "",
                   below ? e->l->project : "", below ? ":" : "", own);
    a = absences_find(f->absences, &key);
    if (a == NULL) {
        (void)absences_note(f->absences, &key, group, wh_clock_now_ms(&f->deps.clock), false);
    }
    return a == NULL || !a->told;
}

static void save(struct conn *c, struct listed *l)
{
    WH_AUTO(buf) struct wh_buf json;
    char key[LISTED_KEY_MAX];
    struct wh_err err;

    wh_buf_init(&json, 4 * LISTED_MAX_BYTES);
    if (l->dirty &&
        (listed_write(l, key, &json, &err) != WH_OK ||
         fetcher_save_state(c->fetcher, wh_slice_str(c->id), wh_slice_str(l->project),
                            wh_slice_str(key), wh_buf_slice(&json), NULL, &err) != WH_OK)) {
        wh_log_warn(c->fetcher->deps.log, "ids of a listing not saved", WH_STR("key", key),
                    WH_RC(&err));
    }
}

void listed_ledger_end(struct conn *c, const struct listing_task *task,
                       const struct listing_result *result)
{
    struct ending e = {.c = c};
    struct listed *l;
    struct wh_err err;

    if (task->project == NULL || task->tool || !is_kept(task->stream) ||
        result->outcome != LISTING_ENDED || result->unread) {
        return;
    }
    l = listed_of(c->fetcher->listed, c->id, task->project->id, task->stream, false);
    e.l = l;
    if (l && listed_end(l, on_missing, &e, &err) == WH_OK) {
        save(c, l);
    }
}

int64_t listed_ledger_known(const struct conn *c, const char *project, const char *kind)
{
    const struct listed *l = NULL;

    for (unsigned i = 0; i < STREAMS && l == NULL; i++) {
        if (is_kept(i) && strcmp(kind_of(i), kind) == 0) {
            l = listed_of(c->fetcher->listed, c->id, project, i, false);
        }
    }
    return l ? (int64_t)l->n : 0;
}
