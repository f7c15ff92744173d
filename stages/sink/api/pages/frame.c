/* What every page has around its own parts: the navigation, its twins, how fresh it is, and which connections are behind. */
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/pages/pages_priv.h"

enum { CONNECTION_MAX_BYTES = 1 << 20, CONNECTION_DEPTH = 32, VIEWS_IN_NAVIGATION = 8 };

/* Items whose page is not there are left out. */
static const struct {
    const char *group; /* NULL: that of the line above */
    const char *name;
    const char *href;
} navigation[] = {
    {"Work", "Home", "/"},
    {NULL, "Incidents", "/incidents"},
    {NULL, "Records", "/t/work_items"},
    {NULL, "Saved views", "/views"},
    {NULL, "Search", "/search"},
    {NULL, "Charts", "/charts"},
    {"Questions", "Ask", "/ask"},
    {NULL, "SQL", "/sql"},
    {NULL, "Model", "/model"},
    {"Sources", "Connections", "/connections"},
    {NULL, "People", "/people"},
    {NULL, "Unresolved", "/unresolved"},
    {NULL, "Dead letters", "/dead-letters"},
    {"Workspace", "Rules", "/rules"},
    {NULL, "Tokens", "/tokens"},
};

enum { NAVIGATION_N = sizeof(navigation) / sizeof(navigation[0]) };

static bool is_there(const char *href)
{
    enum api_twin twin;
    struct wh_slice id;

    return api_page_find(wh_slice_str(href), &twin, &id) != NULL;
}

void page_write_navigation(struct wh_json_writer *w, const struct api_page *page,
                           struct views *saved)
{
    wh_jw_key(w, "nav");
    wh_jw_array(w);
    for (size_t i = 0; i < NAVIGATION_N; i++) {
        if (navigation[i].group) {
            wh_jw_object(w);
            wh_jw_put_str(w, "group", wh_slice_str(navigation[i].group));
            wh_jw_key(w, "items");
            wh_jw_array(w);
        }
        if (is_there(navigation[i].href)) {
            wh_jw_object(w);
            wh_jw_put_str(w, "name", wh_slice_str(navigation[i].name));
            wh_jw_put_str(w, "href", wh_slice_str(navigation[i].href));
            wh_jw_put_bool(w, "current", page && strcmp(page->section, navigation[i].href) == 0);
            wh_jw_end(w);
        }
        if (i + 1 == NAVIGATION_N || navigation[i + 1].group) {
            wh_jw_end(w);
            wh_jw_end(w);
        }
    }
    wh_jw_object(w);
    wh_jw_put_str(w, "group", WH_LIT("Saved views"));
    wh_jw_key(w, "items");
    views_write_items(saved, VIEWS_IN_NAVIGATION, w);
    wh_jw_end(w);
    wh_jw_end(w);
}

/* Where the page belongs, unless it is that page itself. */
static void write_section(struct wh_json_writer *w, const struct api_page *page)
{
    for (size_t i = 0; page && i < NAVIGATION_N; i++) {
        if (strcmp(navigation[i].href, page->section) == 0 &&
            strcmp(page->path, page->section) != 0) {
            wh_jw_key(w, "section");
            wh_jw_object(w);
            wh_jw_put_str(w, "name", wh_slice_str(navigation[i].name));
            wh_jw_put_str(w, "href", wh_slice_str(navigation[i].href));
            wh_jw_end(w);
        }
    }
}

/* ---- connections ---- */

struct connections {
    size_t n;
    size_t n_first; /* still in their first run */
    size_t n_behind;
};

static bool is_one_of(struct wh_slice word, const char *const *list)
{
    for (; *list; list++) {
        if (wh_slice_eq(word, wh_slice_str(*list))) {
            return true;
        }
    }
    return false;
}

static void write_one(struct wh_json_writer *w, struct wh_json_val doc, struct connections *c)
{
    static const char *const fine[] = {"enabled", "processing", NULL};
    static const char *const ended[] = {"to_configure", "suspended", "disabled", NULL};
    struct wh_slice state = wh_json_get_str(doc, "state");

    if (is_one_of(state, ended)) {
        return;
    }
    c->n++;
    c->n_first += wh_slice_eq(state, WH_LIT("processing"));
    if (!is_one_of(state, fine)) {
        c->n_behind++;
        wh_jw_object(w);
        wh_jw_put_str(w, "id", wh_json_get_str(doc, "id"));
        wh_jw_put_str(w, "state", state);
        wh_jw_put_str(w, "detail", wh_json_get_str(doc, "detail"));
        wh_jw_end(w);
    }
}

