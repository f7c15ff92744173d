#include "stages/fetcher/conn/number_ledger.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/json/json_write.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/check/gone.h"

enum { SEGMENT_MAX_BYTES = 64 << 10, KEY_MAX = 192, DOCUMENT_MAX_BYTES = 8192 };

static enum wh_rc save_segment(struct fetcher *f, struct numbers *n, uint32_t seq,
                               struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json;
    char key[NUMBERS_KEY_MAX];

    wh_buf_init(&json, SEGMENT_MAX_BYTES);
    if (numbers_segment_write(n, seq, key, &json, err) != WH_OK) {
        return err->rc;
    }
    return fetcher_save_state(f, wh_slice_str(n->connection), wh_slice_str(n->project),
                              wh_slice_str(key), wh_buf_slice(&json), NULL, err);
}

enum wh_rc number_ledger_save(struct fetcher *f, struct numbers *n, struct wh_err *err)
{
    uint32_t seq;

    while (n && number_set_dirty(n->set, &seq)) {
        if (save_segment(f, n, seq, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc number_ledger_save_stream(struct conn *c, const struct project *project, unsigned stream,
                                     struct wh_err *err)
{
    enum numbers_stream s = numbers_rows_of(stream);

    if (project == NULL || s == NUMBERS_STREAMS) {
        return WH_OK;
    }
    return number_ledger_save(c->fetcher,
                              numbers_of(c->fetcher->numbers, c->id, project->id, s, false), err);
}

/* ---- rows ---- */

void number_ledger_row(struct conn *c, const struct project *project, unsigned stream,
                       const struct gitlab_row *row, struct wh_json_val value)
{
    enum numbers_stream s = numbers_rows_of(stream);
    bool issue = s == NUMBERS_ISSUES;
    bool confidential = issue && numbers_row_confidential(value);
    int64_t number = 1;
    struct wh_json_val said;
    struct numbers *n;
    struct wh_err err;

    if (s == NUMBERS_STREAMS || row->id[0] == '\0' ||
        (s != NUMBERS_PROJECT && wh_num_i64(wh_slice_str(row->iid), &number, &err) != WH_OK)) {
        return;
    }
    n = numbers_of(c->fetcher->numbers, c->id, s == NUMBERS_PROJECT ? row->id : project->id, s,
                   true);
    /* Rows by tools do not say whether an issue is confidential. */
    if (n && issue && !wh_json_get(value, WH_LIT("confidential"), &said)) {
        confidential = number_set_get(n->set, number).confidential;
    }
    /* Of pipelines, the mark says that their jobs were read. */
    if (n && s == NUMBERS_PIPELINES) {
        confidential = number_set_get(n->set, number).confidential;
    }
    if (n == NULL || !gone_back(c->reads.gone, n, number, row->number, confidential)) {
        return;
    }
    if (number_set_put(n->set, number, row->number,
                       issue && numbers_row_moved(value) ? NUMBER_MOVED : NUMBER_HAVE, confidential,
                       &err) != WH_OK) {
        wh_log_debug(c->fetcher->deps.log, "number not recorded", WH_RC(&err));
    }
}

void number_ledger_jobs(struct conn *c, const struct project *project, const char *iid, bool whole)
{
    const struct numbers *n =
        numbers_of(c->fetcher->numbers, c->id, project->id, NUMBERS_PIPELINES, false);
    struct number_set_entry e;
    int64_t number;
    struct wh_err err;

    if (n == NULL || wh_num_i64(wh_slice_str(iid), &number, &err) != WH_OK) {
        return;
    }
    e = number_set_get(n->set, number);
    if (e.fate == NUMBER_HAVE &&
        number_set_put(n->set, number, e.id, e.fate, whole, &err) != WH_OK) {
        wh_log_debug(c->fetcher->deps.log, "jobs of a pipeline not recorded", WH_RC(&err));
    }
}

/* ---- the health topic ---- */

/* Of the pipelines that are there, those whose jobs were read. */
static struct number_counts jobs_of(const struct number_counts *pipelines)
{
    return (struct number_counts){.expected = pipelines->have,
                                  .have = pipelines->confidential,
                                  .missing = pipelines->have - pipelines->confidential};
}

struct number_counts number_ledger_pipelines(const struct conn *c)
{
    const struct numbers_table *t = c->fetcher->numbers;
    struct number_counts sum = {0};

    for (const struct numbers *n = numbers_next(t, NULL); n; n = numbers_next(t, n)) {
        if (n->stream == NUMBERS_PIPELINES && strcmp(n->connection, c->id) == 0 &&
            fetcher_owns(c->fetcher, c->id, n->project)) {
            struct number_counts counts = number_set_counts(n->set);

            sum.have += counts.have;
            sum.confidential += counts.confidential;
        }
    }
    return jobs_of(&sum);
}

static void write_counts(struct wh_json_writer *w, const struct number_counts *n)
{
    const struct {
        const char *key;
        int64_t value;
    } members[] = {
        {"expected", n->expected},   {"have", n->have},     {"missing", n->missing},
        {"deleted", n->deleted},     {"hidden", n->hidden}, {"moved", n->moved},
        {"no_access", n->no_access}, {"held", n->held},     {"confidential", n->confidential},
    };

    wh_jw_object(w);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        wh_jw_key(w, members[i].key);
        wh_jw_int(w, members[i].value);
    }
    wh_jw_end(w);
}

/* Tools list no jobs. */
static void write_jobs(struct wh_json_writer *w, const struct conn *c,
                       const struct number_counts *pipelines)
{
    struct number_counts jobs = jobs_of(pipelines);
    unsigned stream = 0;

    while (numbers_stream_of(stream) != NUMBERS_PIPELINES) {
        stream++;
    }
    if (source_of(access_sources(c->access), stream)->kind == SOURCE_REST) {
        wh_jw_key(w, "jobs");
        write_counts(w, &jobs);
    }
}

void number_ledger_write(struct wh_json_writer *w, const struct conn *c, const char *project,
                         const char *path)
{
    wh_jw_object(w);
    wh_jw_key(w, "project");
    wh_jw_str(w, wh_slice_str(project));
    wh_jw_key(w, "path");
    wh_jw_str(w, wh_slice_str(path));
    wh_jw_key(w, "at_ms");
    wh_jw_int(w, wh_clock_now_ms(&c->fetcher->deps.clock));
    wh_jw_key(w, "streams");
    wh_jw_object(w);
    for (unsigned s = 0; s < NUMBERS_PROOF; s++) {
        const struct numbers *n =
            numbers_of(c->fetcher->numbers, c->id, project, (enum numbers_stream)s, false);
        struct number_counts counts = n ? number_set_counts(n->set) : (struct number_counts){0};

        if (s == NUMBERS_PIPELINES) {
            write_jobs(w, c, &counts);
            counts.confidential = 0;
        }
        wh_jw_key(w, numbers_stream_name((enum numbers_stream)s));
        write_counts(w, &counts);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}

static bool changed(struct conn *c, const char *project)
{
    bool any = false;

    for (unsigned s = 0; s < NUMBERS_PROOF; s++) {
        struct numbers *n =
            numbers_of(c->fetcher->numbers, c->id, project, (enum numbers_stream)s, false);
        struct number_counts now = n ? number_set_counts(n->set) : (struct number_counts){0};

        if (n && memcmp(&now, &n->published, sizeof(now)) != 0) {
            n->published = now;
            any = true;
        }
    }
    return any;
}

void number_ledger_publish(struct conn *c, const char *project, const char *path)
{
    WH_AUTO(buf) struct wh_buf json;
    struct wh_json_writer w;
    struct wh_err err;
    char key[KEY_MAX];
    int len = snprintf(key, sizeof(key), "%s:completeness:%s", c->id, project);

    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    if (!changed(c, project)) {
        return;
    }
    wh_json_writer_init(&w, &json);
    number_ledger_write(&w, c, project, path);
    if (wh_jw_finish(&w, &err) != WH_OK ||
        outbox_document(c->fetcher->outbox,
                        &(struct outbox_document){.schema = WH_DOCUMENT_HEALTH,
                                                  .topic = c->fetcher->topics.health,
                                                  .key = wh_slice(key, len > 0 ? (size_t)len : 0),
                                                  .connection = wh_slice_str(c->id),
                                                  .json = wh_buf_slice(&json)},
                        NULL, &err) != WH_OK) {
        wh_log_warn(c->fetcher->deps.log, "completeness report not published", WH_RC(&err));
    }
}
