#include "stages/fetcher/mcp/message.h"

#include "common/json/json_copy.h"

/* ---- theirs ---- */

static enum wh_rc read_fault(struct wh_json_val error, struct mcp_message *m, struct wh_err *err)
{
    struct wh_json_val v;

    m->kind = MCP_FAULT;
    if (!wh_json_get(error, WH_LIT("code"), &v) || wh_json_type(v) != WH_JSON_INT) {
        return wh_fail(err, WH_E_TYPE, "a JSON-RPC error without a code");
    }
    m->code = wh_json_int(v);
    if (wh_json_get(error, WH_LIT("message"), &v) && wh_json_type(v) == WH_JSON_STRING) {
        m->text = wh_json_string(v);
    }
    m->has_data = wh_json_get(error, WH_LIT("data"), &m->data);
    return WH_OK;
}

enum wh_rc mcp_message_read(struct wh_slice json, struct wh_json_parser *parser,
                            struct mcp_message *ret, struct wh_err *err)
{
    struct mcp_message m = {0};
    struct wh_json_val root;
    struct wh_json_val v;

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_json_get(root, WH_LIT("jsonrpc"), &v) || wh_json_type(v) != WH_JSON_STRING ||
        !wh_slice_eq(wh_json_string(v), WH_LIT("2.0"))) {
        return wh_fail(err, WH_E_TYPE, "not a JSON-RPC 2.0 message");
    }
    if (wh_json_get(root, WH_LIT("id"), &m.id_value)) {
        enum wh_json_type type = wh_json_type(m.id_value);

        m.id_is_int = type == WH_JSON_INT;
        m.has_id = m.id_is_int || type == WH_JSON_STRING;
        m.id = m.id_is_int ? wh_json_int(m.id_value) : 0;
    }
    if (wh_json_get(root, WH_LIT("method"), &v)) {
        if (wh_json_type(v) != WH_JSON_STRING) {
            return wh_fail(err, WH_E_TYPE, "a JSON-RPC method that is no string");
        }
        m.method = wh_json_string(v);
        m.kind = m.has_id ? MCP_REQUEST : MCP_NOTICE;
    } else if (wh_json_get(root, WH_LIT("error"), &v)) {
        if (read_fault(v, &m, err) != WH_OK) {
            return err->rc;
        }
    } else if (wh_json_get(root, WH_LIT("result"), &m.result) && m.has_id) {
        m.kind = MCP_RESULT;
    } else {
        return wh_fail(err, WH_E_TYPE, "neither a request nor an answer");
    }
    *ret = m;
    return WH_OK;
}

/* ---- ours ---- */

static void empty(struct wh_json_writer *w, const char *key)
{
    wh_jw_key(w, key);
    wh_jw_object(w);
    wh_jw_end(w);
}

static void client_info(struct wh_json_writer *w, const char *key, const struct mcp_out *m)
{
    wh_jw_key(w, key);
    wh_jw_object(w);
    wh_jw_put_str(w, "name", m->client_name);
    wh_jw_put_str(w, "version", m->client_version);
    wh_jw_end(w);
}

static void write_params(struct wh_json_writer *w, const struct mcp_out *m)
{
    if (wh_slice_eq(m->method, WH_LIT("initialize"))) {
        wh_jw_put_str(w, "protocolVersion", m->version);
        empty(w, "capabilities");
        client_info(w, "clientInfo", m);
        return;
    }
    if (wh_slice_eq(m->method, WH_LIT("notifications/cancelled"))) {
        wh_jw_key(w, "requestId");
        wh_jw_int(w, m->cancelled_id);
        wh_jw_put_str(w, "reason", WH_LIT("not needed any more"));
    }
    if (m->name.len) {
        wh_jw_put_str(w, "name", m->name);
        wh_jw_key(w, "arguments");
        wh_jw_raw(w, m->arguments.len ? m->arguments : WH_LIT("{}"));
    }
    if (m->has_cursor) {
        wh_jw_put_str(w, "cursor", m->cursor);
    }
    if (m->modern) {
        wh_jw_key(w, "_meta");
        wh_jw_object(w);
        wh_jw_put_str(w, "io.modelcontextprotocol/protocolVersion", m->version);
        empty(w, "io.modelcontextprotocol/clientCapabilities");
        client_info(w, "io.modelcontextprotocol/clientInfo", m);
        wh_jw_end(w);
    }
}

enum wh_rc mcp_message_write(const struct mcp_out *m, struct wh_buf *out, struct wh_err *err)
{
    bool bare = wh_slice_eq(m->method, WH_LIT("notifications/initialized"));
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "jsonrpc", WH_LIT("2.0"));
    if (m->has_id) {
        wh_jw_key(&w, "id");
        wh_jw_int(&w, m->id);
    }
    wh_jw_put_str(&w, "method", m->method);
    if (!bare) {
        wh_jw_key(&w, "params");
        wh_jw_object(&w);
        write_params(&w, m);
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

enum wh_rc mcp_reply_write(const struct mcp_message *request, struct wh_buf *out,
                           struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "jsonrpc", WH_LIT("2.0"));
    wh_jw_key(&w, "id");
    wh_jw_value(&w, request->id_value);
    if (wh_slice_eq(request->method, WH_LIT("ping"))) {
        empty(&w, "result");
    } else {
        wh_jw_key(&w, "error");
        wh_jw_object(&w);
        wh_jw_key(&w, "code");
        wh_jw_int(&w, MCP_CODE_METHOD);
        wh_jw_put_str(&w, "message", WH_LIT("not offered by this client"));
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}
