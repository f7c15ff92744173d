/*
 * out.h - JSON text into a growing buffer, fast enough for 50,000 rows a second.
 *
 * gl_out_tpl writes a template. In a template ' stands for ", and
 *   %d  int64_t            %s  struct wh_slice, as it is (JSON text, or escaped already)
 *   %t  int64_t ms as REST time, quoted; 0 is null          2026-11-24T01:02:03.004Z
 *   %u  int64_t ms as most webhooks write it, 0 is null     2026-11-24 01:02:03 UTC
 *   %i  int64_t ms as issue webhooks write it, 0 is null    2026-11-24T01:02:03Z
 *   %b  int as boolean     %n  int64_t, negative is null     %f  double, negative is null
 *   %h  uint64_t seed of a commit id (40 hex digits), not quoted
 * The caller gives exactly these types. The first failure sticks; it is asked for once, at the end.
 */
#ifndef GL_OUT_H
#define GL_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"

struct gl_out {
    char *ptr; /* from wh_mem_alloc */
    size_t len;
    size_t cap;
    bool failed;
};

void gl_out_done(struct gl_out *out);
void gl_out_raw(struct gl_out *out, struct wh_slice bytes);
void gl_out_str(struct gl_out *out, const char *text);
void gl_out_tpl(struct gl_out *out, const char *tpl, ...);
/* Quoted and escaped. */
void gl_out_quoted(struct gl_out *out, struct wh_slice text);

static inline struct wh_slice gl_out_slice(const struct gl_out *out)
{
    return wh_slice(out->ptr, out->len);
}

enum gl_time_form { GL_TIME_REST, GL_TIME_HOOK, GL_TIME_ISO, GL_TIME_OFFSET, GL_TIME_DATE };

enum { GL_TIME_MAX = 40 };
/* Not quoted; gives the length. Years 1970 to 9999. */
size_t gl_time_text(int64_t ms, enum gl_time_form form, char text[GL_TIME_MAX]);

#endif
