/* The arguments of a list that are not filters. Their names are Datasette's, and _asof and _zone. */
#include "stages/sink/api/lists/list_priv.h"

#include "common/base/be.h"
#include "common/base/nearest.h"
#include "common/base/num.h"

static const char *const words[] = {
    "kind",   "_sort",   "_sort_desc", "_size",       "_next",    "_col",
    "_nocol", "_labels", "_shape",     "_format",     "_nl",      "_header",
    "_dl",    "_stream", "_facet",     "_facet_size", "_nofacet", "_search",
    "_extra", "_asof",   "_nocount",   "_zone",       "_deleted", "_timelimit",
};

static const struct {
    const char *name;
    unsigned extra;
} extras[] = {
    {"count", API_EXTRA_COUNT},          {"column_details", API_EXTRA_COLUMNS},
    {"facet_results", API_EXTRA_FACETS}, {"query", API_EXTRA_QUERY},
    {"sequence", API_EXTRA_SEQUENCE},    {"permalink", API_EXTRA_PERMALINK},
    {"filters", API_EXTRA_FILTERS},
};

bool api_list_knows(struct wh_slice name)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(words[i]))) {
            return true;
        }
    }
    return false;
}

enum wh_rc api_list_unknown_word(struct wh_slice name, struct wh_err *err)
{
    struct wh_nearest near;
    char hint[96];

    wh_nearest_init(&near, name);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        wh_nearest_offer(&near, words[i]);
    }
    wh_nearest_hint(&near, hint, sizeof(hint));
    return wh_fail(err, WH_E_INVALID, "unknown argument %.*s%s",
                   (int)(name.len < 40 ? name.len : 40), name.ptr, hint);
}

/* ---- lists of words, with commas ---- */

static struct wh_slice next_word(struct wh_slice *rest)
{
    const char *comma = rest->len ? memchr(rest->ptr, ',', rest->len) : NULL;
    struct wh_slice word = wh_slice(rest->ptr, comma ? (size_t)(comma - rest->ptr) : rest->len);

    *rest = wh_slice_from(*rest, word.len + (comma != NULL));
    return word;
}

static enum wh_rc read_extra(struct api_list *l, struct wh_slice word, struct wh_err *err)
{
    struct wh_nearest near;
    char hint[96];

    wh_nearest_init(&near, word);
    for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++) {
        if (wh_slice_eq(word, wh_slice_str(extras[i].name))) {
            l->extras |= extras[i].extra;
            return WH_OK;
        }
        wh_nearest_offer(&near, extras[i].name);
    }
    wh_nearest_hint(&near, hint, sizeof(hint));
    return wh_fail(
        err, WH_E_INVALID, "unknown _extra %.*s%s", (int)(word.len < 40 ? word.len : 40),
        word.len ? word.ptr : "",
        hint[0] ? hint
                : "; there are count, column_details, facet_results, filters, permalink, query "
                  "and sequence");
}

static enum wh_rc read_facet(struct api_list *l, struct wh_slice name, struct wh_err *err)
{
    const struct sql_column *column = api_list_column(l, name);

    if (column == NULL) {
        return api_list_unknown(l, name, err);
    }
    for (size_t i = 0; i < l->n_facets; i++) {
        if (l->facets[i] == column) {
            return WH_OK;
        }
    }
    if (l->n_facets == API_LIST_FACETS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "more than %d facets", API_LIST_FACETS_MAX);
    }
    l->facets[l->n_facets++] = column;
    l->extras |= API_EXTRA_FACETS;
    return WH_OK;
}

static enum wh_rc read_lists(struct api_list *l, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        bool extra = wh_slice_eq(r->args[i].name, WH_LIT("_extra"));
        struct wh_slice rest = r->args[i].value;

        if (!extra && !wh_slice_eq(r->args[i].name, WH_LIT("_facet"))) {
            continue;
        }
        while (rest.len) {
            struct wh_slice word = next_word(&rest);

            if ((extra ? read_extra(l, word, err) : read_facet(l, word, err)) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

/* ---- the past ---- */

/* When the change with this number was stored, or the last one before it that the log still has. */
static enum wh_rc stored_at(struct api_list *l, uint64_t sequence, int64_t *ret_ms,
                            struct wh_err *err)
{
    const struct wh_slice all = wh_slice("", 0);
    struct wh_iter *it = NULL;
    struct wh_slice value;
    struct wh_slice key;
    unsigned char at[8];
    enum wh_rc rc;

    if (wh_iter_new(l->job->api->deps.store, NULL, SINK_CHANGES, all, all, &it, err) != WH_OK) {
        return err->rc;
    }
    wh_be_put64(at, sequence);
    wh_iter_seek(it, wh_slice(at, sizeof(at)), true);
    *ret_ms = 0;
    if (wh_iter_valid(it, &key, &value) && value.len >= 42) {
        *ret_ms = (int64_t)wh_be_get64(value.ptr + 34);
    }
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    return rc;
}

static enum wh_rc read_sequence(struct api_list *l, uint64_t sequence, struct wh_err *err)
{
    const struct sink *sink = l->job->api->deps.sink;

    if (sink && sequence > sink_sequence(sink)) {
        return wh_fail(err, WH_E_INVALID, "_asof=%llu is in the future: the last sequence is %llu",
                       (unsigned long long)sequence, (unsigned long long)sink_sequence(sink));
    }
    return stored_at(l, sequence, &l->when.stored_ms, err);
}

static enum wh_rc read_asof(struct api_list *l, struct wh_err *err)
{
    struct wh_slice text = api_arg(&l->job->request, "_asof");
    struct wh_instant at;
    struct wh_err ignored;
    int64_t n = 0;

    if (text.ptr == NULL) {
        return WH_OK;
    }
    if (wh_num_i64(text, &n, &ignored) == WH_OK && n >= 0) {
        return read_sequence(l, (uint64_t)n, err);
    }
    if (api_list_relative(l, text, &l->when.stored_ms)) {
        return WH_OK;
    }
    if (wh_time_parse(text, &at, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID,
                       "_asof is a sequence or a time, as in 2026-11-24T10:00:00Z or -2h");
    }
    l->when.stored_ms = at.ms;
    return WH_OK;
}

enum wh_rc api_list_words(struct api_list *l, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;
    struct wh_slice zone = api_arg(r, "_zone");

    l->zone = l->job->api->zone;
    l->now_ms = wh_clock_now_ms(&l->job->api->deps.clock);
    l->when = SINK_NOW;
    l->no_count = api_arg(r, "_nocount").ptr != NULL;
    if (zone.ptr && wh_zone_find(zone, &l->zone, err) != WH_OK) {
        return wh_err_prefix(err, "_zone");
    }
    if (read_asof(l, err) != WH_OK || read_lists(l, err) != WH_OK) {
        return err->rc;
    }
    if (api_arg(r, "_nofacet").ptr) {
        l->n_facets = 0;
        l->extras &= ~(unsigned)API_EXTRA_FACETS;
    }
    return api_arg_int(r, "_facet_size", 1, 1000, 30, &l->facet_size, err);
}