/* A document that cannot be read leaves its connection out; the page about connections shows it. */
static void write_behind(struct wh_json_writer *w, struct wh_store *store, struct connections *c)
{
    struct wh_json_parser *parser = wh_json_parser_new(CONNECTION_MAX_BYTES, CONNECTION_DEPTH);
    struct wh_json_val doc;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_iter *it = NULL;
    struct wh_err err;

    wh_jw_key(w, "behind");
    wh_jw_array(w);
    if (parser &&
        wh_iter_new(store, NULL, SINK_META, WH_LIT("x"), WH_LIT("y"), &it, &err) == WH_OK) {
        for (wh_iter_seek(it, WH_LIT("x"), false); wh_iter_valid(it, &key, &value);
             wh_iter_step(it, false)) {
            if (wh_json_parse(parser, value, &doc, &err) == WH_OK) {
                write_one(w, doc, c);
            }
        }
        wh_iter_free(it);
    }
    wh_jw_end(w);
    wh_json_parser_free(parser);
}

static void write_freshness(struct wh_json_writer *w, const struct api_job *job)
{
    struct sink *sink = job->api->deps.sink;
    struct connections c = {0};
    const char *zone = job->api->deps.conf.zone;
    char now[WH_TIME_TEXT_MAX];

    (void)wh_time_format(wh_clock_now_ms(&job->api->deps.clock), now);
    wh_jw_put_str(w, "at", wh_slice_str(now));
    wh_jw_put_int(w, "sequence", sink ? (int64_t)sink_sequence(sink) : 0);
    wh_jw_put_str(w, "zone", zone && zone[0] ? wh_slice_str(zone) : WH_LIT("UTC"));
    write_behind(w, job->api->deps.store, &c);
    wh_jw_put_bool(w, "connected", c.n > 0);
    wh_jw_put_bool(w, "unconnected", c.n == 0);
    wh_jw_put_bool(w, "syncing", c.n_first > 0);
}

/* ---- the page itself ---- */

/* "/incidents" -> "/incidents.json?..."; the first page's name is index. */
static void write_twin(struct wh_json_writer *w, const struct api_job *job, struct wh_slice path,
                       const char *key, const char *end)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, API_HEADER_MAX_BYTES);
    if (wh_buf_append(&text, wh_slice_eq(path, WH_LIT("/")) ? WH_LIT("/index") : path, &err) ==
            WH_OK &&
        wh_buf_append(&text, wh_slice_str(end), &err) == WH_OK &&
        (job->request.query.len == 0 ||
         (wh_buf_append_char(&text, '?', &err) == WH_OK &&
          wh_buf_append(&text, job->request.query, &err) == WH_OK))) {
        wh_jw_put_str(w, key, wh_buf_slice(&text));
    }
}

/* Arguments without an underscore choose rows; those with one choose how they are shown. */
static bool is_filtered(const struct api_request *request)
{
    for (size_t i = 0; i < request->n_args; i++) {
        struct wh_slice name = request->args[i].name;

        if (name.len && (name.ptr[0] != '_' || wh_slice_eq(name, WH_LIT("_search")))) {
            return true;
        }
    }
    return false;
}

void page_write_frame(struct wh_json_writer *w, const struct api_job *job, struct wh_slice path,
                      const char *title)
{
    const struct api_page *page = job->page;

    wh_jw_key(w, "page");
    wh_jw_object(w);
    wh_jw_put_str(w, "title", page && page->named_by_id ? job->id : wh_slice_str(title));
    wh_jw_put_str(w, "path", path);
    write_section(w, page);
    write_freshness(w, job);
    wh_jw_put_bool(w, "filtered", is_filtered(&job->request));
    wh_jw_put_str(w, "q", api_arg(&job->request, "q"));
    wh_jw_put_str(w, "sql", api_arg(&job->request, "sql"));
    write_twin(w, job, path, "json", ".json");
    if (page && page_rows_part(page)) {
        write_twin(w, job, path, "csv", ".csv");
    }
    wh_jw_end(w);
}
