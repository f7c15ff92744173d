#include "cli/record/line.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/be.h"
#include "common/base/enc.h"
#include "common/json/json_copy.h"

enum {
    LINE_MAX_BYTES = 512 << 20,
    JSON_MAX_BYTES = 32 << 20,
    JSON_DEPTH_MAX = 512,
    DOCUMENT_DEPTH_MAX = 24,
    BASE64_MAX_BYTES = 64 << 20,
};

struct cli_line {
    struct cli_schemas *schemas;
    bool own;
    const struct wh_schema_info *info; /* of the value that is being written; NULL: not built in */
    bool inside;                       /* a dead letter's input is being written */
    struct wh_json_parser *json;
    struct wh_json_parser *documents;
    struct wh_buf scratch;
    struct wh_buf out;
    struct wh_err fatal; /* an error that ends the command, from inside a value */
};

enum wh_rc cli_line_new(struct cli_schemas *schemas, bool own, struct cli_line **ret,
                        struct wh_err *err)
{
    struct cli_line *line = wh_mem_zalloc(1, sizeof(*line));

    if (line == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a line");
    }
    line->schemas = schemas;
    line->own = own;
    line->json = wh_json_parser_new(JSON_MAX_BYTES, JSON_DEPTH_MAX);
    line->documents = wh_json_parser_new(JSON_MAX_BYTES, DOCUMENT_DEPTH_MAX);
    wh_buf_init(&line->scratch, BASE64_MAX_BYTES);
    wh_buf_init(&line->out, LINE_MAX_BYTES);
    if (line->json == NULL || line->documents == NULL) {
        cli_line_free(line);
        return wh_fail(err, WH_E_NOMEM, "no memory for a line");
    }
    *ret = line;
    return WH_OK;
}

void cli_line_free(struct cli_line *line)
{
    if (line) {
        wh_json_parser_free(line->json);
        wh_json_parser_free(line->documents);
        wh_buf_done(&line->scratch);
        wh_buf_done(&line->out);
        wh_mem_free(line);
    }
}

/* ---- texts and bytes ---- */

static void put_base64(struct cli_line *line, struct wh_json_writer *w, struct wh_slice bytes)
{
    struct wh_err err;

    wh_jw_object(w);
    wh_buf_reset(&line->scratch);
    if (wh_base64_encode(bytes, &line->scratch, &err) == WH_OK) {
        wh_jw_put_str(w, "base64", wh_buf_slice(&line->scratch));
    } else {
        wh_jw_put_int(w, "bytes", (int64_t)bytes.len);
    }
    wh_jw_end(w);
}

static void put_text(struct cli_line *line, struct wh_json_writer *w, struct wh_slice bytes)
{
    if (bytes.ptr == NULL) {
        wh_jw_null(w);
    } else if (wh_utf8_valid(bytes)) {
        wh_jw_str(w, bytes);
    } else {
        put_base64(line, w, bytes);
    }
}

/* Is it a JSON object or array? */
static bool is_json(struct wh_json_parser *parser, struct wh_slice bytes, struct wh_json_val *ret)
{
    size_t i = 0;
    struct wh_err err;

    while (i < bytes.len && strchr(" \t\r\n", bytes.ptr[i]) && bytes.ptr[i]) {
        i++;
    }
    return i < bytes.len && (bytes.ptr[i] == '{' || bytes.ptr[i] == '[') &&
           wh_json_parse(parser, bytes, ret, &err) == WH_OK;
}

/* Copies valid JSON as it is, without the white space between its tokens. */
static void put_json(struct cli_line *line, struct wh_json_writer *w, struct wh_slice json)
{
    bool in_string = false;
    struct wh_err err;
    char *to;

    wh_buf_reset(&line->scratch);
    if (wh_buf_reserve(&line->scratch, json.len, &err) != WH_OK) {
        put_text(line, w, json);
        return;
    }
    to = line->scratch.ptr;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.ptr[i];

        if (in_string || (c != ' ' && c != '\t' && c != '\r' && c != '\n')) {
            *to++ = c;
        }
        if (in_string && c == '\\') {
            *to++ = json.ptr[++i]; /* valid JSON does not end here */
        } else if (c == '"') {
            in_string = !in_string;
        }
    }
    wh_jw_raw(w, wh_slice(line->scratch.ptr, (size_t)(to - line->scratch.ptr)));
}

/* ---- connections ---- */

/* "token_sealed", and "sealed" of a pair. */
static bool is_sealed(struct wh_slice key)
{
    static const struct wh_slice end = {"sealed", 6};

    return key.len >= end.len && wh_slice_eq(wh_slice_from(key, key.len - end.len), end);
}

