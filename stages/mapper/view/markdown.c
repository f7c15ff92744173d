#include "stages/mapper/view/markdown.h"

enum { TAB_STOP = 4, CODE_INDENT = 4, FENCE_MIN = 3, HEADING_MAX = 6, NUMBER_MAX = 9 };

struct reader {
    const char *p;
    const char *end;
    const char *newline; /* the next '\n' at or after p, or end; NULL: not searched yet */
    struct wh_arena *arena;
    const char *last_close; /* the last "-->" of the text; NULL: there is no comment */
    bool in_comment;
    char fence; /* its character; 0: not in fenced code */
    size_t fence_len;
    bool fence_quoted;
    bool in_list;
    bool blank; /* the line before was empty */
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct wh_slice markdown_trim(struct wh_slice s)
{
    static const char nbsp[] = "\xC2\xA0";

    while (s.len && (is_space(s.ptr[0]) || wh_slice_starts(s, wh_slice_str(nbsp)))) {
        s = wh_slice_from(s, is_space(s.ptr[0]) ? 1 : 2);
    }
    while (s.len && (is_space(s.ptr[s.len - 1]) || wh_slice_ends(s, wh_slice_str(nbsp)))) {
        s.len -= is_space(s.ptr[s.len - 1]) ? 1 : 2;
    }
    return s;
}

/* Trimmed, without the marks of emphasis and code around it. */
static struct wh_slice unwrap(struct wh_slice s)
{
    static const char marks[] = "*_~`";

    s = markdown_trim(s);
    while (s.len && markdown_one_of(s.ptr[0], marks)) {
        s = wh_slice_from(s, 1);
    }
    while (s.len && markdown_one_of(s.ptr[s.len - 1], marks)) {
        s.len--;
    }
    return markdown_trim(s);
}

/* ---- lines and comments ---- */

/* Ends at "\n", "\r\n" or "\r". */
static struct wh_slice take_line(struct reader *r)
{
    const char *start = r->p;
    const char *cr;

    if (r->newline == NULL || r->newline < start) {
        r->newline = memchr(start, '\n', (size_t)(r->end - start));
        r->newline = r->newline ? r->newline : r->end;
    }
    cr = memchr(start, '\r', (size_t)(r->newline - start));
    if (cr) {
        r->p = cr + 1 == r->newline && r->newline < r->end ? cr + 2 : cr + 1;
        return wh_slice(start, (size_t)(cr - start));
    }
    r->p = r->newline < r->end ? r->newline + 1 : r->end;
    return wh_slice(start, (size_t)(r->newline - start));
}

static const char *last_of(struct wh_slice text, struct wh_slice what)
{
    const char *last = NULL;
    const char *p = text.ptr;
    const char *end = text.ptr + text.len;

    while (p && (p = memmem(p, (size_t)(end - p), what.ptr, what.len)) != NULL) {
        last = p++;
    }
    return last;
}

/* The end of a comment that starts at p, within the line; NULL when it ends in a later one. */
static const char *comment_end(const char *p, const char *end)
{
    const char *close = memmem(p, (size_t)(end - p), "-->", 3);

    return close ? close + 3 : NULL;
}

static bool all_space(const char *from, const char *to)
{
    while (from < to && is_space(*from)) {
        from++;
    }
    return from == to;
}

/* Copies a line without its comments. A comment that never ends hides the rest only as a block. */
static size_t copy_uncommented(struct reader *r, struct wh_slice line, char *to)
{
    const char *p = line.ptr;
    const char *end = line.ptr + line.len;
    bool code = false;
    size_t n = 0;

    while (p < end) {
        if (r->in_comment) {
            const char *close = comment_end(p, end);

            r->in_comment = close == NULL;
            p = close ? close : end;
            continue;
        }
        code = code != (*p == '`');
        if (!code && end - p >= 4 && memcmp(p, "<!--", 4) == 0) {
            if (r->last_close && p + 2 <= r->last_close) {
                r->in_comment = true;
                p += 2;
                continue;
            }
            if (all_space(line.ptr, p)) {
                r->p = r->end;
                break;
            }
        }
        to[n++] = *p++;
    }
    return n;
}

static enum wh_rc without_comments(struct reader *r, struct wh_slice *line, bool *ret_hidden,
                                   struct wh_err *err)
{
    void *copy;
    size_t n;

    *ret_hidden = false;
    if (!r->in_comment && memmem(line->ptr, line->len, "<!--", 4) == NULL) {
        return WH_OK;
    }
    if (wh_arena_alloc(r->arena, line->len + 1, &copy, err) != WH_OK) {
        return err->rc;
    }
    n = copy_uncommented(r, *line, copy);
    *ret_hidden = n < line->len && markdown_trim(wh_slice(copy, n)).len == 0;
    *line = wh_slice(copy, n);
    return WH_OK;
}

/* ---- the structure of a line ---- */

/* Takes white space from the front; returns its columns. */
static unsigned take_indent(struct wh_slice *s)
{
    unsigned column = 0;

    while (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\t')) {
        column += s->ptr[0] == ' ' ? 1 : TAB_STOP - column % TAB_STOP;
        *s = wh_slice_from(*s, 1);
    }
    return column;
}

static size_t run_of(struct wh_slice s, char c)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] == c) {
        n++;
    }
    return n;
}

