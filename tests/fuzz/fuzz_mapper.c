/*
 * Bytes to the mapper. First byte: which view (origin and kind), 255 for a framed raw event; the
 * rest is the payload. Whatever comes out must encode, decode and be the same again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/mapper/view/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    enum wh_origin origin;
    const char *kind;
} shapes[] = {
    {WH_ORIGIN_WEBHOOK, "merge_request"},
    {WH_ORIGIN_REST, "merge_request"},
    {WH_ORIGIN_WEBHOOK, "issue"},
    {WH_ORIGIN_REST, "issue"},
    {WH_ORIGIN_WEBHOOK, "pipeline"},
    {WH_ORIGIN_REST, "pipeline_detail"},
    {WH_ORIGIN_WEBHOOK, "build"},
    {WH_ORIGIN_REST, "job"},
    {WH_ORIGIN_WEBHOOK, "deployment"},
    {WH_ORIGIN_REST, "deployment"},
    {WH_ORIGIN_WEBHOOK, "release"},
    {WH_ORIGIN_REST, "release"},
    {WH_ORIGIN_WEBHOOK, "note"},
    {WH_ORIGIN_REST, "note"},
    {WH_ORIGIN_WEBHOOK, "milestone"},
    {WH_ORIGIN_REST, "user"},
    {WH_ORIGIN_REST, "member"},
    {WH_ORIGIN_REST, "project"},
    {WH_ORIGIN_REST, "issue_links"},
    {WH_ORIGIN_REST, "gone"},
    {WH_ORIGIN_WEBHOOK, "user_add_to_team"},
    {WH_ORIGIN_WEBHOOK, "project_create"},
};

struct fuzz {
    struct mapper_views *views;
    struct mapper_eval *eval;
    struct wh_arena arena;
    struct wh_arena inner;
    struct wh_buf wire;
    struct wh_buf scratch;
    struct wh_observation back;
};

static void must(int holds)
{
    if (!holds) {
        abort();
    }
}

static enum wh_rc on_observation(void *ctx, const struct wh_observation *o, uint64_t inputs,
                                 struct wh_err *err)
{
    struct fuzz *f = ctx;
    uint64_t tie;

    (void)inputs;
    wh_buf_reset(&f->wire);
    wh_arena_reset(&f->inner);
    must(wh_observation_encode(o, &f->wire, err) == WH_OK);
    must(wh_observation_decode(wh_buf_slice(&f->wire), &f->inner, &f->back, err) == WH_OK);
    must(wh_observation_tie(&f->back, &f->scratch, &tie, err) == WH_OK);
    must(tie == o->version.tie);
    return WH_OK;
}

static enum wh_rc on_reread(void *ctx, const struct mapper_reread *r, struct wh_err *err)
{
    (void)ctx;
    (void)err;
    must(r->id.len > 0 && r->kind.len > 0);
    return WH_OK;
}

static struct fuzz *start(void)
{
    struct fuzz *f = wh_mem_zalloc(1, sizeof(*f));
    struct wh_err err;

    must(f != NULL);
    must(mapper_views_load(NULL, &f->views, &err) == WH_OK);
    f->eval = mapper_eval_new(f->views, 1 << 20, 64);
    must(f->eval != NULL);
    wh_arena_init(&f->arena, 1 << 16, 1 << 24);
    wh_arena_init(&f->inner, 1 << 16, 1 << 26);
    wh_buf_init(&f->wire, 1 << 26);
    wh_buf_init(&f->scratch, 1 << 26);
    return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz *f;
    const struct wh_provenance at = {.topic = {"t", 1}};
    struct mapper_out out = {.observation = on_observation, .reread = on_reread};
    struct wh_raw_event e = {.connection = WH_LIT("c"),
                             .instance = WH_LIT("https://gitlab.example.com"),
                             .project = WH_LIT("14"),
                             .object_id = WH_LIT("9"),
                             .delivery_id = WH_LIT("d")};
    enum mapper_outcome outcome;
    struct wh_err err;
    enum wh_rc rc;

    if (f == NULL) {
        f = start();
    }
    if (size == 0) {
        return 0;
    }
    out.ctx = f;
    if (data[0] == 255) {
        wh_arena_reset(&f->arena);
        if (wh_raw_event_decode(wh_slice(data + 1, size - 1), &f->arena, &e, &err) != WH_OK) {
            return 0;
        }
    } else {
        e.origin = shapes[data[0] % (sizeof(shapes) / sizeof(shapes[0]))].origin;
        e.kind = wh_slice_str(shapes[data[0] % (sizeof(shapes) / sizeof(shapes[0]))].kind);
        e.payload = wh_slice(data + 1, size - 1);
    }
    err.msg[0] = '\0';
    rc = mapper_eval_map(f->eval, &e, &at, &out, &outcome, &err);
    must(rc == WH_OK || (wh_rc_class(rc) == WH_CLASS_POISON && err.msg[0] != '\0'));
    return 0;
}