/* NOLINTNEXTLINE(misc-no-recursion): the parser bounds the depth by DOCUMENT_DEPTH_MAX */
static void put_connection(struct wh_json_writer *w, struct wh_slice key, struct wh_json_val v)
{
    enum wh_json_type type = wh_json_type(v);
    struct wh_json_iter it;
    struct wh_json_val member;
    struct wh_slice name;

    if (type != WH_JSON_OBJECT && type != WH_JSON_ARRAY) {
        if (is_sealed(key)) {
            wh_jw_object(w);
            wh_jw_put_int(w, "sealed_bytes", (int64_t)wh_json_string(v).len);
            wh_jw_end(w);
        } else {
            wh_jw_value(w, v);
        }
        return;
    }
    if (type == WH_JSON_OBJECT) {
        wh_jw_object(w);
    } else {
        wh_jw_array(w);
    }
    for (it = wh_json_iter(v); wh_json_next(&it, &name, &member);) {
        if (type == WH_JSON_OBJECT) {
            wh_jw_key_slice(w, name);
        }
        put_connection(w, type == WH_JSON_OBJECT ? name : key, member);
    }
    wh_jw_end(w);
}

/* The JSON document of a connection, fetch-state, a run or a health record. */
static void put_document(struct cli_line *line, struct wh_json_writer *w, struct wh_slice text)
{
    bool secret = line->info->schema == WH_SCHEMA_CONNECTION;
    struct wh_json_val root;

    if (!is_json(line->documents, text, &root)) {
        if (secret) {
            wh_jw_object(w);
            wh_jw_put_int(w, "bytes", (int64_t)text.len);
            wh_jw_end(w);
        } else {
            put_text(line, w, text);
        }
    } else if (secret) {
        put_connection(w, WH_LIT(""), root);
    } else {
        put_json(line, w, text);
    }
}

/* ---- values ---- */

static enum wh_rc put_framed(struct cli_line *line, struct wh_json_writer *w,
                             struct wh_slice framed, struct wh_err *err);

static void on_text(void *ctx, struct wh_json_writer *w, const char *field, struct wh_slice text)
{
    struct cli_line *line = ctx;

    if (line->info && strcmp(field, "document") == 0) {
        put_document(line, w, text);
    } else {
        wh_jw_str(w, text);
    }
}

/* What was written since a mark can be taken back. */
struct mark {
    struct wh_json_writer w;
    size_t len;
};

static struct mark mark(const struct wh_json_writer *w)
{
    return (struct mark){*w, w->out->len};
}

static void take_back(struct wh_json_writer *w, const struct mark *to)
{
    *w = to->w;
    w->out->len = to->len;
}

/* The input of a dead letter, as an object with the members of a line. False when it cannot be decoded. */
static bool put_input(struct cli_line *line, struct wh_json_writer *w, struct wh_slice bytes)
{
    const struct wh_schema_info *info = line->info;
    const struct mark before = mark(w);
    struct wh_err err;
    enum wh_rc rc;

    line->inside = true;
    wh_jw_object(w);
    rc = put_framed(line, w, bytes, &err);
    wh_jw_end(w);
    line->inside = false;
    line->info = info;
    if (rc != WH_OK) {
        take_back(w, &before);
    }
    if (rc != WH_OK && wh_rc_class(rc) != WH_CLASS_POISON) {
        line->fatal = err;
    }
    return rc == WH_OK;
}

static void on_bytes(void *ctx, struct wh_json_writer *w, const char *field, struct wh_slice bytes)
{
    struct cli_line *line = ctx;
    struct wh_json_val root;

    if (line->info && line->info->schema == WH_SCHEMA_DEAD_LETTER && !line->inside &&
        strcmp(field, "value") == 0 && bytes.len >= WH_FRAME_BYTES && bytes.ptr[0] == '\0' &&
        put_input(line, w, bytes)) {
        return;
    }
    if (is_json(line->json, bytes, &root)) {
        put_json(line, w, bytes);
    } else {
        put_text(line, w, bytes);
    }
}

/* Writes "schema_id", "schema" and "value" of a framed value. */
static enum wh_rc put_framed(struct cli_line *line, struct wh_json_writer *w,
                             struct wh_slice framed, struct wh_err *err)
{
    const struct wh_generic_json how = {.text = on_text, .bytes = on_bytes, .ctx = line};
    const struct wh_generic *schema;
    int32_t id;

