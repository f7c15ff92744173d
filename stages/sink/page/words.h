/*
 * words.h - how single values are shown: functions that templates call. Each appends HTML. What comes in has been
 * escaped for HTML, except for page_safe_href and page_href_of. Thread: any.
 */
#ifndef WH_SINK_PAGE_WORDS_H
#define WH_SINK_PAGE_WORDS_H

#include "common/base/buf.h"
#include "common/base/zone.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PAGE_HREF_MAX = 512 };

/* "2026-11-24T14:05:00.000Z" -> <time datetime=...>2026-11-24 15:05 CET</time>, as the zone's clocks show it; other
 * text as it is, no text as unknown. */
WH_MUST_CHECK enum wh_rc page_time(struct wh_zone zone, struct wh_slice text, struct wh_buf *out,
                                   struct wh_err *err);
/* The same without the zone's name, for cells of tables; the page says in which zone its times are. */
WH_MUST_CHECK enum wh_rc page_cell_time(struct wh_zone zone, struct wh_slice text,
                                        struct wh_buf *out, struct wh_err *err);
bool page_is_time(struct wh_slice text);
/* The address, escaped, when it is http or https; '#' otherwise. */
WH_MUST_CHECK enum wh_rc page_safe_href(struct wh_slice text, struct wh_buf *out,
                                        struct wh_err *err);
/* For text and for attributes in double quotes. */
WH_MUST_CHECK enum wh_rc page_escape(struct wh_slice text, struct wh_buf *out, struct wh_err *err);
/* A word such as opened, failed or healthy with its shape and the class of its colour. */
WH_MUST_CHECK enum wh_rc page_state(struct wh_slice text, struct wh_buf *out, struct wh_err *err);
/* Seconds: "3480" -> "58 min"; empty -> "unknown". */
WH_MUST_CHECK enum wh_rc page_duration(struct wh_slice text, struct wh_buf *out,
                                       struct wh_err *err);
/* Minor units and a currency: "327000 EUR" -> "3,270.00 EUR"; digits by ISO 4217. */
WH_MUST_CHECK enum wh_rc page_money(struct wh_slice text, struct wh_buf *out, struct wh_err *err);

/* Where a cell of that column leads to: an entity's page for ids, the source for addresses. */
bool page_href_of(const char *column, struct wh_slice text, char ret[PAGE_HREF_MAX]);

#ifdef __cplusplus
}
#endif

#endif
