#include "stages/fetcher/conn/run_request.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/run.h"

enum { JSON_MAX_BYTES = 1024 };

#define SYNC_SUFFIX "::sync"

enum wh_rc run_request(struct conn *c, bool verify, bool confirm, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json = {0};
    char key[CURSOR_KEY_MAX];
    struct wh_json_writer w;

    if (c->stopped) {
        return wh_fail(err, WH_E_CANCELED, "it is disconnected; connect again to read it");
    }
    wh_buf_init(&json, JSON_MAX_BYTES);
    c->run.want_verify = c->run.want_verify || verify;
    c->run.want_confirm = c->run.want_confirm || confirm;
    conn_run(c);
    wh_json_writer_init(&w, &json);
    wh_jw_object(&w);
    wh_jw_put_int(&w, "asked_at_ms", wh_clock_now_ms(&c->fetcher->deps.clock));
    wh_jw_put_bool(&w, "verify", verify);
    wh_jw_put_bool(&w, "confirm", confirm);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    cursor_key(key, c->id, WH_LIT(""), "sync");
    return fetcher_save_everywhere(c->fetcher, c, key, wh_buf_slice(&json), false, err);
}

/* The same request arrives on each partition, and again when a partition is read again. */
static void take(struct fetcher *f, const struct wh_bus_msg *msg)
{
    struct wh_slice id = wh_slice(msg->key.ptr, msg->key.len - (sizeof(SYNC_SUFFIX) - 1));
    struct conn *c = fetcher_find(f, id);
    struct wh_document doc;
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_err err;

    if (c == NULL || msg->value.ptr == NULL || !f->caught_up ||
        !ownership_works_on(&f->ownership, msg->partition) ||
        wh_document_decode(msg->value, &doc, &err) != WH_OK ||
        wh_json_parse(f->rows, doc.document, &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("asked_at_ms"), &v) || wh_json_int(v) <= c->run.requested_ms) {
        return;
    }
    c->run.requested_ms = wh_json_int(v);
    c->run.want_verify = c->run.want_verify || wh_json_get_flag(root, "verify");
    c->run.want_confirm = c->run.want_confirm || wh_json_get_flag(root, "confirm");
    conn_run(c);
}

bool run_request_take(struct fetcher *f, const struct wh_bus_msg *msg)
{
    if (!wh_slice_ends(msg->key, WH_LIT(SYNC_SUFFIX))) {
        return false;
    }
    take(f, msg);
    return true;
}
