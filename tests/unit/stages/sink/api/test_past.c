/* Entities as they were: as_of counts what was stored by then, valid_at what the source says was true. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/api/api.h"
#include "stages/sink/batch/apply.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"
#include "tests/lib/th_http.h"
#include "tests/lib/th_tmp.h"

enum { TYPE = 0, TITLE = 2, STATE = 4 };

struct fixture {
    struct wh_loop *loop;
    struct wh_store *store;
    struct sink_apply *apply;
    struct sink_api *api;
    struct wh_http_handler handler;
    char *folder;
    char token_path[256];
    char authorization[128];
    struct wh_entity_id id;
};

static void open_api(struct fixture *f)
{
    const struct sink_api_deps deps = {
        .store = f->store,
        .loop = f->loop,
        .clock = wh_clock_real(),
        .conf = {.sql_timeout_ms = 5000,
                 .sql_timeout_max_ms = 5000,
                 .sql_rows = 1000,
                 .sql_bytes = 1 << 20,
                 .data_path = f->folder,
                 .token_file = f->token_path},
    };
    char text[80] = {0};
    struct wh_err err;
    FILE *file;

    th_ok(sink_api_new(&deps, &f->api, &err), &err);
    f->handler = sink_api_handler(f->api);
    file = fopen(f->token_path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    (void)snprintf(f->authorization, sizeof(f->authorization), "Bearer %.64s", text);
}

static int64_t ms(const char *text)
{
    struct wh_instant at;
    struct wh_err err;

    th_ok(wh_time_parse(wh_slice_str(text), &at, &err), &err);
    return at.ms;
}

/* An observation of issue 7: its own time, when it was stored, title and state. */
static void store(struct fixture *f, const char *version_at, const char *stored_at,
                  const char *title, const char *state)
{
    struct wh_observation *o = calloc(1, sizeof(*o));
    struct wh_history_result result;
    struct wh_buf scratch;
    struct wh_err err;

    assert_non_null(o);
    o->source = (struct wh_source_id){
        WH_LIT("gitlab"), WH_LIT("https://g"),           WH_LIT("issue"), WH_LIT("1"), WH_LIT("7"),
        WH_LIT("7"),      WH_LIT("https://g/-/issues/7")};
    o->id = wh_entity_id_make(o->source.instance, o->source.kind, o->source.id);
    f->id = o->id;
    o->provenance = (struct wh_provenance){.origin = WH_ORIGIN_REST,
                                           .delivery_id = WH_LIT("r"),
                                           .observed_at_ms = ms(stored_at),
                                           .topic = WH_LIT("raw"),
                                           .view = WH_LIT("v@1")};
    o->body.def = wh_kind_def(WH_KIND_WORK_ITEM);
    o->body.present = 1 << TYPE | 1 << TITLE | 1 << STATE;
    o->body.values[TYPE].u.str = WH_LIT("issue");
    o->body.values[TITLE].u.str = wh_slice_str(title);
    o->body.values[STATE].u.str = wh_slice_str(state);
    o->version.order =
        wh_version_order((struct wh_instant){.ms = ms(version_at)}, 0, WH_ORIGIN_REST);
    wh_buf_init(&scratch, 1 << 16);
    th_ok(wh_observation_tie(o, &scratch, &o->version.tie, &err), &err);
    wh_buf_done(&scratch);
    th_ok(sink_apply_observation(f->apply, o, ms(stored_at), &result, &err), &err);
    th_ok(sink_apply_seal(f->apply, &err), &err);
    th_ok(sink_apply_commit(f->apply, false, &err), &err);
    sink_apply_begin(f->apply);
    free(o);
}

/* Noon was read at one o'clock; a webhook of eleven was only stored at three. */
static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    struct wh_err err;

    f->loop = wh_loop_new();
    f->store = th_sink_store();
    f->folder = th_tmp_new();
    (void)snprintf(f->token_path, sizeof(f->token_path), "%s/api.token", f->folder);
    th_ok(sink_apply_new(f->store, 8, &f->apply, &err), &err);
    store(f, "2026-11-24T10:00:00Z", "2026-11-24T10:00:01Z", "ten", "opened");
    store(f, "2026-11-24T12:00:00Z", "2026-11-24T13:00:00Z", "noon", "closed");
    store(f, "2026-11-24T11:00:00Z", "2026-11-24T15:00:00Z", "eleven", "opened");
    open_api(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sink_api_free(f->api);
    sink_apply_free(f->apply);
    wh_store_free(f->store);
    wh_loop_free(f->loop);
    th_tmp_remove(f->folder);
    wh_mem_free(f);
    return 0;
}

