/*
 * GET /chart/ID.svg: a chart as an image, for other pages and for Markdown. Who has no token may read it by a signed address: it
 * ends with expires=<seconds since 1970>&sig=<HMAC-SHA256 of path and query before it>, by a key that the sink keeps.
 */
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/crypto/crypto.h"
#include "common/run/token_file.h"
#include "stages/sink/api/charts/charts_priv.h"

enum { LINK_DAYS = 30, DAY_S = 86400, SIG_TEXT = 2 * WH_SHA256_BYTES };

static const char prefix[] = "/chart/";
static const char suffix[] = ".svg";
static const char mark[] = "&sig=";

enum wh_rc api_chart_key_load(struct sink_api *api, struct wh_err *err)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/chart.key",
                     api->deps.conf.data_path ? api->deps.conf.data_path : ".");

    if (n < 0 || n >= (int)sizeof(path)) {
        return wh_fail(err, WH_E_CONFIG, "data.path is too long");
    }
    return wh_token_file_load(path, api->chart_key, err) == WH_OK
               ? WH_OK
               : wh_err_prefix(err, "the key of addresses of charts");
}

/* ---- signed addresses ---- */

static enum wh_rc sign(const struct sink_api *api, struct wh_slice path, struct wh_slice query,
                       char ret[SIG_TEXT + 1], struct wh_err *err)
{
    const struct wh_slice parts[] = {path, WH_LIT("?"), query};
    unsigned char mac[WH_SHA256_BYTES];
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, SIG_TEXT + 1);
    if (wh_hmac_sha256(wh_slice_str(api->chart_key), parts, 3, mac, err) != WH_OK ||
        wh_hex_encode(wh_slice(mac, sizeof(mac)), &text, err) != WH_OK) {
        return err->rc;
    }
    memcpy(ret, text.ptr, SIG_TEXT);
    ret[SIG_TEXT] = 0;
    return WH_OK;
}

static bool is_image(struct wh_slice path)
{
    return wh_slice_starts(path, wh_slice_str(prefix)) && wh_slice_ends(path, wh_slice_str(suffix));
}

bool api_chart_link_fits(const struct sink_api *api, const struct wh_http_req *req)
{
    struct wh_slice query = wh_http_raw_query(req);
    const size_t n_mark = sizeof(mark) - 1;
    char want[SIG_TEXT + 1];
    int64_t expires = 0;
    struct wh_slice sig;
    struct wh_err err;

    if (!is_image(wh_http_path(req)) || !wh_slice_eq(wh_http_method(req), WH_LIT("GET")) ||
        query.len < SIG_TEXT + n_mark) {
        return false;
    }
    sig = wh_slice_from(query, query.len - SIG_TEXT);
    query.len -= SIG_TEXT;
    if (!wh_slice_ends(query, wh_slice_str(mark))) {
        return false;
    }
    query.len -= n_mark;
    return sign(api, wh_http_path(req), query, want, &err) == WH_OK &&
           wh_constant_time_eq(sig, wh_slice_str(want)) &&
           wh_num_i64(wh_http_query(req, "expires"), &expires, &err) == WH_OK &&
           expires > wh_clock_now_ms(&api->deps.clock) / 1000;
}

/* The arguments that say what is shown; not those of the answer. */
static bool is_kept(struct wh_slice name)
{
    return wh_slice_eq(name, WH_LIT("_zone")) ||
           !(wh_slice_starts(name, WH_LIT("_")) || wh_slice_eq(name, WH_LIT("sig")) ||
             wh_slice_eq(name, WH_LIT("expires")));
}

static enum wh_rc add_args(const struct numbers *n, struct wh_buf *url, struct wh_err *err)
{
    const struct api_request *r = &n->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        char name[80];

        if (!is_kept(r->args[i].name) || r->args[i].value.len == 0 ||
            r->args[i].name.len >= sizeof(name)) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "%.*s", WH_SLICE_ARG(r->args[i].name));
        if (numbers_url_add(url, name, r->args[i].value, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* The end is that of a day, so that an address stays the same for as long. */
enum wh_rc numbers_image_url(const struct numbers *n, struct wh_buf *url, struct wh_err *err)
{
    const struct sink_api *api = n->job->api;
    int64_t today = wh_clock_now_ms(&api->deps.clock) / 1000 / DAY_S;
    const char *query;
    char sig[SIG_TEXT + 1];
    char expires[32];
    size_t n_path;

    (void)snprintf(expires, sizeof(expires), "%lld", (long long)((today + 1 + LINK_DAYS) * DAY_S));
    if (wh_buf_printf(url, err, "%s%.*s%s", prefix, WH_SLICE_ARG(n->query.measure->id), suffix) !=
        WH_OK) {
        return err->rc;
    }
    n_path = url->len;
    if (add_args(n, url, err) != WH_OK ||
        numbers_url_add(url, "expires", wh_slice_str(expires), err) != WH_OK) {
        return err->rc;
    }
    query = url->ptr + n_path + 1;
    if (sign(api, wh_slice(url->ptr, n_path), wh_slice(query, url->len - n_path - 1), sig, err) !=
        WH_OK) {
        return err->rc;
    }
    return wh_buf_printf(url, err, "%s%s", mark, sig);
}

/* ---- the image ---- */

static enum wh_rc answer(struct numbers *n, const struct measure *m, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf svg;
    bool large = api_arg(&n->job->request, "size").len == 0 ||
                 !wh_slice_eq(api_arg(&n->job->request, "size"), WH_LIT("small"));

    wh_buf_init(&svg, CHART_SVG_MAX_BYTES);
    if (numbers_ask(n, m, err) != WH_OK || numbers_read(n, err) != WH_OK) {
        return err->rc;
    }
    if (n->timed_out) {
        return wh_fail(err, WH_E_TIMEOUT, "the numbers were not ready in time");
    }
    if (n->query.over == NULL) {
        return wh_fail(err, WH_E_INVALID,
                       "a chart needs over: hour, day, week, month, quarter or year");
    }
    if (numbers_svg(n, "chart", large, true, &svg, err) != WH_OK) {
        return err->rc;
    }
    n->job->content_type = "image/svg+xml";
    return api_spool_write(&n->job->out, wh_buf_slice(&svg), err);
}

enum wh_rc api_answer_chart(struct api_job *job, struct wh_err *err)
{
    const struct measure *m = NULL;
    struct numbers_gaps gaps;
    struct numbers n;
    enum wh_rc rc;

    if (numbers_measure(job, &m, err) != WH_OK) {
        return err->rc;
    }
    numbers_init(&n, job);
    n.gaps = &gaps;
    rc = numbers_gaps_read(job, &gaps, err);
    rc = rc == WH_OK ? answer(&n, m, err) : rc;
    numbers_done(&n);
    numbers_gaps_done(&gaps);
    return rc;
}
