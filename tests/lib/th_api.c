#include "tests/lib/th_api.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

struct th_api *th_api_new(const struct sink_api_conf *conf, size_t heads, uint64_t seed)
{
    struct th_api *f = wh_mem_zalloc(1, sizeof(*f));
    struct sink_api_deps deps = {.clock = wh_clock_real(), .conf = *conf};
    struct changes_conf log = {.clock = wh_clock_real()};
    struct search_conf search = {.clock = wh_clock_real()};
    char token[80] = {0};
    struct wh_err err;
    FILE *file;

    f->loop = wh_loop_new();
    f->store = th_sink_store();
    f->folder = th_tmp_new();
    (void)snprintf(f->token_path, sizeof(f->token_path), "%s/api.token", f->folder);
    (void)snprintf(f->calls_path, sizeof(f->calls_path), "%s/agent-calls", f->folder);
    th_heads_init(&f->heads, f->store, WH_KIND_WORK_ITEM, seed);
    th_heads_add(&f->heads, heads);
    search.store = f->store;
    search.folder = f->folder;
    th_ok(search_new(&search, &f->search, &err), &err);
    deps.search = f->search;
    deps.store = f->store;
    log.store = f->store;
    th_ok(changes_new(&log, &f->changes, &err), &err);
    deps.changes = f->changes;
    deps.loop = f->loop;
    deps.conf.data_path = f->folder;
    deps.conf.token_file = f->token_path;
    deps.conf.calls_file = f->calls_path;
    th_ok(sink_api_new(&deps, &f->api, &err), &err);
    f->handler = sink_api_handler(f->api);
    file = fopen(f->token_path, "r");
    assert_non_null(file);
    assert_int_equal(fread(token, 1, 64, file), 64);
    (void)fclose(file);
    (void)snprintf(f->authorization, sizeof(f->authorization), "Bearer %s", token);
    return f;
}

void th_api_free(struct th_api *f)
{
    changes_stop(f->changes);
    sink_api_free(f->api);
    changes_free(f->changes);
    search_free(f->search);
    th_heads_done(&f->heads);
    wh_store_free(f->store);
    wh_loop_free(f->loop);
    th_tmp_remove(f->folder);
    wh_mem_free(f);
}

void th_api_request(struct th_api *f, struct th_http_req *req, const char *method, const char *path)
{
    th_http_init(req, method, path);
    th_http_header(req, "Authorization", f->authorization);
}

void th_api_entity(struct th_api *f, struct th_http_req *req, const char *method, size_t head,
                   char text[128])
{
    char id[WH_ENTITY_ID_TEXT + 1];

    (void)snprintf(text, 128, "/api/v1/entities/%s",
                   wh_entity_id_format(&f->heads.items[head]->id, id));
    th_api_request(f, req, method, text);
}
