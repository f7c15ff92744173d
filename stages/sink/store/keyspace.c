#include "stages/sink/store/keyspace.h"

const struct wh_store_family sink_families[SINK_FAMILY_COUNT] = {
    [SINK_ENTITIES] = {"entities", true, 1, true, true, 1},
    [SINK_REVISIONS] = {"revisions", true, 16, true, true, 0},
    [SINK_LINKS] = {"links", false, 16, true, false, 0},
    [SINK_BACKLINKS] = {"backlinks", false, 16, true, true, 0},
    [SINK_BY_TIME] = {"by_time", false, 1, true, false, 0},
    [SINK_BY_PROJECT] = {"by_project", false, 17, true, false, 0},
    [SINK_BY_VALUE] = {"by_value", false, 2, true, false, 0},
    [SINK_SOURCE_IDS] = {"source_ids", true, 0, true, false, 0},
    [SINK_CLAIMS] = {"claims", false, 0, true, false, 0},
    [SINK_MENTIONS] = {"mentions", false, 0, true, false, 0},
    [SINK_FORMER] = {"former", false, 0, true, false, 0},
    [SINK_CHANGES] = {"changes", false, 0, true, false, 0},
    [SINK_META] = {"meta", false, 0, false, false, 0},
};

static enum wh_rc append_all(struct wh_buf *out, const struct wh_slice *parts, size_t n,
                             struct wh_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (wh_buf_append(out, parts[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc sink_url_key(struct wh_slice url, struct wh_buf *out, struct wh_err *err)
{
    const struct wh_slice parts[] = {WH_LIT("u"), url};

    if (url.len + 1 > SINK_SOURCE_KEY_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "a url of %zu bytes is not indexed", url.len);
    }
    return append_all(out, parts, sizeof(parts) / sizeof(parts[0]), err);
}

enum wh_rc sink_iid_key(const struct wh_source_id *source, struct wh_buf *out, struct wh_err *err)
{
    const struct wh_slice nul = wh_slice("", 1);
    const struct wh_slice parts[] = {WH_LIT("i"), source->instance, nul, source->kind,
                                     nul,         source->project,  nul, source->iid};
    size_t len =
        4 + source->instance.len + source->kind.len + source->project.len + source->iid.len;

    if (len > SINK_SOURCE_KEY_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "a source id of %zu bytes is not indexed", len);
    }
    return append_all(out, parts, sizeof(parts) / sizeof(parts[0]), err);
}

static enum wh_rc former_key(char what, struct wh_slice value, struct wh_slice rest,
                             enum wh_kind kind, const struct wh_entity_id *id, struct wh_buf *out,
                             struct wh_err *err)
{
    unsigned char owner[SINK_ENTITY_KEY] = {0};
    const struct wh_slice parts[] = {wh_slice(&what, 1), value, rest,
                                     wh_slice(owner, id ? sizeof(owner) : 0)};

    if (value.len > SINK_SOURCE_KEY_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "a value of %zu bytes is not indexed", value.len);
    }
    if (id) {
        sink_entity_key(owner, kind, id);
    }
    return append_all(out, parts, sizeof(parts) / sizeof(parts[0]), err);
}

enum wh_rc sink_former_link_key(const struct wh_entity_id *to, unsigned field, enum wh_kind kind,
                                const struct wh_entity_id *id, struct wh_buf *out,
                                struct wh_err *err)
{
    const unsigned char number = (unsigned char)field;

    return former_key('l', wh_slice(to->bytes, sizeof(to->bytes)), wh_slice(&number, id ? 1 : 0),
                      kind, id, out, err);
}

enum wh_rc sink_former_value_key(struct wh_slice value, enum wh_kind kind,
                                 const struct wh_entity_id *id, struct wh_buf *out,
                                 struct wh_err *err)
{
    return former_key('v', value, wh_slice("", 0), kind, id, out, err);
}

enum wh_rc sink_former_url_key(struct wh_slice url, enum wh_kind kind,
                               const struct wh_entity_id *id, struct wh_buf *out,
                               struct wh_err *err)
{
    return former_key('u', url, wh_slice("", 1), kind, id, out, err);
}

bool sink_value_indexed(const struct wh_field_def *field)
{
    static const char *const names[] = {"sha",       "merge_commit_sha", "created_at",
                                        "closed_at", "merged_at",        "finished_at"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(field->name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

size_t sink_commit_prefix(unsigned char key[SINK_BY_VALUE_KEY], enum wh_kind kind, unsigned field,
                          struct wh_slice text)
{
    size_t len = text.len < SINK_VALUE_TEXT ? text.len : SINK_VALUE_TEXT;

    key[0] = (unsigned char)kind;
    key[1] = (unsigned char)field;
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];

        key[2 + i] = (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return 2 + len;
}

size_t sink_value_prefix(unsigned char key[SINK_BY_VALUE_KEY], enum wh_kind kind, unsigned field,
                         const struct wh_value *value)
{
    if (value->is_null || value->is_far) {
        return 0;
    }
    if (wh_kind_def(kind)->fields[field].type == WH_FIELD_STRING) {
        return value->u.str.len < WH_FAR_BYTES ? sink_commit_prefix(key, kind, field, value->u.str)
                                               : 0;
    }
    key[0] = (unsigned char)kind;
    key[1] = (unsigned char)field;
    wh_be_put64(key + 2, sink_time_key(value->u.i));
    return 2 + 8;
}

enum wh_rc sink_name_prefix(struct wh_slice name, struct wh_buf *out, struct wh_err *err)
{
    const struct wh_slice parts[] = {WH_LIT("k"), name, wh_slice("", 1)};

    return append_all(out, parts, sizeof(parts) / sizeof(parts[0]), err);
}

enum wh_rc sink_name_key(struct wh_slice name, enum wh_kind kind, const struct wh_entity_id *id,
                         struct wh_buf *out, struct wh_err *err)
{
    unsigned char entity[SINK_ENTITY_KEY];

    sink_entity_key(entity, kind, id);
    return sink_name_prefix(name, out, err) == WH_OK
               ? wh_buf_append(out, wh_slice(entity, sizeof(entity)), err)
               : err->rc;
}

enum wh_rc sink_namer_key(enum wh_kind kind, const struct wh_entity_id *id, struct wh_slice name,
                          struct wh_buf *out, struct wh_err *err)
{
    unsigned char entity[SINK_ENTITY_KEY];
    const struct wh_slice parts[] = {WH_LIT("e"), wh_slice(entity, sizeof(entity)), name};

    sink_entity_key(entity, kind, id);
    return append_all(out, parts, sizeof(parts) / sizeof(parts[0]), err);
}

enum wh_rc sink_offset_key(struct wh_slice topic, int32_t partition, struct wh_buf *out,
                           struct wh_err *err)
{
    unsigned char number[4];
    const struct wh_slice parts[] = {WH_LIT("o"), topic, wh_slice("", 1), wh_slice(number, 4)};

    wh_be_put32(number, (uint32_t)partition);
    return append_all(out, parts, sizeof(parts) / sizeof(parts[0]), err);
}
