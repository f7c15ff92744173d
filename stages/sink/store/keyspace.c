#include "stages/sink/store/keyspace.h"

const struct wh_store_family sink_families[SINK_FAMILY_COUNT] = {
    [SINK_ENTITIES] = {"entities", true, 1, true},
    [SINK_REVISIONS] = {"revisions", true, 16, true},
    [SINK_LINKS] = {"links", false, 16, true},
    [SINK_BACKLINKS] = {"backlinks", false, 16, true},
    [SINK_BY_TIME] = {"by_time", false, 1, true},
    [SINK_BY_PROJECT] = {"by_project", false, 17, true},
    [SINK_SOURCE_IDS] = {"source_ids", true, 0, true},
    [SINK_CHANGES] = {"changes", false, 0, true},
    [SINK_META] = {"meta", false, 0, false},
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

enum wh_rc sink_offset_key(struct wh_slice topic, int32_t partition, struct wh_buf *out,
                           struct wh_err *err)
{
    unsigned char number[4];
    const struct wh_slice parts[] = {WH_LIT("o"), topic, wh_slice("", 1), wh_slice(number, 4)};

    wh_be_put32(number, (uint32_t)partition);
    return append_all(out, parts, sizeof(parts) / sizeof(parts[0]), err);
}
