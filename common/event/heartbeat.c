#include "common/event/heartbeat.h"

#include "common/json/json_doc.h"
#include "common/json/json_write.h"

static void write_held(struct wh_json_writer *w, const struct wh_heartbeat *h)
{
    wh_jw_key(w, "held");
    wh_jw_array(w);
    for (size_t i = 0; i < h->n_held; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "connection", h->held[i].connection);
        wh_jw_put_str(w, "what", h->held[i].what);
        wh_jw_put_str(w, "reason", h->held[i].reason);
        wh_jw_put_int(w, "since_ms", h->held[i].since_ms);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

enum wh_rc wh_heartbeat_write(const struct wh_heartbeat *h, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "stage", h->stage);
    wh_jw_put_str(&w, "process", h->process);
    wh_jw_put_str(&w, "version", h->version);
    wh_jw_put_str(&w, "group", h->group);
    wh_jw_put_int(&w, "at_ms", h->at_ms);
    wh_jw_put_int(&w, "started_ms", h->started_ms);
    wh_jw_put_bool(&w, "stopped", h->stopped);
    wh_jw_put_bool(&w, "ready", h->ready);
    wh_jw_put_str(&w, "reason", h->reason);
    write_held(&w, h);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static enum wh_rc read_held(struct wh_json_val list, struct wh_arena *arena, struct wh_heartbeat *h,
                            struct wh_err *err)
{
    struct wh_heartbeat_held *held;
    struct wh_json_iter it;
    struct wh_json_val item;
    struct wh_slice key;
    void *memory;

    if (wh_arena_zalloc(arena, WH_HEARTBEAT_HELD_MAX, sizeof(*held), &memory, err) != WH_OK) {
        return err->rc;
    }
    held = memory;
    for (it = wh_json_iter(list);
         h->n_held < WH_HEARTBEAT_HELD_MAX && wh_json_next(&it, &key, &item);) {
        held[h->n_held++] =
            (struct wh_heartbeat_held){.connection = wh_json_get_str(item, "connection"),
                                       .what = wh_json_get_str(item, "what"),
                                       .reason = wh_json_get_str(item, "reason"),
                                       .since_ms = wh_json_get_int(item, "since_ms", 0)};
    }
    h->held = held;
    return WH_OK;
}

enum wh_rc wh_heartbeat_parse(struct wh_slice json, struct wh_json_parser *parser,
                              struct wh_arena *arena, struct wh_heartbeat *ret, struct wh_err *err)
{
    struct wh_heartbeat h = {0};
    struct wh_json_val root;
    struct wh_json_val list;

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return wh_err_prefix(err, "heartbeat");
    }
    h.stage = wh_json_get_str(root, "stage");
    h.process = wh_json_get_str(root, "process");
    h.version = wh_json_get_str(root, "version");
    h.group = wh_json_get_str(root, "group");
    h.at_ms = wh_json_get_int(root, "at_ms", 0);
    h.started_ms = wh_json_get_int(root, "started_ms", 0);
    h.stopped = wh_json_get_flag(root, "stopped");
    h.ready = wh_json_get_flag(root, "ready");
    h.reason = wh_json_get_str(root, "reason");
    if (h.stage.len == 0 || h.process.len == 0 || h.at_ms <= 0) {
        return wh_fail(err, WH_E_MISSING, "heartbeat: stage, process or time is missing");
    }
    if (wh_json_get(root, WH_LIT("held"), &list) && read_held(list, arena, &h, err) != WH_OK) {
        return err->rc;
    }
    *ret = h;
    return WH_OK;
}
