/*
 * Schemas and records of other producers, on their way to avro-c. The first byte chooses a built-in
 * schema, or says that the schema's text comes first, up to a NUL. What the guard accepts avro-c must
 * decode, as valid JSON; what it does not accept ends in an error.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/avro/generic.h"
#include "common/avro/schemas.h"
#include "common/json/json_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

enum { OUT_MAX_BYTES = 64 << 20, JSON_DEPTH = 256 };

/* avro-c keeps a schema that names a type twice (generic.h). */
const char *__lsan_default_suppressions(void)
{
    return "leak:avro_schema_link\nleak:avro_schema_from_json\n";
}

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void put_text(void *ctx, struct wh_json_writer *w, const char *field, struct wh_slice text)
{
    (void)ctx;
    check(field != NULL);
    wh_jw_str(w, text);
}

static void put_bytes(void *ctx, struct wh_json_writer *w, const char *field, struct wh_slice bytes)
{
    (void)ctx;
    check(field != NULL);
    wh_jw_int(w, (int64_t)bytes.len);
}

static bool decode(const struct wh_generic *g, struct wh_slice body)
{
    const struct wh_generic_json how = {.text = put_text, .bytes = put_bytes};
    struct wh_json_parser *parser = wh_json_parser_new(OUT_MAX_BYTES, JSON_DEPTH);
    struct wh_json_writer w;
    struct wh_json_val v;
    struct wh_buf out;
    struct wh_err err;
    bool ok;

    wh_buf_init(&out, OUT_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    ok = wh_generic_json(g, body, &how, &w, &err) == WH_OK;
    if (ok && wh_jw_finish(&w, &err) == WH_OK) {
        check(wh_json_parse(parser, wh_buf_slice(&out), &v, &err) == WH_OK);
    } else {
        /* An error of avro-c's own: the guard let something through. */
        check(strncmp(err.msg, "the record: ", 12) != 0);
        check(wh_rc_class(err.rc) == WH_CLASS_POISON);
    }
    wh_json_parser_free(parser);
    wh_buf_done(&out);
    return ok;
}

/* A record that can be decoded can be resolved to its own schema, too: to the same bytes of one form. */
static void resolve(const struct wh_generic *g, struct wh_slice body)
{
    struct wh_generic_resolver *r = NULL;
    struct wh_buf first;
    struct wh_buf second;
    struct wh_err err;

    wh_buf_init(&first, OUT_MAX_BYTES);
    wh_buf_init(&second, OUT_MAX_BYTES);
    if (wh_generic_resolver_new(g, g, &r, &err) == WH_OK &&
        wh_generic_resolve(r, body, &first, &err) == WH_OK) {
        check(wh_generic_resolve(r, wh_buf_slice(&first), &second, &err) == WH_OK);
        check(wh_slice_eq(wh_buf_slice(&first), wh_buf_slice(&second)));
    }
    wh_generic_resolver_free(r);
    wh_buf_done(&second);
    wh_buf_done(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wh_slice body = wh_slice(data, size);
    struct wh_slice text;
    struct wh_generic *g = NULL;
    struct wh_err err;
    const char *nul;
    size_t n;
    const struct wh_schema_info *all = wh_schemas(&n);

    if (size == 0) {
        return 0;
    }
    body = wh_slice_from(body, 1);
    if (data[0] < n) {
        text = wh_schema_text(&all[data[0]]);
    } else {
        nul = memchr(body.ptr, '\0', body.len);
        text = wh_slice(body.ptr, nul ? (size_t)(nul - body.ptr) : body.len);
        body = wh_slice_from(body, text.len + (nul != NULL));
    }
    if (wh_generic_new(text, &g, &err) != WH_OK) {
        check(wh_rc_class(err.rc) == WH_CLASS_POISON);
    } else if (decode(g, body)) {
        resolve(g, body);
    }
    wh_generic_free(g);
    return 0;
}
