/* From what a person typed to incidents. */
#include <strings.h>

#include "stages/sink/impact/impact_priv.h"

enum { SCRATCH_BLOCK_BYTES = 64 << 10, SCRATCH_MAX_BYTES = 16 << 20 };

static struct wh_slice trimmed(struct wh_slice text)
{
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '<')) {
        text = wh_slice_from(text, 1);
    }
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '>' ||
                        text.ptr[text.len - 1] == '/')) {
        text.len--;
    }
    return text;
}

static bool is_address(struct wh_slice text)
{
    return wh_slice_starts(text, WH_LIT("http://")) || wh_slice_starts(text, WH_LIT("https://"));
}

/* Without scheme, query and mark. */
static struct wh_slice page_of(struct wh_slice url)
{
    url = wh_slice_from(url, wh_slice_starts(url, WH_LIT("https://")) ? 8 : 7);
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] == '?' || url.ptr[i] == '#') {
            url.len = i;
        }
    }
    return url;
}

/* What names an incident: its number, and its project by the address or by the path. */
struct reference {
    struct wh_slice home;
    struct wh_slice path;
    struct wh_slice number;
};

static struct wh_slice digits_at(struct wh_slice text, size_t from)
{
    size_t n = 0;

    while (from + n < text.len && text.ptr[from + n] >= '0' && text.ptr[from + n] <= '9') {
        n++;
    }
    return wh_slice_from((struct wh_slice){text.ptr, from + n}, from);
}

/* host/group/project/-/issues/45, .../issues/incident/45/designs, and as older GitLabs wrote it. */
static bool read_address(struct wh_slice page, struct reference *ret)
{
    static const char *const words[] = {"/issues/incident/", "/incidents/", "/issues/",
                                        "/work_items/"};

    for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
        const struct wh_slice word = wh_slice_str(words[w]);
        const char *at = memmem(page.ptr, page.len, word.ptr, word.len);
        size_t from = at ? (size_t)(at - page.ptr) : 0;

        if (at == NULL) {
            continue;
        }
        ret->number = digits_at(page, from + word.len);
        ret->home = wh_slice(page.ptr, from);
        if (wh_slice_ends(ret->home, WH_LIT("/-"))) {
            ret->home.len -= 2;
        }
        return ret->number.len > 0;
    }
    return false;
}

/* group/project#45, #45, 45 */
static bool read_reference(struct wh_slice text, struct reference *ret)
{
    const char *mark = text.len ? memchr(text.ptr, '#', text.len) : NULL;
    size_t at = mark ? (size_t)(mark - text.ptr) + 1 : 0;

    ret->path = mark ? wh_slice(text.ptr, at - 1) : (struct wh_slice){NULL, 0};
    ret->number = digits_at(text, at);
    return ret->number.len > 0 && at + ret->number.len == text.len;
}

static bool same_text(struct wh_slice a, struct wh_slice b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

/* ---- the incidents ---- */

static bool has(const struct impact_choice *list, const struct wh_entity_id *id)
{
    for (; list; list = list->next) {
        if (wh_entity_id_cmp(&list->incident->id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* The incident, where it is now. */
static enum wh_rc add(struct past *p, const struct past_found *found, struct wh_arena *arena,
                      struct impact_choice **list, struct wh_err *err)
{
    const struct wh_head *head = NULL;
    void *memory = NULL;

    if (found->kind != WH_KIND_WORK_ITEM) {
        return WH_OK;
    }
    if (past_live(p, found->kind, &found->id, arena, &head, err) != WH_OK) {
        return err->rc;
    }
    if (!impact_is_incident(head)) {
        return WH_OK;
    }
    if (impact_moved_to(p, head, arena, &head, err) != WH_OK ||
        wh_arena_zalloc(arena, 1, sizeof(**list), &memory, err) != WH_OK) {
        return err->rc;
    }
    if (has(*list, &head->id)) {
        return WH_OK;
    }
    while (*list) {
        list = &(*list)->next;
    }
    *list = memory;
    (*list)->incident = head;
    return WH_OK;
}

static enum wh_rc is_of_project(struct past *p, const struct wh_head *head, struct wh_slice path,
                                struct wh_arena *scratch, bool *ret, struct wh_err *err)
{
    const struct wh_value *project = past_field(head, "project");
    const struct wh_head *of = NULL;

    *ret = path.len == 0;
    if (*ret || project == NULL) {
        return WH_OK;
    }
    if (past_head(p, WH_KIND_PROJECT, &project->u.ref, scratch, &of, err) != WH_OK) {
        return err->rc;
    }
    *ret = of && same_text(past_string(of, "path"), path);
    return WH_OK;
}

static enum wh_rc fits(struct past *p, const struct wh_head *head, const struct reference *r,
                       struct wh_arena *scratch, bool *ret, struct wh_err *err)
{
    struct reference own = {{NULL, 0}, {NULL, 0}, {NULL, 0}};

    *ret = false;
    if (head == NULL || !impact_is_incident(head) || !wh_slice_eq(head->source.iid, r->number)) {
        return WH_OK;
    }
    if (r->home.len > 0) {
        *ret = is_address(head->source.url) && read_address(page_of(head->source.url), &own) &&
               same_text(own.home, r->home);
        return WH_OK;
    }
    return is_of_project(p, head, r->path, scratch, ret, err);
}

static enum wh_rc find_by_reference(struct past *p, const struct reference *r,
                                    struct wh_arena *arena, struct impact_choice **ret,
                                    struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    struct wh_arena scratch;
    bool more = true;
    enum wh_rc rc = past_claimants(p, WH_LIT("type:incident"), &scan, err);

    wh_arena_init(&scratch, SCRATCH_BLOCK_BYTES, SCRATCH_MAX_BYTES);
    while (rc == WH_OK && more) {
        const struct wh_head *head = NULL;
        bool fitting = false;

        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            wh_arena_reset(&scratch);
            rc = past_live(p, found.kind, &found.id, &scratch, &head, err);
        }
        rc = rc == WH_OK ? fits(p, head, r, &scratch, &fitting, err) : rc;
        if (rc == WH_OK && fitting) {
            rc = add(p, &found, arena, ret, err);
        }
    }
    wh_arena_done(&scratch);
    past_scan_free(scan);
    return rc;
}

enum wh_rc impact_find(struct past *p, struct wh_slice text, struct wh_arena *arena,
                       struct impact_choice **ret, struct wh_err *err)
{
    struct reference reference = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct past_found found = {.kind = WH_KIND_WORK_ITEM};
    struct wh_err ignored;
    bool there = false;

    *ret = NULL;
    text = trimmed(text);
    if (wh_entity_id_parse(text, &found.id, &ignored) == WH_OK) {
        return add(p, &found, arena, ret, err);
    }
    if (is_address(text)) {
        if (past_by_url(p, text, &found, &there, err) != WH_OK ||
            (there && add(p, &found, arena, ret, err) != WH_OK)) {
            return err->rc;
        }
        return !there && read_address(page_of(text), &reference)
                   ? find_by_reference(p, &reference, arena, ret, err)
                   : WH_OK;
    }
    return read_reference(text, &reference) ? find_by_reference(p, &reference, arena, ret, err)
                                            : WH_OK;
}
