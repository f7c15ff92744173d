/* From a head to what is indexed of it. */
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/search/search_priv.h"

enum {
    NAMES_MAX = 6,
    /* What a record is: its kind, and for work items their type. */
    WHAT_MERGE_REQUEST = WH_KIND_COUNT,
    WHAT_ISSUE,
    WHAT_INCIDENT,
    WHAT_COUNT,
};
_Static_assert((int)WHAT_COUNT <= (int)SEARCH_WHATS_MAX, "facets have room for all kinds");

static const struct {
    unsigned what;
    const char *name;  /* for work items: their type */
    const char *table; /* the view of these, or another word for them */
} words[] = {{WHAT_MERGE_REQUEST, "merge_request", "merge_requests"},
             {WHAT_ISSUE, "issue", "issues"},
             {WHAT_INCIDENT, "incident", "incidents"},
             {WH_KIND_NOTE, "comment", "comments"},
             {WH_KIND_BUILD_RECORD, "pipeline", "pipelines"},
             {WH_KIND_TEAM_MEMBER, "account", "accounts"}};

enum { WORDS_N = sizeof(words) / sizeof(words[0]) };

/* Which fields are indexed. */
static const struct shape {
    const char *title;
    const char *text;
    const char *names[NAMES_MAX];
    bool former; /* titles and texts of older revisions too */
    bool place;  /* the project's path and the number are names as well */
} shapes[WH_KIND_COUNT] = {
    [WH_KIND_WORK_ITEM] = {"title", "description", {"labels", "source_branch"}, true, true},
    [WH_KIND_BUILD_RECORD] = {"name", "yaml_errors", {"ref", "source"}, false, true},
    [WH_KIND_JOB] =
        {"name", NULL, {"stage", "ref", "failure_reason", "environment", "runner"}, false, false},
    [WH_KIND_TEAM_MEMBER] =
        {"name", NULL, {"username", "email", "job_title", "organization", "location"}, true, false},
    [WH_KIND_PROJECT] = {"name", "description", {"path", "topics"}, true, false},
    [WH_KIND_DEPLOYMENT] = {"environment_name", NULL, {"ref", "environment_tier"}, false, false},
    [WH_KIND_ENVIRONMENT] = {"name", NULL, {"external_url", "slug", "tier"}, false, false},
    [WH_KIND_RELEASE] = {"name", "description", {"tag"}, true, true},
    [WH_KIND_MILESTONE] = {"title", "description", {NULL}, true, false},
    [WH_KIND_NOTE] = {NULL, "text", {NULL}, true, false},
    [WH_KIND_SERVICE] = {"name", "attributes", {"aliases", "tier", "team", "labels"}, true, false},
    [WH_KIND_CUSTOMER] = {"name",
                          "attributes",
                          {"aliases", "domain", "segment", "region", "owner_email"},
                          true,
                          false},
    [WH_KIND_SERVICE_CUSTOMER] = {NULL, "attributes", {"service", "customer"}, false, false},
    [WH_KIND_SUBSCRIPTION] = {"product", "attributes", {"customer", "service"}, false, false},
    [WH_KIND_PERSON] = {"name", "attributes", {"emails", "accounts", "team", "title"}, true, false},
    [WH_KIND_SERVICE_OWNERSHIP] =
        {"service", "attributes", {"project", "path", "environment", "label"}, false, false},
};

const char *search_title_field(enum wh_kind kind)
{
    return shapes[kind].title;
}

const char *search_text_field(enum wh_kind kind)
{
    return shapes[kind].text;
}

bool search_keeps_former(enum wh_kind kind)
{
    return shapes[kind].former;
}

/* ---- what a record is ---- */

const char *search_what_name(unsigned what)
{
    for (size_t i = 0; i < WORDS_N; i++) {
        if (words[i].what == what) {
            return words[i].name;
        }
    }
    return what < WH_KIND_COUNT && wh_kind_def((enum wh_kind)what)
               ? wh_kind_def((enum wh_kind)what)->name
               : NULL;
}

uint64_t search_what_mask(struct wh_slice name)
{
    const struct wh_kind_def *def = wh_kind_by_name(name);
    uint64_t mask = def ? UINT64_C(1) << def->kind : 0;

    for (size_t i = 0; i < WORDS_N; i++) {
        if ((def && def->kind == WH_KIND_WORK_ITEM && words[i].what >= WH_KIND_COUNT) ||
            wh_slice_eq(name, wh_slice_str(words[i].name)) ||
            wh_slice_eq(name, wh_slice_str(words[i].table))) {
            mask |= UINT64_C(1) << words[i].what;
        }
    }
    return mask;
}

static unsigned what_of(const struct wh_head *head)
{
    struct wh_slice type = past_string(head, "type");

    for (size_t i = 0; head->body.def->kind == WH_KIND_WORK_ITEM && i < WORDS_N; i++) {
        if (words[i].what >= WH_KIND_COUNT && wh_slice_eq(type, wh_slice_str(words[i].name))) {
            return words[i].what;
        }
    }
    return (unsigned)head->body.def->kind;
}

/* ---- who may see it ---- */

static bool is_true(const struct wh_head *head, const char *field)
{
    const struct wh_value *v = past_field(head, field);

    return v && v->u.b;
}

/* An issue of which nobody has said that it is open to all is not shown to everybody. */
static bool is_confidential_item(const struct wh_head *head)
{
    const struct wh_value *v = past_field(head, "confidential");

    return v ? v->u.b : !wh_slice_eq(past_string(head, "type"), WH_LIT("merge_request"));
}

