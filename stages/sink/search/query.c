/* Hits, and how many there are of each kind. */
#include <stdlib.h>

#include "stages/sink/search/search_priv.h"

enum {
    EXPRESSION_MAX_BYTES = 16 << 10,
    CHECK_EVERY = 256,
    SNIPPET_TOKENS = 24,
    FORMERS_MAX = 1000, /* former texts that are hits of a query */
    TITLE_BIT = 1,
    TEXT_BIT = 2,
};

/* A former text is worth less than what is there now. */
static const double FORMER_FACTOR = 0.3;

struct ranked {
    int64_t row;
    double score;
};

struct run {
    const struct search_query *query;
    struct search_reader *reader;
    struct wh_arena *arena;
    struct search_answer *answer;
    struct wh_buf expression;
    int64_t *rows; /* that match, the newest first */
    size_t n_rows;
    int64_t *hits; /* one for each entity */
    size_t n_hits;
    struct ranked *ranked;
    size_t n_ranked;
    unsigned reads;
};

static bool is_asked(const struct run *r, int64_t row)
{
    return r->query->whats == 0 || (r->query->whats >> search_row_what(row) & 1);
}

static enum wh_rc check(struct run *r, struct wh_err *err)
{
    const struct search_query *q = r->query;

    if (++r->reads % CHECK_EVERY == 0 && q->over && q->over(q->ctx)) {
        return wh_fail(err, WH_E_CANCELED, "the search must end");
    }
    return WH_OK;
}

static enum wh_rc prepare(struct run *r, const char *sql, sqlite3_stmt **ret, struct wh_err *err)
{
    if (search_prepare(r->reader->db, sql, ret, err) != WH_OK) {
        return err->rc;
    }
    (void)sqlite3_bind_text(*ret, 1, wh_buf_str(&r->expression), (int)r->expression.len,
                            SQLITE_STATIC);
    return WH_OK;
}

static enum wh_rc ended(struct run *r, sqlite3_stmt *stmt, int code, enum wh_rc rc,
                        struct wh_err *err)
{
    if (rc == WH_OK && code != SQLITE_DONE && code != SQLITE_ROW) {
        rc = search_fail(r->reader->db, "searching", err);
    }
    (void)sqlite3_finalize(stmt);
    return rc;
}

/* ---- which rows match ---- */

