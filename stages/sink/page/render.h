/*
 * render.h - pages from templates. A page is a JSON document, which is also the page's .json twin, and a
 * mustache template that shows it (templates/NAME.mustache, embedded). Values are escaped for HTML.
 *
 * What a template sees besides the document's members:
 *   rows            "heads" beside them: {column, text}; each row has "cells" in that order: {column, class, html}
 *   {{#as_time}}{{t}}{{/as_time}}           a time as <time datetime=...>, to the minute, in the workspace's zone
 *   {{#as_href}}{{{url}}}{{/as_href}}       the address when it is http or https, else '#'
 *   {{#as_markdown}}{{{text}}}{{/as_markdown}}  GitHub's Markdown without raw HTML; images become links
 *   {{#as_state}}{{word}}{{/as_state}}      a word with a shape and a colour for its state
 * A null, false, "" and an absent member are false; 0 is not.
 *
 * Thread: any. Limits: WH_E_TOO_LARGE for more than RENDER_MAX_BYTES of HTML.
 */
#ifndef WH_SINK_PAGE_RENDER_H
#define WH_SINK_PAGE_RENDER_H

#include "common/base/buf.h"
#include "common/base/zone.h"
#include "common/json/json_doc.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RENDER_MAX_BYTES = 16 << 20 };

/* Appends the HTML, with times in the zone. WH_E_NOT_FOUND: there is no such template; WH_E_INVALID: the template is not valid. */
WH_MUST_CHECK enum wh_rc page_render(const char *name, struct wh_json_val document,
                                     struct wh_zone zone, struct wh_buf *out, struct wh_err *err);

#ifdef __cplusplus
}
#endif

#endif