static void get_from(struct fixture *f, const char *path, const char *sql, const char *as_of,
                     const char *valid_at, unsigned status, const char *part)
{
    struct th_http_req req;

    th_http_init(&req, "GET", path);
    if (sql) {
        th_http_arg(&req, "sql", sql);
    }
    if (as_of) {
        th_http_arg(&req, "as_of", as_of);
    }
    if (valid_at) {
        th_http_arg(&req, "valid_at", valid_at);
    }
    th_http_header(&req, "authorization", f->authorization);
    th_http_send(&req, &f->handler, f->loop);
    if (req.status != status || strstr(wh_buf_str(&req.answer), part) == NULL) {
        fail_msg("%s: %u %.900s", part, req.status, wh_buf_str(&req.answer));
    }
    th_http_done(&req);
}

static void get(struct fixture *f, const char *as_of, const char *valid_at, unsigned status,
                const char *part)
{
    char id[WH_ENTITY_ID_TEXT + 1];
    char path[128];

    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s", wh_entity_id_format(&f->id, id));
    get_from(f, path, NULL, as_of, valid_at, status, part);
}

static void a_statement_of_the_past(void **state)
{
    static const char sql[] = "select group_concat(version_at, ' ') as seen, "
                              "(select title from issues) as title from changes";
    static const char post[] = "{\"query\":\"select title from issues\","
                               "\"as_of\":\"2026-11-24T12:00:00Z\"}";
    struct fixture *f = *state;
    struct th_http_req req;
    char id[WH_ENTITY_ID_TEXT + 1];
    char path[128];

    get_from(f, "/api/v1/sql", sql, NULL, NULL, 200, "\"title\":\"noon\"");
    get_from(f, "/api/v1/sql", sql, "2026-11-24T14:00:00Z", NULL, 200, "12:00:00.000Z\"");
    get_from(f, "/api/v1/sql", sql, "2026-11-24T12:00:00Z", NULL, 200, "\"title\":\"ten\"");
    get_from(f, "/api/v1/sql", sql, NULL, "2026-11-24T11:00:00Z", 200, "\"title\":\"eleven\"");
    get_from(f, "/api/v1/sql", sql, "2020", NULL, 400, "as_of must be a time");
    th_http_init(&req, "POST", "/api/v1/sql");
    req.body = WH_LIT(post);
    th_http_header(&req, "authorization", f->authorization);
    th_http_send(&req, &f->handler, f->loop);
    assert_non_null(strstr(wh_buf_str(&req.answer), "\"title\":\"ten\""));
    th_http_done(&req);
    /* The list of revisions, too. */
    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s/revisions",
                   wh_entity_id_format(&f->id, id));
    get_from(f, path, NULL, "2026-11-24T12:00:00Z", NULL, 200,
             "\"stored_at\":\"2026-11-24T10:00:01.000Z\"}],");
    get_from(f, path, NULL, NULL, NULL, 200, "\"stored_at\":\"2026-11-24T15:00:00.000Z\"");
}

static void an_entity_as_it_was_stored(void **state)
{
    struct fixture *f = *state;

    get(f, NULL, NULL, 200, "\"title\":\"noon\"");
    get(f, NULL, NULL, 200, "\"revisions\":3");
    get(f, "2026-11-24T12:59:59.999Z", NULL, 200, "\"title\":\"ten\"");
    get(f, "2026-11-24T12:59:59.999Z", NULL, 200, "\"as_of\":\"2026-11-24T12:59:59.999Z\"");
    get(f, "2026-11-24T13:00:00Z", NULL, 200, "\"title\":\"noon\"");
    get(f, "2026-11-24T14:00:00+00:00", NULL, 200, "\"revisions\":2");
    get(f, "2026-11-24T10:00:01Z", NULL, 200, "\"state\":\"opened\"");
    get(f, "2026-11-24T10:00:00Z", NULL, 404, "nothing was known of this entity then");
    get(f, "yesterday", NULL, 400, "as_of must be a time");
    get(f, NULL, "", 400, "valid_at must be a time");
}

static void an_entity_as_the_source_says_it_was(void **state)
{
    struct fixture *f = *state;

    get(f, NULL, "2026-11-24T11:30:00Z", 200, "\"title\":\"eleven\"");
    get(f, NULL, "2026-11-24T12:00:00Z", 200, "\"title\":\"noon\"");
    get(f, NULL, "2026-11-24T09:00:00Z", 404, "nothing was known");
    /* Both: what was known at two of half past eleven. */
    get(f, "2026-11-24T14:00:00Z", "2026-11-24T11:30:00Z", 200, "\"title\":\"ten\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entity_as_it_was_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_statement_of_the_past, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entity_as_the_source_says_it_was, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("sink/api/past", tests, NULL, NULL);
}
