/* files.h - the files of templates/ and assets/ inside the binary (files.S). Thread: any. */
#ifndef WH_SINK_PAGE_FILES_H
#define WH_SINK_PAGE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The type of a template that others include as {{>name}}. */
extern const char PAGE_FRAGMENT[];

struct page_file {
    const char *name; /* "incident"; of an asset its file name: "style.css" */
    const char *type; /* an asset's content type; NULL: it is a template */
    const char *bytes;
    const char *end;
};

const struct page_file *page_files(size_t *ret_n);
/* NULL: there is none. */
const struct page_file *page_file(struct wh_slice name);
/* A file that pages refer to, by its path below /assets/; false when there is none. */
bool page_asset(struct wh_slice name, struct wh_slice *ret_bytes, const char **ret_type);

#ifdef __cplusplus
}
#endif

#endif
