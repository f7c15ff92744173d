/* Replies, and which status an error has. */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "common/base/hash.h"
#include "stages/sink/api/api_priv.h"

enum { BODY_MAX_BYTES = 4096 };

/* A client may keep an answer, but asks every time whether it is still the same. */
size_t api_common_headers(struct wh_http_header out[API_HEADERS_MAX])
{
    out[0] = (struct wh_http_header){WH_LIT("Cache-Control"), WH_LIT("private, no-cache")};
    out[1] = (struct wh_http_header){WH_LIT("X-Content-Type-Options"), WH_LIT("nosniff")};
    out[2] = (struct wh_http_header){WH_LIT("Vary"), WH_LIT("Accept, Accept-Encoding")};
    return 3;
}

/* ---- the answer of a request ---- */

/* A field's value is one line of printable ASCII. */
static struct wh_slice one_line(const char *text, char out[API_REASON_BYTES])
{
    size_t n = 0;

    for (; text[n] && n + 1 < API_REASON_BYTES; n++) {
        out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    }
    return wh_slice(out, n);
}

size_t api_result_fields(struct api_job *job, struct wh_http_header out[2])
{
    const char *why = job->err.rc != WH_OK ? job->err.msg : job->cut;
    const char *result = job->err.rc != WH_OK ? "failed" : job->cut ? "truncated" : "complete";

    out[0] = (struct wh_http_header){WH_LIT("Wellhead-Result"), wh_slice_str(result)};
    if (why) {
        out[1] = (struct wh_http_header){WH_LIT("Wellhead-Reason"), one_line(why, job->reason)};
    }
    return why ? 2 : 1;
}

size_t api_job_headers(struct api_job *job, struct wh_http_header out[API_HEADERS_MAX])
{
    size_t n = api_common_headers(out);

    if (job->content_type && strcmp(job->content_type, API_HTML) == 0) {
        n += api_html_headers(out + n);
    }
    if (job->out.compressed) {
        out[n++] = (struct wh_http_header){WH_LIT("Content-Encoding"), WH_LIT("gzip")};
    }
    if (job->link[0]) {
        out[n++] = (struct wh_http_header){WH_LIT("Link"), wh_slice_str(job->link)};
    }
    if (job->location[0]) {
        out[n++] = (struct wh_http_header){WH_LIT("Location"), wh_slice_str(job->location)};
    }
    if (job->replying) {
        out[n++] =
            (struct wh_http_header){WH_LIT("Trailer"), WH_LIT("Wellhead-Result, Wellhead-Reason")};
    } else if (job->has_rows) {
        n += api_result_fields(job, out + n);
    }
    return n;
}

/* ---- conditions and encodings ---- */

static struct wh_slice trimmed(struct wh_slice text)
{
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = wh_slice_from(text, 1);
    }
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* The next member of a list with commas, without white space around it. */
static bool next_member(struct wh_slice *rest, struct wh_slice *ret)
{
    const char *comma = rest->len ? memchr(rest->ptr, ',', rest->len) : NULL;
    size_t n = comma ? (size_t)(comma - rest->ptr) : rest->len;

    if (rest->len == 0) {
        return false;
    }
    *ret = trimmed(wh_slice(rest->ptr, n));
    *rest = wh_slice_from(*rest, comma ? n + 1 : n);
    return true;
}

/* "gzip;q=0" refuses it (RFC 9110 section 12.4.2): a weight of zeros alone. */
static bool is_refused(struct wh_slice parameters)
{
    const char *weight = parameters.len ? memchr(parameters.ptr, '=', parameters.len) : NULL;

    if (weight == NULL) {
        return false;
    }
    for (const char *p = weight + 1; p < parameters.ptr + parameters.len; p++) {
        if (*p != '0' && *p != '.' && *p != ' ') {
            return false;
        }
    }
    return true;
}

bool api_accepts_gzip(const struct wh_http_req *req)
{
    struct wh_slice rest = wh_http_header(req, "Accept-Encoding");
    struct wh_slice member;

    while (next_member(&rest, &member)) {
        const char *semicolon = member.len ? memchr(member.ptr, ';', member.len) : NULL;
        size_t n = semicolon ? (size_t)(semicolon - member.ptr) : member.len;
        struct wh_slice name = trimmed(wh_slice(member.ptr, n));

        if (name.len == strlen("gzip") && strncasecmp(name.ptr, "gzip", name.len) == 0) {
            return !is_refused(wh_slice_from(member, n));
        }
    }
    return false;
}

enum { ETAG_BYTES = 2 + 32 };

