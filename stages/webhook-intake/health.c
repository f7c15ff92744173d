#include "stages/webhook-intake/health.h"

#include "common/base/mem.h"
#include "common/event/health.h"
#include "stages/webhook-intake/tally.h"

void intake_health_done(struct intake_health *h)
{
    wh_mem_free(h->lines);
    *h = (struct intake_health){0};
}

static bool grow(struct intake_health *h)
{
    size_t cap = h->cap ? h->cap * 2 : 8;
    struct intake_line *lines = wh_mem_resize(h->lines, cap, sizeof(*lines));

    if (lines) {
        h->lines = lines;
        h->cap = cap;
    }
    return lines != NULL;
}

/* The line of a project and event, made or taken over from the most silent one. NULL: no memory. */
static struct intake_line *line_of(struct intake_health *h, const char *project, unsigned event)
{
    struct intake_line *oldest = h->lines;
    struct intake_line *line;

    for (size_t i = 0; i < h->n; i++) {
        line = &h->lines[i];
        if (line->event == event && strcmp(line->project, project) == 0) {
            return line;
        }
        if (line->last_ms < oldest->last_ms) {
            oldest = line;
        }
    }
    if (h->n == h->cap && h->n < INTAKE_HEALTH_LINES && !grow(h)) {
        return NULL;
    }
    line = h->n < h->cap ? &h->lines[h->n++] : oldest;
    *line = (struct intake_line){.event = event};
    memcpy(line->project, project, strlen(project) + 1);
    return line;
}

void intake_health_ok(struct intake_health *h, const char *project, unsigned event, int64_t now_ms)
{
    struct intake_line *line = line_of(h, project, event);

    h->accepted++;
    h->last_ok_ms = now_ms;
    h->dirty = true;
    if (line) {
        line->count++;
        line->last_ms = now_ms;
    }
}

void intake_health_unauthorized(struct intake_health *h, int64_t now_ms)
{
    h->unauthorized++;
    h->last_unauthorized_ms = now_ms;
    h->dirty = true;
}

void intake_health_refused(struct intake_health *h)
{
    h->refused++;
    h->dirty = true;
}

enum wh_rc intake_health_write(struct intake_health *h, struct wh_slice connection,
                               struct wh_slice intake, int64_t now_ms, struct wh_buf *out,
                               struct wh_err *err)
{
    struct wh_webhook_health doc = {.connection = connection,
                                    .intake = intake,
                                    .at_ms = now_ms,
                                    .last_ok_ms = h->last_ok_ms,
                                    .last_unauthorized_ms = h->last_unauthorized_ms,
                                    .accepted = h->accepted,
                                    .unauthorized = h->unauthorized,
                                    .refused = h->refused,
                                    .n_lines = h->n};
    WH_AUTO_FREE struct wh_webhook_line *lines = wh_mem_zalloc(h->n + 1, sizeof(*lines));
    enum wh_rc rc;

    if (lines == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a health document");
    }
    for (size_t i = 0; i < h->n; i++) {
        lines[i] = (struct wh_webhook_line){
            .project = wh_slice_str(h->lines[i].project),
            .event = wh_slice_str(intake_tally_event_name(h->lines[i].event)),
            .last_ms = h->lines[i].last_ms,
            .count = h->lines[i].count};
    }
    doc.lines = lines;
    rc = wh_webhook_health_write(&doc, out, err);
    h->dirty = h->dirty && rc != WH_OK;
    return rc;
}
