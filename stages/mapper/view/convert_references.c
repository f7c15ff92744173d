/* References to work items in texts: "#12", "group/project!12", addresses; and what is reverted. */
#include "stages/mapper/view/rules_priv.h"

enum { NUMBER_MAX = 10, SHA_MIN = 7, SHA_MAX = 64 };

struct references {
    struct rule_texts texts;
    struct wh_slice home; /* the project's address; empty: not known */
    struct wh_slice own;  /* the address of the work item itself, which is no reference */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t find(struct wh_slice s, struct wh_slice part)
{
    const char *p = s.len ? memmem(s.ptr, s.len, part.ptr, part.len) : NULL;

    return p ? (size_t)(p - s.ptr) : s.len;
}

/* The number at the beginning; empty: none, or it goes on as a word. */
static struct wh_slice number_at(struct wh_slice s)
{
    size_t n = 0;

    while (n < s.len && is_digit(s.ptr[n])) {
        n++;
    }
    if (n > NUMBER_MAX || (n && s.ptr[0] == '0') ||
        (n < s.len && s.ptr[n] != '_' && is_word(s.ptr[n]))) {
        n = 0;
    }
    return wh_slice(s.ptr, n);
}

/* ---- addresses ---- */

struct address {
    struct wh_slice home;
    struct wh_slice kind; /* "issues" or "merge_requests" */
    struct wh_slice number;
};

/* "issues/12" and its other forms */
static bool read_thing(struct wh_slice s, struct address *ret)
{
    static const struct {
        const char *begin;
        const char *kind;
    } things[] = {{"issues/incident/", "issues"},
                  {"issues/", "issues"},
                  {"incidents/", "issues"},
                  {"work_items/", "issues"},
                  {"merge_requests/", "merge_requests"}};

    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
        struct wh_slice begin = wh_slice_str(things[i].begin);

        if (wh_slice_starts(s, begin)) {
            ret->kind = wh_slice_str(things[i].kind);
            ret->number = number_at(wh_slice_from(s, begin.len));
            if (ret->number.len) {
                return true;
            }
        }
    }
    return false;
}

/* An address of a work item: also without "/-/", as GitLab had it before version 12. */
static bool read_address(struct wh_slice url, struct address *ret)
{
    size_t host = find(url, WH_LIT("://"));
    size_t dash = find(url, WH_LIT("/-/"));
    const char *slash;

    if (host == url.len) {
        return false;
    }
    slash = memchr(url.ptr + host + 3, '/', url.len - host - 3);
    if (dash < url.len) {
        ret->home = wh_slice(url.ptr, dash);
        return slash && slash < url.ptr + dash && read_thing(wh_slice_from(url, dash + 3), ret);
    }
    while (slash) {
        struct wh_slice rest = wh_slice_from(url, (size_t)(slash - url.ptr) + 1);

        ret->home = wh_slice(url.ptr, (size_t)(slash - url.ptr));
        if (read_thing(rest, ret)) {
            return ret->home.len > host + 3;
        }
        slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    }
    return false;
}

/* "<home>/-/<kind>/<number>"; home is in two parts, which a slash separates. */
static enum wh_rc make_address(const struct convert *c, struct wh_slice home, struct wh_slice path,
                               struct wh_slice kind, struct wh_slice number, struct wh_slice *ret,
                               struct wh_err *err)
{
    const struct wh_slice parts[] = {home, WH_LIT("/"), path,  WH_LIT("/-/"),
                                     kind, WH_LIT("/"), number};
    struct wh_buf *out = &c->rules->key;