/* Only the character c, at least n times, and white space. */
static bool only(struct wh_slice s, char c, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != c && !is_space(s.ptr[i])) {
            return false;
        }
        count += s.ptr[i] == c;
    }
    return count >= n;
}

static bool is_break(struct wh_slice s)
{
    return s.len && (s.ptr[0] == '-' || s.ptr[0] == '*' || s.ptr[0] == '_') &&
           only(s, s.ptr[0], FENCE_MIN);
}

static bool opens_fence(struct reader *r, struct wh_slice s, bool quoted)
{
    size_t n = s.len && (s.ptr[0] == '`' || s.ptr[0] == '~') ? run_of(s, s.ptr[0]) : 0;

    if (n < FENCE_MIN || (s.ptr[0] == '`' && memchr(s.ptr + n, '`', s.len - n))) {
        return false;
    }
    r->fence = s.ptr[0];
    r->fence_len = n;
    r->fence_quoted = quoted;
    return true;
}

/* A line in fenced code: true when it belongs to it. */
static bool in_fence(struct reader *r, struct wh_slice s, bool quoted)
{
    if (r->fence == 0) {
        return false;
    }
    if (r->fence_quoted && !quoted) {
        r->fence = 0;
        return false;
    }
    if (run_of(s, r->fence) >= r->fence_len && only(s, r->fence, r->fence_len)) {
        r->fence = 0;
    }
    return true;
}

/* "## Title ##" */
static bool take_heading(struct wh_slice *s)
{
    size_t n = run_of(*s, '#');
    struct wh_slice title = wh_slice_from(*s, n);
    size_t tail = 0;

    if (n == 0 || n > HEADING_MAX || (title.len && !is_space(title.ptr[0]))) {
        return false;
    }
    title = markdown_trim(title);
    while (tail < title.len && title.ptr[title.len - tail - 1] == '#') {
        tail++;
    }
    if (tail == title.len || is_space(title.ptr[title.len - tail - 1])) {
        title.len -= tail;
    }
    *s = markdown_trim(title);
    return true;
}

/* The bytes of a list item's marker; 0: there is none. */
static size_t marker(struct wh_slice s)
{
    size_t n = 0;

    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '*' || s.ptr[0] == '+')) {
        n = 1;
    } else {
        while (n < s.len && n < NUMBER_MAX && s.ptr[n] >= '0' && s.ptr[n] <= '9') {
            n++;
        }
        n = n && n < s.len && (s.ptr[n] == '.' || s.ptr[n] == ')') ? n + 1 : 0;
    }
    return n && (n == s.len || is_space(s.ptr[n])) ? n : 0;
}

/* "[ ] ", "[x] ", and GitLab's "[~] " for what does not apply. */
static void take_box(struct markdown_line *line)
{
    struct wh_slice s = line->text;

    if (s.len < 3 || s.ptr[0] != '[' || s.ptr[2] != ']' || (s.len > 3 && !is_space(s.ptr[3]))) {
        return;
    }
    if (markdown_one_of(s.ptr[1], " ~xX")) {
        line->unchecked = s.ptr[1] == ' ' || s.ptr[1] == '~';
        line->text = markdown_trim(wh_slice_from(s, 3));
    }
}

/* Takes the markers of items from the front; an item can begin another one. */
static void take_markers(struct markdown_line *line)
{
    struct wh_slice s = line->text;
    size_t n;

    while ((n = marker(s)) > 0 && !is_break(s)) {
        line->type = MARKDOWN_ITEM;
        s = wh_slice_from(s, n);
        (void)take_indent(&s);
    }
    line->text = markdown_trim(s);
    if (line->type == MARKDOWN_ITEM) {
        take_box(line);
    }
}

/* A paragraph's line is a heading when the next one underlines it. */
static bool is_underlined(const struct reader *r)
{
    struct reader copy = *r;
    struct wh_slice next = take_line(&copy);

    return take_indent(&next) < CODE_INDENT && next.len &&
           (next.ptr[0] == '=' || next.ptr[0] == '-') &&
           run_of(next, next.ptr[0]) == markdown_trim(next).len;
}

/* ---- name and value ---- */

/* The first colon that can end a name, also the wide one of East Asian texts. */
static const char *find_colon(struct wh_slice s, size_t *ret_len)
{
    for (size_t i = 0; i < s.len && i < MARKDOWN_NAME_MAX; i++) {
        if (s.ptr[i] == ':') {
            *ret_len = 1;
            return s.ptr + i;
        }
        if (s.ptr[i] == '\xEF' && s.len - i >= 3 && memcmp(s.ptr + i, "\xEF\xBC\x9A", 3) == 0) {
            *ret_len = 3;
            return s.ptr + i;
        }
    }
    return NULL;
}

