/* All of an incident's impact, read once. */
#include <stdio.h>

#include "stages/sink/impact/impact_priv.h"

enum { SCRATCH_BLOCK_BYTES = 64 << 10, SCRATCH_MAX_BYTES = 256 << 20 };

void impact_work_init(struct impact_work *w, struct past *p, struct wh_arena *arena,
                      struct impact_report *report)
{
    *w = (struct impact_work){.past = p, .arena = arena, .report = report};
    keys_init(&w->keys);
    wh_arena_init(&w->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_MAX_BYTES);
}

void impact_work_done(struct impact_work *w)
{
    wh_arena_done(&w->scratch);
}

/* The day in the zone. */
static enum wh_rc day_of(struct wh_zone zone, const struct impact_fact *started,
                         struct wh_arena *arena, struct wh_slice *ret, struct wh_err *err)
{
    char text[WH_TIME_TEXT_MAX];

    if (!started->known) {
        return WH_OK;
    }
    (void)wh_time_format(started->ms + (int64_t)wh_zone_offset(zone, started->ms) * 1000, text);
    return wh_arena_dup(arena, wh_slice(text, sizeof("2026-05-01") - 1), ret, err);
}

static enum wh_rc read_services(struct impact_work *w, struct wh_err *err)
{
    return impact_add_services(w, err) == WH_OK ? impact_add_rolled_back(w, err) : err->rc;
}

enum wh_rc impact_read_services(struct past *p, const struct wh_head *incident,
                                struct wh_arena *arena, struct impact_report *ret,
                                struct wh_err *err)
{
    struct impact_work w;
    enum wh_rc rc;

    *ret = (struct impact_report){.incident = incident};
    impact_work_init(&w, p, arena, ret);
    w.incident = incident;
    impact_read_facts(incident, &ret->facts);
    rc = read_services(&w, err);
    impact_work_done(&w);
    return rc;
}

enum wh_rc impact_read(struct past *p, const struct wh_head *incident, struct wh_zone zone,
                       struct wh_arena *arena, struct impact_report *ret, struct wh_err *err)
{
    struct impact_work w;
    enum wh_rc rc;

    *ret = (struct impact_report){.incident = incident};
    impact_work_init(&w, p, arena, ret);
    w.incident = incident;
    impact_read_facts(incident, &ret->facts);
    rc = day_of(zone, &ret->facts.started, arena, &ret->day, err);
    w.day = ret->day;
    rc = rc == WH_OK ? read_services(&w, err) : rc;
    rc = rc == WH_OK ? impact_add_customers(&w, err) : rc;
    rc = rc == WH_OK ? impact_postmortems(p, incident, arena, &ret->postmortems, err) : rc;
    rc = rc == WH_OK ? impact_follow_ups(p, incident, arena, &ret->follow_ups, err) : rc;
    impact_work_done(&w);
    return rc;
}

enum wh_rc impact_deployed_services(struct past *p, const struct wh_entity_id *project,
                                    struct wh_slice environment, struct wh_arena *arena,
                                    struct impact_service **ret, struct wh_err *err)
{
    struct impact_report report = {0};
    struct impact_work w;
    enum wh_rc rc;

    impact_work_init(&w, p, arena, &report);
    rc = impact_add_owners(&w, "rollback", project, environment, NULL, err);
    impact_work_done(&w);
    *ret = report.services;
    return rc;
}