static enum wh_rc collect(struct run *r, struct wh_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = SQLITE_DONE;
    enum wh_rc rc = prepare(r,
                            "SELECT rowid FROM texts WHERE texts MATCH ?1 AND (rowid & ?2) = 0 "
                            "ORDER BY rowid DESC",
                            &stmt, err);

    if (rc != WH_OK) {
        return rc;
    }
    (void)sqlite3_bind_int(stmt, 2, r->query->confidential ? 0 : SEARCH_ROW_CONFIDENTIAL);
    r->n_rows = 0;
    while (rc == WH_OK && r->n_rows < SEARCH_COUNT_MAX &&
           (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        r->rows[r->n_rows++] = sqlite3_column_int64(stmt, 0);
        rc = check(r, err);
    }
    r->answer->partial = r->n_rows == SEARCH_COUNT_MAX;
    return ended(r, stmt, code, rc, err);
}

static int newest_first(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

static bool matches(const struct run *r, int64_t row)
{
    return bsearch(&row, r->rows, r->n_rows, sizeof(row), newest_first) != NULL;
}

/* Does the entity of a former text match as it is now? 0 as *ret when it has no row any more. */
static enum wh_rc present_row(struct run *r, sqlite3_stmt *stmt, int64_t row, int64_t *ret,
                              struct wh_err *err)
{
    int code;

    *ret = 0;
    (void)sqlite3_bind_int64(stmt, 1, row);
    code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        *ret = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_reset(stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE ? WH_OK
                                                     : search_fail(r->reader->db, "reading", err);
}

/* The entities whose former texts are hits. */
struct owners {
    int64_t present[FORMERS_MAX];
    size_t n;
};

/* Is the former text a hit? Not when the entity is one already: by its present texts, or by a newer former one. */
static enum wh_rc is_hit(struct run *r, sqlite3_stmt *stmt, struct owners *owners, int64_t row,
                         bool *ret, struct wh_err *err)
{
    int64_t present = 0;

    *ret = false;
    if (owners->n == FORMERS_MAX) {
        r->answer->partial = true;
        return WH_OK;
    }
    if (present_row(r, stmt, row, &present, err) != WH_OK || check(r, err) != WH_OK) {
        return err->rc;
    }
    *ret = present != 0 && !matches(r, present);
    for (size_t i = 0; i < owners->n && *ret; i++) {
        *ret = owners->present[i] != present;
    }
    if (*ret) {
        owners->present[owners->n++] = present;
    }
    return WH_OK;
}

/* An entity is one hit. */
static enum wh_rc drop_repeated(struct run *r, struct wh_err *err)
{
    static const char sql[] = "SELECT p.row FROM record f JOIN record p ON p.id = f.id AND "
                              "p.kind = f.kind AND p.version = x'' WHERE f.row = ?1";
    struct owners owners = {.n = 0};
    sqlite3_stmt *stmt = NULL;
    size_t kept = 0;
    enum wh_rc rc = search_prepare(r->reader->db, sql, &stmt, err);

    for (size_t i = 0; rc == WH_OK && i < r->n_rows; i++) {
        bool hit = true;

        if (r->rows[i] & SEARCH_ROW_FORMER) {
            rc = is_hit(r, stmt, &owners, r->rows[i], &hit, err);
        }
        if (hit) {
            r->hits[kept++] = r->rows[i];
        }
    }
    r->n_hits = kept;
    (void)sqlite3_finalize(stmt);
    return rc;
}

static void count(struct run *r)
{
    r->answer->total = 0;
    for (size_t i = 0; i < r->n_hits; i++) {
        unsigned what = search_row_what(r->hits[i]);

        if (what < SEARCH_WHATS_MAX) {
            r->answer->whats[what]++;
            r->answer->total += is_asked(r, r->hits[i]);
        }
    }
}

/* ---- ranking ---- */

static int best_first(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;

    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return newest_first(&x->row, &y->row);
}

/* Scores the hits, which are read in the order of their rows. */
static enum wh_rc rank(struct run *r, struct wh_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = SQLITE_DONE;
    size_t next = 0;
    enum wh_rc rc = prepare(r,
                            "SELECT rowid, search_score(texts) FROM texts WHERE texts MATCH ?1 AND "
                            "(rowid & ?2) = 0 AND (?3 >> (rowid & 63)) & 1 ORDER BY rowid DESC",
                            &stmt, err);

    if (rc != WH_OK) {
        return rc;
    }
    (void)sqlite3_bind_int(stmt, 2, r->query->confidential ? 0 : SEARCH_ROW_CONFIDENTIAL);
    (void)sqlite3_bind_int64(stmt, 3, r->query->whats ? (int64_t)r->query->whats : -1);
    while (rc == WH_OK && r->n_ranked < SEARCH_RANK_MAX &&
           (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t row = sqlite3_column_int64(stmt, 0);
        double score = sqlite3_column_double(stmt, 1);

        while (next < r->n_hits && r->hits[next] > row) {
            next++;
        }
        if (next < r->n_hits && r->hits[next] == row) {
            score *= row & SEARCH_ROW_FORMER ? FORMER_FACTOR : 1;
            r->ranked[r->n_ranked++] = (struct ranked){row, score};
        }
        rc = check(r, err);
    }
    qsort(r->ranked, r->n_ranked, sizeof(r->ranked[0]), best_first);
    return ended(r, stmt, code, rc, err);
}

/* ---- the hits of a page ---- */

static enum wh_rc copy_column(struct run *r, sqlite3_stmt *stmt, int column, struct wh_slice *ret,
                              struct wh_err *err)
{
    const void *text = sqlite3_column_text(stmt, column);

    return wh_arena_dup(
        r->arena, wh_slice(text, text ? (size_t)sqlite3_column_bytes(stmt, column) : 0), ret, err);
}

static enum wh_rc read_hit(struct run *r, sqlite3_stmt *stmt, struct search_hit *hit,
                           struct wh_err *err)
{
    const void *id = sqlite3_column_blob(stmt, 0);
    const char *version = sqlite3_column_blob(stmt, 2);
    int mask = sqlite3_column_int(stmt, 3);

    if (sqlite3_column_bytes(stmt, 0) != (int)sizeof(hit->id.bytes)) {
        return wh_fail(err, WH_E_CORRUPT, "the search index has a damaged row");
    }
    memcpy(hit->id.bytes, id, sizeof(hit->id.bytes));
    hit->kind = (enum wh_kind)sqlite3_column_int(stmt, 1);
    if (hit->former && sqlite3_column_bytes(stmt, 2) == 16) {
        hit->version = (struct wh_version){wh_be_get64(version), wh_be_get64(version + 8)};
    }
    hit->field = mask & TITLE_BIT ? "title" : mask & TEXT_BIT ? "text" : "names";
    /* Column 5 is of the text, 6 of the names. */
    return copy_column(r, stmt, 4, &hit->title, err) == WH_OK
               ? copy_column(r, stmt, mask & TEXT_BIT || !(mask & ~TITLE_BIT) ? 5 : 6,
                             &hit->snippet, err)
               : err->rc;
}

static enum wh_rc fill(struct run *r, size_t from, struct wh_err *err)
{
    static const char sql[] = "SELECT r.id, r.kind, r.version, search_columns(texts),"
                              " highlight(texts, 0, char(2), char(3)),"
                              " snippet(texts, 1, char(2), char(3), '…', ?3),"
                              " snippet(texts, 2, char(2), char(3), '…', ?3)"
                              " FROM texts JOIN record r ON r.row = texts.rowid WHERE texts MATCH "
                              "?1 AND texts.rowid = ?2";
    struct search_answer *a = r->answer;
    sqlite3_stmt *stmt = NULL;
    int code = SQLITE_DONE;
    enum wh_rc rc = prepare(r, sql, &stmt, err);

    for (size_t i = from; rc == WH_OK && i < r->n_ranked && a->n_hits < r->query->size; i++) {
        struct search_hit *hit = &a->hits[a->n_hits];

        *hit = (struct search_hit){.what = search_row_what(r->ranked[i].row),
                                   .former = (r->ranked[i].row & SEARCH_ROW_FORMER) != 0,
                                   .place = {true, r->ranked[i].score, r->ranked[i].row}};
        (void)sqlite3_bind_int64(stmt, 2, r->ranked[i].row);
        (void)sqlite3_bind_int(stmt, 3, SNIPPET_TOKENS);
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW) {
            rc = read_hit(r, stmt, hit, err);
            a->n_hits++;
        } else if (code != SQLITE_DONE) {
            break;
        }
        (void)sqlite3_reset(stmt);
    }
    a->more = from + a->n_hits < r->n_ranked;
    return ended(r, stmt, code, rc, err);
}

static size_t first_of_page(const struct run *r)
{
    const struct ranked after = {r->query->after.row, r->query->after.score};
    size_t i = 0;

    while (r->query->after.set && i < r->n_ranked && best_first(&r->ranked[i], &after) <= 0) {
        i++;
    }
    return i;
}

/* ---- a query ---- */

static enum wh_rc allocate(struct run *r, struct wh_err *err)
{
    void *memory[4] = {NULL};
    const size_t sizes[4] = {SEARCH_COUNT_MAX * sizeof(int64_t), SEARCH_COUNT_MAX * sizeof(int64_t),
                             SEARCH_RANK_MAX * sizeof(struct ranked),
                             (r->query->size + 1) * sizeof(struct search_hit)};

    for (size_t i = 0; i < 4; i++) {
        if (wh_arena_alloc(r->arena, sizes[i], &memory[i], err) != WH_OK) {
            return err->rc;
        }
    }
    r->rows = memory[0];
    r->hits = memory[1];
    r->ranked = memory[2];
    r->answer->hits = memory[3];
    return WH_OK;
}

/* Finds rows, if need be with the words put together in another way. */
static enum wh_rc find(struct run *r, struct wh_err *err)
{
    for (int mode = SEARCH_AS_TYPED; mode <= SEARCH_ANY_WORD; mode++) {
        bool single = false;

        r->answer->mode = (enum search_mode)mode;
        wh_buf_reset(&r->expression);
        if (search_words(r->reader->fts, r->query->text, r->answer->mode, &r->expression, &single,
                         err) != WH_OK) {
            return err->rc;
        }
        if (r->expression.len == 0) {
            r->answer->no_words = true;
            return WH_OK;
        }
        if (collect(r, err) != WH_OK || r->n_rows > 0) {
            return err->rc;
        }
        if (single && mode == SEARCH_ALL_WORDS) {
            break;
        }
    }
    return WH_OK;
}

static enum wh_rc answer(struct run *r, struct wh_err *err)
{
    if (allocate(r, err) != WH_OK || find(r, err) != WH_OK || r->n_rows == 0) {
        return err->rc;
    }
    if (drop_repeated(r, err) != WH_OK) {
        return err->rc;
    }
    count(r);
    return rank(r, err) == WH_OK ? fill(r, first_of_page(r), err) : err->rc;
}

/* All statements of a query see the same state of the index. */
static enum wh_rc answer_at_once(struct run *r, struct wh_err *err)
{
    enum wh_rc rc = search_exec(r->reader->db, "BEGIN", err);

    if (rc == WH_OK) {
        rc = answer(r, err);
        (void)sqlite3_exec(r->reader->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

/* The index's thread then builds another file. */
static enum wh_rc say_damaged(struct search *s, struct wh_err *err)
{
    (void)pthread_mutex_lock(&s->lock);
    s->damaged = true;
    (void)pthread_cond_signal(&s->stirred);
    (void)pthread_mutex_unlock(&s->lock);
    wh_log_warn(s->conf.log, "the search index is damaged and will be built anew", WH_RC(err));
    return wh_fail(err, WH_E_UNAVAILABLE, "the search index is damaged; it is being built anew");
}

enum wh_rc search_run(struct search *s, const struct search_query *query, struct wh_arena *arena,
                      struct search_answer *ret, struct wh_err *err)
{
    struct search_file *file = search_file_get(s);
    struct run r = {.query = query, .arena = arena, .answer = ret};
    enum wh_rc rc;

    *ret = (struct search_answer){.total = 0};
    wh_err_clear(err);
    if (file == NULL) {
        return wh_fail(err, WH_E_UNAVAILABLE, "the search index is being built");
    }
    wh_buf_init(&r.expression, EXPRESSION_MAX_BYTES);
    rc = search_reader_take(file, &r.reader, err);
    if (rc == WH_OK) {
        rc = answer_at_once(&r, err);
        search_reader_give(file, r.reader);
    }
    wh_buf_done(&r.expression);
    search_file_drop(file);
    return rc == WH_E_CORRUPT ? say_damaged(s, err) : rc;
}