static void split_name(struct markdown_line *line)
{
    size_t len = 0;
    const char *colon = find_colon(line->text, &len);
    size_t before = colon ? (size_t)(colon - line->text.ptr) : line->text.len;
    struct wh_slice after = wh_slice_from(line->text, before + len);

    line->colon = colon != NULL;
    if (line->colon) {
        line->name = unwrap(wh_slice(line->text.ptr, before));
        line->value = unwrap(after);
    } else if (line->text.len <= MARKDOWN_NAME_MAX) {
        line->name = unwrap(line->text);
    }
}

/* "| name | value |" */
static void split_row(struct markdown_line *line)
{
    struct wh_slice s = wh_slice_from(line->text, 1);
    const char *bar = memchr(s.ptr, '|', s.len);
    struct wh_slice cell = wh_slice(s.ptr, bar ? (size_t)(bar - s.ptr) : s.len);
    struct wh_slice rest = wh_slice_from(s, cell.len + 1);

    line->type = MARKDOWN_ROW;
    cell = unwrap(cell);
    if (cell.len && cell.ptr[cell.len - 1] == ':') {
        cell = unwrap(wh_slice(cell.ptr, cell.len - 1));
    }
    bar = rest.len ? memchr(rest.ptr, '|', rest.len) : NULL;
    line->name = cell.len <= MARKDOWN_NAME_MAX ? cell : wh_slice(NULL, 0);
    line->value = unwrap(wh_slice(rest.ptr, bar ? (size_t)(bar - rest.ptr) : rest.len));
}

/* "**all**", "__all__", also with a colon behind it. */
static bool is_bold(struct wh_slice s)
{
    struct wh_slice inner;

    if (s.len && s.ptr[s.len - 1] == ':') {
        s = markdown_trim(wh_slice(s.ptr, s.len - 1));
    }
    if (s.len < 5 || (s.ptr[0] != '*' && s.ptr[0] != '_') || s.ptr[1] != s.ptr[0] ||
        s.ptr[s.len - 1] != s.ptr[0] || s.ptr[s.len - 2] != s.ptr[0]) {
        return false;
    }
    inner = wh_slice(s.ptr + 2, s.len - 4);
    return memmem(inner.ptr, inner.len, s.ptr, 2) == NULL;
}

static void describe(struct reader *r, struct markdown_line *line)
{
    if (line->type == MARKDOWN_TEXT && line->text.ptr[0] == '|') {
        split_row(line);
        return;
    }
    line->bold = is_bold(line->text);
    split_name(line);
    if (line->type == MARKDOWN_TEXT && is_underlined(r)) {
        line->type = MARKDOWN_HEADING;
        (void)take_line(r);
    }
}

/* False: the line yields nothing. */
static bool read_line(struct reader *r, struct wh_slice s, struct markdown_line *line)
{
    bool quoted = false;

    *line = (struct markdown_line){.after_blank = r->blank, .indent = take_indent(&s)};
    while (s.len && s.ptr[0] == '>') {
        s = wh_slice_from(s, 1);
        line->indent = take_indent(&s);
        quoted = true;
    }
    if (in_fence(r, s, quoted)) {
        return false;
    }
    r->blank = markdown_trim(s).len == 0;
    if (r->blank || (line->indent >= CODE_INDENT && !r->in_list && line->after_blank)) {
        return false;
    }
    line->text = markdown_trim(s);
    take_markers(line);
    r->in_list =
        line->type == MARKDOWN_ITEM || (r->in_list && (line->indent || !line->after_blank));
    if (opens_fence(r, line->text, quoted) || line->text.len == 0) {
        return false;
    }
    if (take_heading(&line->text)) {
        line->type = MARKDOWN_HEADING;
    } else if (is_break(line->text)) {
        line->type = MARKDOWN_BREAK;
        return true;
    }
    if (line->text.len) {
        describe(r, line);
    }
    return true;
}

static size_t count_lines(struct wh_slice text)
{
    size_t n = 1;

    for (size_t i = 0; i < text.len; i++) {
        n += text.ptr[i] == '\n' || text.ptr[i] == '\r';
    }
    return n < MARKDOWN_LINES_MAX ? n : MARKDOWN_LINES_MAX;
}

enum wh_rc markdown_read(struct wh_slice text, struct wh_arena *arena, struct markdown *ret,
                         struct wh_err *err)
{
    struct reader r = {.p = text.ptr, .end = text.ptr + text.len, .arena = arena, .blank = true};
    size_t max = count_lines(text);
    void *memory;

    *ret = (struct markdown){NULL, 0};
    if (text.len == 0) {
        return WH_OK;
    }
    if (wh_arena_alloc(arena, max * sizeof(*ret->lines), &memory, err) != WH_OK) {
        return err->rc;
    }
    ret->lines = memory;
    if (memmem(text.ptr, text.len, "<!--", 4)) {
        r.last_close = last_of(text, WH_LIT("-->"));
    }
    while (r.p < r.end && ret->n < max) {
        struct wh_slice line = take_line(&r);
        bool hidden = false;

        if (r.fence == 0 && without_comments(&r, &line, &hidden, err) != WH_OK) {
            return err->rc;
        }
        ret->n += !hidden && read_line(&r, line, &ret->lines[ret->n]);
    }
    return WH_OK;
}
