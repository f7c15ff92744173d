/* dates.h - the times of a question. */
#ifndef WH_SINK_ASK_DATES_H
#define WH_SINK_ASK_DATES_H

#include "common/base/zone.h"
#include "stages/sink/ask/words.h"

/* Days, or instants where a question counts hours. */
struct ask_span {
    int64_t first_day; /* both inclusive */
    int64_t last_day;
    bool open_begin; /* no first day */
    bool open_end;
    bool of_instants;
    int64_t from_ms;
    int64_t to_ms;
};

struct ask_calendar {
    int64_t now_ms;
    struct wh_zone zone;
    int64_t today;
};

/*
 * Finds the times of the question and takes their words. *ret_found is false when there is none.
 * WH_E_INVALID: two times, a date that does not exist, or a range that ends before it begins.
 */
WH_MUST_CHECK enum wh_rc ask_dates_find(struct ask_words *w, const struct ask_calendar *c,
                                        struct ask_span *ret, bool *ret_found, struct wh_err *err);

#endif
