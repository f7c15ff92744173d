/* markdown.h - GitLab's Markdown as HTML, by cmark-gfm. Thread: any. */
#ifndef WH_SINK_PAGE_MARKDOWN_H
#define WH_SINK_PAGE_MARKDOWN_H

#include "common/base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PAGE_MARKDOWN_MAX = 64 << 10 };

/*
 * Appends HTML that is safe to show: raw HTML is left out, links are http, https or mailto, images are links to
 * the images, which nothing loads. Text longer than PAGE_MARKDOWN_MAX is cut there, with a note that it is.
 */
WH_MUST_CHECK enum wh_rc page_markdown(struct wh_slice text, struct wh_buf *out,
                                       struct wh_err *err);

#ifdef __cplusplus
}
#endif

#endif