    wh_buf_reset(out);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if ((i != 1 || path.len) && wh_buf_append(out, parts[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_arena_dup(c->arena, wh_buf_slice(out), ret, err);
}

static enum wh_rc add(struct references *r, struct wh_slice home, struct wh_slice path,
                      struct wh_slice kind, struct wh_slice number, struct wh_err *err)
{
    struct wh_slice address;

    if (home.len == 0) {
        return WH_OK;
    }
    if (make_address(r->texts.c, home, path, kind, number, &address, err) != WH_OK) {
        return err->rc;
    }
    return wh_slice_eq(address, r->own) ? WH_OK : rule_texts_add(&r->texts, address, err);
}

static enum wh_rc references_init(struct references *r, const struct convert *c,
                                  const struct view_conv *conv, struct wh_err *err)
{
    const struct convert_with *url = &c->rules->with[WITH_URL];
    struct wh_slice text = url->shown == VIEW_SHOWN ? rule_text(&url->found) : WH_LIT("");
    struct address own;

    *r = (struct references){.home = {NULL, 0}};
    if (rule_texts_init(&r->texts, c, conv, err) != WH_OK) {
        return err->rc;
    }
    if (!read_address(text, &own)) {
        return WH_OK;
    }
    r->home = own.home;
    return make_address(c, own.home, wh_slice(NULL, 0), own.kind, own.number, &r->own, err);
}

/* ---- references ---- */

static bool is_path(char c)
{
    return is_word(c) || c == '-' || c == '.' || c == '/';
}

/* The path of a project before the mark: "group/project", "project" of the same group, or nothing. */
static struct wh_slice path_before(struct wh_slice s, size_t from, size_t mark)
{
    size_t start = mark;
    bool any = false;

    while (start > from && is_path(s.ptr[start - 1])) {
        start--;
        any = any || (s.ptr[start] != '_' && s.ptr[start] != '-' && s.ptr[start] != '.' &&
                      s.ptr[start] != '/');
    }
    return any ? wh_slice(s.ptr + start, mark - start) : wh_slice(NULL, 0);
}

/* "#12" or "!12" at the mark; *at moves behind it. */
static enum wh_rc reference(struct references *r, struct wh_slice s, size_t from, size_t *at,
                            struct wh_err *err)
{
    struct wh_slice number = number_at(wh_slice_from(s, *at + 1));
    struct wh_slice path = path_before(s, from, *at);
    struct wh_slice kind = s.ptr[*at] == '#' ? WH_LIT("issues") : WH_LIT("merge_requests");
    char before = *at > 0 ? s.ptr[*at - 1] : ' ';
    const char *slash;

    (*at)++;
    if (number.len == 0 || before == '&' || before == '#' || before == '!' || before == '/' ||
        (path.len && path.ptr[0] == '/')) {
        return WH_OK;
    }
    *at += number.len;
    if (path.len == 0) {
        return add(r, r->home, path, kind, number, err);
    }
    if (memchr(path.ptr, '/', path.len)) {
        return add(r, r->texts.c->instance, path, kind, number, err);
    }
    slash = r->home.len ? memrchr(r->home.ptr, '/', r->home.len) : NULL;
    return slash ? add(r, wh_slice(r->home.ptr, (size_t)(slash - r->home.ptr)), path, kind, number,
                       err)
                 : WH_OK;
}

/* The address around "://" at the colon; *at moves behind it. */
static enum wh_rc address(struct references *r, struct wh_slice s, size_t from, size_t *at,
                          struct wh_err *err)
{
    size_t start = *at;
    size_t end = *at + 3;
    struct address found;
    struct wh_slice url;

    while (start > from && is_word(s.ptr[start - 1])) {
        start--;
    }
    while (end < s.len && (unsigned char)s.ptr[end] > ' ' &&
           !markdown_one_of(s.ptr[end], "<>\"`|\\^{}")) {
        end++;
    }
    url = wh_slice(s.ptr + start, end - start);
    *at = end;
    if ((wh_slice_starts(url, WH_LIT("https://")) || wh_slice_starts(url, WH_LIT("http://"))) &&
        read_address(url, &found)) {
        return add(r, found.home, wh_slice(NULL, 0), found.kind, found.number, err);
    }
    return WH_OK;
}

/* The place behind a code span that begins at `at`; behind its mark when it is not closed. */
static size_t after_code(struct wh_slice s, size_t at, bool *unclosed)
{
    size_t n = 0;

    while (at + n < s.len && s.ptr[at + n] == '`') {
        n++;
    }
    for (size_t i = at + n; i < s.len && !*unclosed;) {
        size_t run = 0;

        while (i + run < s.len && s.ptr[i + run] == '`') {
            run++;
        }
        if (run == n) {
            return i + run;
        }
        i += run ? run : 1;
    }
    *unclosed = true;
    return at + n;
}

static enum wh_rc scan(struct references *r, struct wh_slice s, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;
    bool unclosed = false;
    size_t from = 0; /* behind the last reference */

    for (size_t i = 0; i < s.len && rc == WH_OK;) {
        char next = i + 1 < s.len ? s.ptr[i + 1] : ' ';

        if (s.ptr[i] == '`') {
            from = i = after_code(s, i, &unclosed);
        } else if ((s.ptr[i] == '#' || s.ptr[i] == '!') && is_digit(next)) {
            rc = reference(r, s, from, &i, err);
            from = i;
        } else if (s.ptr[i] == ':' && wh_slice_starts(wh_slice_from(s, i), WH_LIT("://"))) {
            rc = address(r, s, from, &i, err);
            from = i;
        } else {
            i += s.ptr[i] == '\\' ? 2 : 1;
        }
    }
    return rc;
}

bool mentions_possible(struct wh_slice text)
{
    static const char marks[] = "#!:";

    for (const char *mark = marks; *mark; mark++) {
        const char *p = text.ptr;
        const char *end = text.ptr + text.len;

        while (p < end && (p = memchr(p, *mark, (size_t)(end - p))) != NULL) {
            p++;
            if (*mark == ':' ? end - p >= 2 && memcmp(p, "//", 2) == 0 : p < end && is_digit(*p)) {
                return true;
            }
        }
    }
    return false;
}

enum wh_rc convert_mentions(const struct convert *c, const struct view_conv *conv,
                            const struct markdown *text, enum view_shown *ret_shown,
                            struct wh_value *ret, struct wh_err *err)
{
    const struct convert_with *title = &c->rules->with[WITH_TITLE];
    struct references r;

    if (references_init(&r, c, conv, err) != WH_OK) {
        return err->rc;
    }
    if (title->shown == VIEW_SHOWN && scan(&r, rule_text(&title->found), err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text->n; i++) {
        if (scan(&r, text->lines[i].text, err) != WH_OK) {
            return err->rc;
        }
    }
    rule_texts_done(&r.texts, ret_shown, ret);
    return WH_OK;
}

/* ---- reverts ---- */

static const char this_reverts[] = "This reverts ";
static const char revert_title[] = "Revert \"";

bool reverts_possible(struct wh_slice text)
{
    const char *p = text.ptr;
    const char *end = text.ptr + text.len;

    if (wh_slice_starts(text, wh_slice_str(revert_title))) {
        return true;
    }
    while (p < end && (p = memchr(p, 'T', (size_t)(end - p))) != NULL) {
        if (wh_slice_starts(wh_slice(p, (size_t)(end - p)), wh_slice_str(this_reverts))) {
            return true;
        }
        p++;
    }
    return false;
}

/* "commit <id>", "merge request group/project!12" */
static enum wh_rc reverted(struct references *r, struct wh_slice s, struct wh_err *err)
{
    size_t n = 0;

    if (wh_slice_starts(s, WH_LIT("merge request "))) {
        s = wh_slice_from(s, sizeof("merge request ") - 1);
        while (n < s.len && s.ptr[n] != ' ') {
            n++;
        }
        return scan(r, wh_slice(s.ptr, n), err);
    }
    if (!wh_slice_starts(s, WH_LIT("commit "))) {
        return WH_OK;
    }
    s = wh_slice_from(s, sizeof("commit ") - 1);
    while (n < s.len && n < SHA_MAX && markdown_one_of(s.ptr[n], "0123456789abcdef")) {
        n++;
    }
    return n >= SHA_MIN ? rule_texts_add(&r->texts, wh_slice(s.ptr, n), err) : WH_OK;
}

enum wh_rc convert_reverts(const struct convert *c, const struct view_conv *conv,
                           const struct markdown *text, enum view_shown *ret_shown,
                           struct wh_value *ret, struct wh_err *err)
{
    const struct convert_with *with = &c->rules->with[WITH_TITLE];
    struct wh_slice title = with->shown == VIEW_SHOWN ? rule_text(&with->found) : WH_LIT("");
    struct references r;

    if (references_init(&r, c, conv, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text->n; i++) {
        struct wh_slice line = text->lines[i].text;
        size_t at = find(line, wh_slice_str(this_reverts));

        if (at < line.len &&
            reverted(&r, wh_slice_from(line, at + sizeof(this_reverts) - 1), err) != WH_OK) {
            return err->rc;
        }
    }
    if (r.texts.n == 0 && wh_slice_starts(title, wh_slice_str(revert_title)) &&
        wh_slice_ends(title, WH_LIT("\"")) && title.len > sizeof(revert_title) &&
        rule_texts_add(&r.texts, title, err) != WH_OK) {
        return err->rc;
    }
    rule_texts_done(&r.texts, ret_shown, ret);
    return WH_OK;
}
