#include "common/avro/registry.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/json/json_doc.h"

enum {
    ANSWER_DEPTH_MAX = 16,
    NO_SUCH_SCHEMA = 40403, /* the error_code that tells a missing schema from a wrong address */
};

const char *wh_registry_path(int32_t id, char path[WH_REGISTRY_PATH_MAX])
{
    (void)snprintf(path, WH_REGISTRY_PATH_MAX, "/schemas/ids/%" PRId32, id);
    return path;
}

static bool any_member(struct wh_json_val object, struct wh_slice key)
{
    struct wh_json_iter it;
    struct wh_json_val list;
    struct wh_json_val item;

    if (!wh_json_get(object, key, &list)) {
        return false;
    }
    it = wh_json_iter(list);
    return wh_json_next(&it, NULL, &item);
}

static enum wh_rc read_schema(int32_t id, struct wh_json_val root, struct wh_buf *out,
                              struct wh_err *err)
{
    struct wh_json_val v;

    /* The type is absent for Avro. */
    if (wh_json_get(root, WH_LIT("schemaType"), &v) && wh_json_type(v) == WH_JSON_STRING &&
        !wh_slice_eq(wh_json_string(v), WH_LIT("AVRO"))) {
        return wh_fail(err, WH_E_UNSUPPORTED, "schema id %" PRId32 " is %.20s, not Avro", id,
                       wh_json_string(v).ptr);
    }
    if (any_member(root, WH_LIT("references"))) {
        return wh_fail(err, WH_E_UNSUPPORTED,
                       "schema id %" PRId32 " refers to other schemas, which is not supported", id);
    }
    if (!wh_json_get(root, WH_LIT("schema"), &v) || wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_UNAVAILABLE,
                       "the registry's answer for schema id %" PRId32 " holds no schema", id);
    }
    return wh_buf_append(out, wh_json_string(v), err);
}

static enum wh_rc read_answer(int32_t id, unsigned status, struct wh_json_val root,
                              struct wh_buf *out, struct wh_err *err)
{
    if (status == 404 && wh_json_get_int(root, "error_code", 0) == NO_SUCH_SCHEMA) {
        return wh_fail(err, WH_E_NOT_FOUND, "the registry has no schema id %" PRId32, id);
    }
    if (status != 200) {
        return wh_fail(err, WH_E_UNAVAILABLE, "the registry answers with status %u", status);
    }
    return read_schema(id, root, out, err);
}

enum wh_rc wh_registry_answer(int32_t id, unsigned status, struct wh_slice body, struct wh_buf *out,
                              struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(WH_REGISTRY_ANSWER_MAX, ANSWER_DEPTH_MAX);
    struct wh_json_val root;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a schema");
    }
    if (wh_json_parse(parser, body, &root, err) != WH_OK) {
        rc = wh_fail(err, WH_E_UNAVAILABLE,
                     "what answers at the registry's address is no registry (status %u)", status);
    } else {
        rc = read_answer(id, status, root, out, err);
    }
    wh_json_parser_free(parser);
    return rc;
}