    if (framed.len < WH_FRAME_BYTES) {
        return wh_fail(err, WH_E_INVALID, "the value ends within the frame that names its schema");
    }
    id = (int32_t)wh_be_get32(framed.ptr + 1);
    if (cli_schemas_get(line->schemas, id, &schema, &line->info, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_int(w, "schema_id", id);
    wh_jw_put_str(w, "schema", wh_slice_str(wh_generic_name(schema)));
    wh_jw_key(w, "value");
    if (wh_generic_json(schema, wh_slice_from(framed, WH_FRAME_BYTES), &how, w, err) != WH_OK) {
        return err->rc;
    }
    if (line->fatal.rc != WH_OK) {
        *err = line->fatal;
    }
    return line->fatal.rc;
}

/* Writes "schema_id" and "value" of a value that no schema describes. */
static enum wh_rc put_plain(struct cli_line *line, struct wh_json_writer *w, struct wh_slice value,
                            struct wh_err *err)
{
    struct wh_json_val root;

    if (line->own) {
        return wh_fail(err, WH_E_INVALID, "no schema frame before the record");
    }
    wh_jw_key(w, "schema_id");
    wh_jw_null(w);
    wh_jw_key(w, "value");
    if (is_json(line->json, value, &root)) {
        put_json(line, w, value);
    } else {
        put_text(line, w, value);
    }
    return WH_OK;
}

/* ---- lines ---- */

static void put_headers(struct cli_line *line, struct wh_json_writer *w,
                        struct wh_consumer *consumer, const struct wh_bus_msg *msg)
{
    struct wh_bus_header headers[WH_BUS_HEADERS_MAX];
    size_t n = wh_consumer_headers(consumer, msg, headers);

    wh_jw_key(w, "headers");
    wh_jw_object(w);
    for (size_t i = 0; i < n; i++) {
        wh_jw_key_slice(w, headers[i].name);
        put_text(line, w, headers[i].value);
    }
    wh_jw_end(w);
    if (n == WH_BUS_HEADERS_MAX) {
        wh_jw_put_bool(w, "headers_may_be_cut", true);
    }
}

/* Everything but the value. */
static void put_place(struct cli_line *line, struct wh_json_writer *w, struct wh_consumer *consumer,
                      const struct wh_bus_msg *msg)
{
    char time[WH_TIME_TEXT_MAX];

    wh_jw_put_str(w, "topic", wh_slice_str(msg->topic));
    wh_jw_put_int(w, "partition", msg->partition);
    wh_jw_put_int(w, "offset", msg->offset);
    wh_jw_key(w, "timestamp");
    if (msg->timestamp_ms > 0) {
        wh_jw_str(w, wh_slice_str(wh_time_format(msg->timestamp_ms, time)));
    } else {
        wh_jw_null(w);
    }
    wh_jw_key(w, "key");
    put_text(line, w, msg->key);
    put_headers(line, w, consumer, msg);
}

static enum wh_rc put_value(struct cli_line *line, struct wh_json_writer *w, struct wh_slice value,
                            struct wh_err *err)
{
    enum wh_rc rc;

    wh_err_clear(&line->fatal);
    line->info = NULL;
    if (value.ptr == NULL) {
        wh_jw_key(w, "value");
        wh_jw_null(w);
        return WH_OK;
    }
    rc = value.len && value.ptr[0] == '\0' ? put_framed(line, w, value, err)
                                           : put_plain(line, w, value, err);
    if (rc == WH_OK && w->err.rc != WH_OK) {
        *err = w->err;
        return err->rc;
    }
    return rc;
}

static void put_error(struct wh_json_writer *w, struct wh_slice value, const struct wh_err *why)
{
    if (value.len >= WH_FRAME_BYTES && value.ptr[0] == '\0') {
        wh_jw_put_int(w, "schema_id", (int32_t)wh_be_get32(value.ptr + 1));
    }
    wh_jw_put_str(w, "error", wh_slice_str(why->msg));
    wh_jw_put_int(w, "value_bytes", (int64_t)value.len);
}

enum wh_rc cli_line_of(struct cli_line *line, struct wh_consumer *consumer,
                       const struct wh_bus_msg *msg, struct wh_slice *ret, bool *ret_decoded,
                       struct wh_err *err)
{
    struct wh_json_writer w;
    struct mark before;
    struct wh_err why;

    wh_buf_reset(&line->out);
    wh_json_writer_init(&w, &line->out);
    wh_jw_object(&w);
    put_place(line, &w, consumer, msg);
    before = mark(&w);
    *ret_decoded = put_value(line, &w, msg->value, &why) == WH_OK;
    if (!*ret_decoded && wh_rc_class(why.rc) != WH_CLASS_POISON) {
        *err = why;
        return err->rc;
    }
    if (!*ret_decoded) {
        take_back(&w, &before);
        put_error(&w, msg->value, &why);
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK || wh_buf_append_char(&line->out, '\n', err) != WH_OK) {
        return err->rc;
    }
    *ret = wh_buf_slice(&line->out);
    return WH_OK;
}
