/*
 * The score of a row: BM25, in which a word of the title counts more than one of the text. FTS5's own function counts
 * all rows of every phrase first; for words that stand in a million rows this one stops counting early.
 */
#include <math.h>

#include "common/base/mem.h"
#include "stages/sink/search/search_priv.h"

enum { PHRASES_MAX = 64, COUNTED_MAX = 20000, COLUMNS = 3 };

static const double weights[COLUMNS] = {8, 1, 3}; /* title, text, names */
static const double K1 = 1.2;
static const double B = 0.75;

struct statistics {
    double average; /* tokens of a row */
    double idf[PHRASES_MAX];
};

static int count_row(const Fts5ExtensionApi *api, Fts5Context *fts, void *ctx)
{
    int64_t *n = ctx;

    (void)api;
    (void)fts;
    return ++*n < COUNTED_MAX ? SQLITE_OK : SQLITE_DONE;
}

static int read_statistics(const Fts5ExtensionApi *api, Fts5Context *fts, struct statistics *ret)
{
    int phrases = api->xPhraseCount(fts);
    sqlite3_int64 rows = 0;
    sqlite3_int64 tokens = 0;
    int rc = api->xRowCount(fts, &rows);

    rc = rc == SQLITE_OK ? api->xColumnTotalSize(fts, -1, &tokens) : rc;
    ret->average = rows > 0 && tokens > 0 ? (double)tokens / (double)rows : 1;
    for (int i = 0; rc == SQLITE_OK && i < phrases && i < PHRASES_MAX; i++) {
        int64_t n = 0;

        if (phrases > 1) {
            rc = api->xQueryPhrase(fts, i, &n, count_row);
        }
        ret->idf[i] = log(1 + ((double)rows - (double)n + 0.5) / ((double)n + 0.5));
        ret->idf[i] = ret->idf[i] > 0.01 ? ret->idf[i] : 0.01;
    }
    return rc;
}

static int get_statistics(const Fts5ExtensionApi *api, Fts5Context *fts, struct statistics **ret)
{
    int rc;

    *ret = api->xGetAuxdata(fts, 0);
    if (*ret) {
        return SQLITE_OK;
    }
    *ret = wh_mem_zalloc(1, sizeof(**ret));
    if (*ret == NULL) {
        return SQLITE_NOMEM;
    }
    rc = read_statistics(api, fts, *ret);
    if (rc != SQLITE_OK) {
        wh_mem_free(*ret);
        return rc;
    }
    return api->xSetAuxdata(fts, *ret, wh_mem_free);
}

/* How often each phrase occurs in the row, weighted by column. */
static int read_frequencies(const Fts5ExtensionApi *api, Fts5Context *fts,
                            double frequency[PHRASES_MAX])
{
    int n = 0;
    int rc = api->xInstCount(fts, &n);

    for (int i = 0; rc == SQLITE_OK && i < n; i++) {
        int phrase = 0;
        int column = 0;
        int offset = 0;

        rc = api->xInst(fts, i, &phrase, &column, &offset);
        if (rc == SQLITE_OK && phrase < PHRASES_MAX && column < COLUMNS) {
            frequency[phrase] += weights[column];
        }
    }
    return rc;
}

static void score(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *ctx, int n_values,
                  sqlite3_value **values)
{
    double frequency[PHRASES_MAX] = {0};
    struct statistics *s = NULL;
    double sum = 0;
    int tokens = 0;
    int rc = get_statistics(api, fts, &s);

    (void)n_values;
    (void)values;
    rc = rc == SQLITE_OK ? read_frequencies(api, fts, frequency) : rc;
    rc = rc == SQLITE_OK ? api->xColumnSize(fts, -1, &tokens) : rc;
    if (rc != SQLITE_OK) {
        sqlite3_result_error_code(ctx, rc);
        return;
    }
    for (int i = 0; i < PHRASES_MAX; i++) {
        double length = K1 * (1 - B + B * (double)tokens / s->average);

        sum += s->idf[i] * frequency[i] * (K1 + 1) / (frequency[i] + length);
    }
    sqlite3_result_double(ctx, sum);
}

/* The columns with a match, as bits. */
static void columns(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *ctx,
                    int n_values, sqlite3_value **values)
{
    int n = 0;
    int mask = 0;
    int rc = api->xInstCount(fts, &n);

    (void)n_values;
    (void)values;
    for (int i = 0; rc == SQLITE_OK && i < n; i++) {
        int phrase = 0;
        int column = 0;
        int offset = 0;

        rc = api->xInst(fts, i, &phrase, &column, &offset);
        mask |= 1 << column;
    }
    if (rc != SQLITE_OK) {
        sqlite3_result_error_code(ctx, rc);
        return;
    }
    sqlite3_result_int(ctx, mask);
}

enum wh_rc search_rank_install(fts5_api *fts, struct wh_err *err)
{
    if (fts->xCreateFunction(fts, "search_score", NULL, score, NULL) != SQLITE_OK ||
        fts->xCreateFunction(fts, "search_columns", NULL, columns, NULL) != SQLITE_OK) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a search");
    }
    return WH_OK;
}