static enum wh_rc is_confidential(struct past *past, const struct wh_head *head,
                                  struct wh_arena *arena, bool *ret, struct wh_err *err)
{
    const struct wh_value *about;
    const struct wh_head *item = NULL;

    *ret = head->body.def->kind == WH_KIND_WORK_ITEM && is_confidential_item(head);
    if (head->body.def->kind != WH_KIND_NOTE) {
        return WH_OK;
    }
    *ret = is_true(head, "internal");
    about = past_field(head, "work_item");
    if (*ret || about == NULL) {
        *ret = *ret || !(wh_slice_eq(past_string(head, "noteable_type"), WH_LIT("MergeRequest")) ||
                         wh_slice_eq(past_string(head, "noteable_type"), WH_LIT("Commit")));
        return WH_OK;
    }
    if (past_head(past, WH_KIND_WORK_ITEM, &about->u.ref, arena, &item, err) != WH_OK) {
        return err->rc;
    }
    *ret = item == NULL || is_confidential_item(item);
    return WH_OK;
}

enum wh_rc search_look(struct past *past, const struct wh_head *head, struct wh_arena *arena,
                       unsigned *ret_what, bool *ret_confidential, struct wh_err *err)
{
    *ret_what = what_of(head);
    return is_confidential(past, head, arena, ret_confidential, err);
}

/* ---- texts ---- */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

enum wh_rc search_clean(struct wh_slice text, size_t max, struct wh_arena *arena,
                        struct wh_slice *ret, struct wh_err *err)
{
    void *memory = NULL;
    char *copy;

    if (text.len > max) {
        text.len = max;
        while (text.len && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80) {
            text.len--;
        }
    }
    if (wh_arena_alloc(arena, text.len + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    copy = memory;
    for (size_t i = 0; i < text.len; i++) {
        copy[i] = is_control(text.ptr[i]) ? ' ' : text.ptr[i];
    }
    copy[text.len] = '\0';
    *ret = wh_slice(copy, text.len);
    return WH_OK;
}

static void add_name(struct wh_buf *out, struct wh_slice name)
{
    struct wh_err full;

    /* Whoever has more names than fit is found by the first ones. */
    if (name.len && out->len + name.len + 1 <= SEARCH_NAMES_BYTES &&
        wh_buf_append(out, name, &full) == WH_OK) {
        (void)!wh_buf_append_char(out, ' ', &full);
    }
}

static void add_field(struct wh_buf *out, const struct wh_head *head, const char *field)
{
    const struct wh_value *v = past_field(head, field);
    int i = wh_kind_field(head->body.def, wh_slice_str(field));

    if (v == NULL || v->is_far) {
        return;
    }
    if (head->body.def->fields[i].type == WH_FIELD_STRINGS) {
        for (size_t n = 0; n < v->u.strs.n; n++) {
            add_name(out, v->u.strs.items[n]);
        }
    } else {
        add_name(out, v->u.str);
    }
}

/* "group/project" of "https://host/group/project/-/issues/12", and the number. */
static void add_place(struct wh_buf *out, const struct wh_source_id *source)
{
    const char *end = source->url.len ? memmem(source->url.ptr, source->url.len, "/-/", 3) : NULL;
    size_t from = source->instance.len + 1;
    size_t to = end ? (size_t)(end - source->url.ptr) : 0;

    if (to > from) {
        add_name(out, wh_slice(source->url.ptr + from, to - from));
    }
    add_name(out, source->iid);
}

static enum wh_rc make_names(const struct wh_head *head, const struct shape *shape,
                             struct wh_arena *arena, struct wh_slice *ret, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf names;

    wh_buf_init(&names, SEARCH_NAMES_BYTES + 2);
    for (size_t i = 0; i < NAMES_MAX && shape->names[i]; i++) {
        add_field(&names, head, shape->names[i]);
    }
    if (shape->place) {
        add_place(&names, &head->source);
    }
    return search_clean(wh_buf_slice(&names), SEARCH_NAMES_BYTES, arena, ret, err);
}

static enum wh_rc make_text(struct past *past, const struct wh_head *head, const char *field,
                            size_t max, struct wh_arena *arena, struct wh_slice *ret,
                            struct wh_version *ret_set, struct wh_err *err)
{
    struct wh_slice text = {NULL, 0};
    int i = field ? wh_kind_field(head->body.def, wh_slice_str(field)) : -1;

    *ret = text;
    *ret_set = (struct wh_version){0};
    if (i < 0) {
        return WH_OK;
    }
    if (past_text(past, head, field, arena, &text, err) != WH_OK) {
        return err->rc;
    }
    /* Also of a field that became null. */
    if (head->body.present >> i & 1) {
        *ret_set = head->set[i];
    }
    return search_clean(text, max, arena, ret, err);
}

enum wh_rc search_document_make(struct past *past, const struct wh_head *head,
                                struct wh_arena *arena, struct search_document *ret, bool *ret_has,
                                struct wh_err *err)
{
    const struct shape *shape = &shapes[head->body.def->kind];

    *ret = (struct search_document){.what = what_of(head)};
    if (make_text(past, head, shape->title, SEARCH_TITLE_BYTES, arena, &ret->title, &ret->title_set,
                  err) != WH_OK ||
        make_text(past, head, shape->text, SEARCH_TEXT_BYTES, arena, &ret->text, &ret->text_set,
                  err) != WH_OK ||
        make_names(head, shape, arena, &ret->names, err) != WH_OK) {
        return err->rc;
    }
    *ret_has = ret->title.len || ret->text.len || ret->names.len;
    return *ret_has ? is_confidential(past, head, arena, &ret->confidential, err) : WH_OK;
}
