/* What was understood, as JSON. */
#include <stdio.h>

#include "common/base/time.h"
#include "stages/sink/ask/answer_priv.h"

enum { INSTANT_TEXT = 48 };

static void put_text(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    wh_jw_key(w, key);
    if (text.len) {
        wh_jw_str(w, text);
    } else {
        wh_jw_null(w);
    }
}

/* An instant with the time of the zone: 2026-11-24T00:00:00+01:00. */
static void put_instant(struct wh_json_writer *w, const char *key, bool known, int64_t ms,
                        struct wh_zone zone)
{
    char text[INSTANT_TEXT] = "";
    char local[WH_TIME_TEXT_MAX];

    if (known) {
        int offset_s = wh_zone_offset(zone, ms);
        int minutes = offset_s < 0 ? -offset_s / 60 : offset_s / 60;

        (void)wh_time_format(ms + (int64_t)offset_s * 1000, local);
        (void)snprintf(text, sizeof(text), "%.19s%c%02d:%02d", local, offset_s < 0 ? '-' : '+',
                       minutes / 60, minutes % 60);
        if (offset_s == 0) {
            (void)snprintf(text, sizeof(text), "%.19sZ", local);
        }
    }
    put_text(w, key, wh_slice_str(text));
}

static void put_day(struct wh_json_writer *w, const char *key, bool known, int64_t day)
{
    char text[WH_TIME_TEXT_MAX] = "";

    if (known) {
        (void)wh_time_format(day * 86400000, text);
        text[10] = '\0';
    }
    put_text(w, key, wh_slice_str(text));
}

static void put_name(struct wh_json_writer *w, const char *key, const struct ask_name *names,
                     enum wh_kind kind)
{
    char id[WH_ENTITY_ID_TEXT + 1];

    wh_jw_key(w, key);
    while (names && names->kind != kind) {
        names = names->next;
    }
    if (names == NULL) {
        wh_jw_null(w);
        return;
    }
    wh_jw_object(w);
    wh_jw_put_str(w, "id", wh_slice_str(wh_entity_id_format(&names->id, id)));
    put_text(w, "name", names->name);
    wh_jw_end(w);
}

void ask_write_understood(const struct ask_answer *answer, const struct ask_conf *conf,
                          struct wh_json_writer *w)
{
    const struct ask_understood *u = &answer->understood;
    bool begins = u->has_time && u->from_ms != INT64_MIN;
    bool ends = u->has_time && u->to_ms != INT64_MAX;

    wh_jw_object(w);
    wh_jw_put_str(w, "form", wh_slice_str(ask_form_name(u->form)));
    put_instant(w, "from", begins, u->from_ms, conf->zone);
    put_instant(w, "to", ends, u->to_ms, conf->zone);
    wh_jw_put_str(w, "zone", conf->zone_name);
    put_day(w, "first_day", begins, u->first_day);
    put_day(w, "last_day", ends, u->last_day);
    put_text(w, "incident", u->reference);
    put_text(w, "severity", wh_slice_str(u->severity ? u->severity : ""));
    put_name(w, "service", answer->names, WH_KIND_SERVICE);
    put_name(w, "customer", answer->names, WH_KIND_CUSTOMER);
    wh_jw_key(w, "title");
    wh_jw_array(w);
    for (size_t i = 0; i < answer->n_title; i++) {
        wh_jw_str(w, answer->title[i]);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}