/* Strong: a hash of the body, because counts of links and times of sightings change without a revision. */
static struct wh_slice etag_of(struct wh_slice body, char text[ETAG_BYTES + 1])
{
    struct wh_hash128 hash = wh_hash128(body);

    (void)snprintf(text, ETAG_BYTES + 1, "\"%016" PRIx64 "%016" PRIx64 "\"", hash.high, hash.low);
    return wh_slice(text, ETAG_BYTES);
}

/* RFC 9110 section 13.1.2: the weak comparison, which ignores W/. */
static bool has_it(const struct wh_http_req *req, struct wh_slice etag)
{
    struct wh_slice rest = wh_http_header(req, "If-None-Match");
    struct wh_slice member;

    while (next_member(&rest, &member)) {
        if (wh_slice_starts(member, WH_LIT("W/"))) {
            member = wh_slice_from(member, 2);
        }
        if (wh_slice_eq(member, etag) || wh_slice_eq(member, WH_LIT("*"))) {
            return true;
        }
    }
    return false;
}

void api_reply_answer(struct wh_http_req *req, const char *type, struct wh_slice body,
                      struct wh_http_header headers[API_HEADERS_MAX], size_t n)
{
    struct wh_http_reply reply = {
        .status = 200, .content_type = type, .body = body, .headers = headers, .n_headers = n};
    char text[ETAG_BYTES + 1];

    if (!wh_slice_eq(wh_http_method(req), WH_LIT("POST"))) {
        headers[reply.n_headers++] = (struct wh_http_header){WH_LIT("ETag"), etag_of(body, text)};
        if (has_it(req, headers[n].value)) {
            reply.status = 304;
            reply.content_type = NULL;
            reply.body = wh_slice("", 0);
        }
    }
    wh_http_reply(req, &reply);
}

/* ---- errors ---- */

void api_reply(struct wh_http_req *req, unsigned status, const char *type, struct wh_slice body,
               const struct wh_http_header *more, size_t n_more)
{
    struct wh_http_header headers[API_HEADERS_MAX] = {
        {WH_LIT("Cache-Control"), WH_LIT("no-store")},
        {WH_LIT("X-Content-Type-Options"), WH_LIT("nosniff")},
    };
    size_t n = 2;

    for (size_t i = 0; more && i < n_more && n < API_HEADERS_MAX; i++) {
        headers[n++] = more[i];
    }
    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = type,
                                               .body = body,
                                               .headers = headers,
                                               .n_headers = n});
}

void api_reply_error(struct wh_http_req *req, unsigned status, const char *code,
                     const char *message, const struct wh_http_header *more)
{
    struct wh_json_writer w;
    struct wh_buf body;
    struct wh_err err;

    wh_buf_init(&body, BODY_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_object(&w);
    wh_jw_key(&w, "ok");
    wh_jw_bool(&w, false);
    wh_jw_key(&w, "error");
    wh_jw_str(&w, wh_slice_str(message));
    wh_jw_key(&w, "code");
    wh_jw_str(&w, wh_slice_str(code));
    wh_jw_key(&w, "status");
    wh_jw_int(&w, (int64_t)status);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        wh_buf_reset(&body);
    }
    api_reply(req, status, "application/json", wh_buf_slice(&body), more, more ? 1 : 0);
    wh_buf_done(&body);
}

unsigned api_status_of(enum wh_rc rc)
{
    if (rc == WH_E_NOT_FOUND) {
        return 404;
    }
    if (rc == WH_E_TOO_LARGE) {
        return 413;
    }
    if (rc == WH_E_TIMEOUT) {
        return 504;
    }
    if (rc == WH_E_BUSY || rc == WH_E_CANCELED || rc == WH_E_UNAVAILABLE || rc == WH_E_NO_SPACE) {
        return 503;
    }
    /* Refusals of SQL too: the request is wrong, the caller's rights are not in question. */
    return wh_rc_class(rc) == WH_CLASS_POISON ? 400 : 500;
}

void api_reply_failure(struct sink_api *api, struct wh_http_req *req, const struct wh_err *err)
{
    static const struct wh_http_header retry = {{"Retry-After", 11}, {"1", 1}};
    unsigned status = api_status_of(err->rc);

    if (status == 500) {
        wh_log_error(api->deps.log, "a request failed", WH_RC(err));
        api_reply_error(req, status, wh_rc_name(err->rc),
                        "the store could not be read; the sink's log says why", NULL);
        return;
    }
    api_reply_error(req, status, wh_rc_name(err->rc), err->msg, status == 503 ? &retry : NULL);
}
