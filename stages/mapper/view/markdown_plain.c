/* Inline marks of Markdown: emphasis, code, links, tags, escapes. One pass, linear in the text. */
#include "stages/mapper/view/markdown.h"

enum { LINKS_OPEN_MAX = 16, TAG_MAX = 16 };

#define DROPPED '\x01' /* stands for a bracket that turned out to be part of a link */

struct plain {
    const char *p;
    const char *start;
    const char *end;
    char *out;
    size_t n;
    size_t open[LINKS_OPEN_MAX]; /* places of '[' in out */
    size_t n_open;
    bool unclosed; /* a bracket was never closed: no further link is looked for */
};

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

/* A mark at the edge of a word: "a_b" and "2 * 3" keep theirs. */
static bool is_edge(const struct plain *s)
{
    char before = s->p > s->start ? s->p[-1] : ' ';
    char after = s->p + 1 < s->end ? s->p[1] : ' ';

    if (*s->p == '_') {
        return !(is_word(before) && is_word(after));
    }
    return before != ' ' || after != ' ';
}

/* The bracket that closes the one at p; an address may contain pairs of parentheses. */
static const char *closing(const char *p, const char *end)
{
    char open = *p;
    char close = open == '(' ? ')' : ']';
    size_t depth = 0;

    for (; p < end; p++) {
        depth += *p == open;
        depth -= *p == close;
        if (depth == 0) {
            return p;
        }
    }
    return NULL;
}

/* "](address)" or "][reference]": the end of a link; its text stays. */
static bool take_link_end(struct plain *s)
{
    const char *stop;

    if (s->n_open == 0 || s->p + 1 >= s->end || (s->p[1] != '(' && s->p[1] != '[') || s->unclosed) {
        return false;
    }
    stop = closing(s->p + 1, s->end);
    if (stop == NULL) {
        s->unclosed = true;
        return false;
    }
    s->out[s->open[--s->n_open]] = DROPPED;
    s->p = stop + 1;
    return true;
}

/* "<br/>", "</b>"; the brackets around an address. */
static bool take_tag(struct plain *s)
{
    struct wh_slice rest = wh_slice(s->p, (size_t)(s->end - s->p));
    const char *close = memchr(s->p, '>', rest.len < TAG_MAX ? rest.len : TAG_MAX);

    if (wh_slice_starts(rest, WH_LIT("<http"))) {
        s->p++;
        return true;
    }
    if (close == NULL || close == s->p + 1 || (!is_word(s->p[1]) && s->p[1] != '/')) {
        return false;
    }
    s->p = close + 1;
    return true;
}

static bool take_mark(struct plain *s)
{
    bool dropped = false;

    switch (*s->p) {
    case '`':
        dropped = true;
        break;
    case '*':
    case '_':
        dropped = is_edge(s);
        break;
    case '~':
        dropped = (s->p + 1 < s->end && s->p[1] == '~') || (s->p > s->start && s->p[-1] == '~');
        break;
    case '!':
        dropped = s->p + 1 < s->end && s->p[1] == '[';
        break;
    case '\\': /* a hard line break */
    case '>':
        dropped = s->p + 1 == s->end;
        break;
    case '<':
        return take_tag(s);
    case ']':
        return take_link_end(s);
    default:
        break;
    }
    s->p += dropped;
    return dropped;
}

static void take_plain(struct plain *s)
{
    if (*s->p == '\\' && s->p + 1 < s->end && !is_word(s->p[1])) {
        s->p++;
    } else if (*s->p == '[' && s->n_open < LINKS_OPEN_MAX) {
        s->open[s->n_open++] = s->n;
    }
    s->out[s->n++] = *s->p++;
}

static size_t without_dropped(char *out, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (out[i] != DROPPED) {
            out[kept++] = out[i];
        }
    }
    return kept;
}

static bool has_marks(struct wh_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (markdown_one_of(s.ptr[i], "*_~`[]<>\\")) {
            return true;
        }
    }
    return false;
}

enum wh_rc markdown_plain(struct wh_slice text, struct wh_arena *arena, struct wh_slice *ret,
                          struct wh_err *err)
{
    struct plain s = {.p = text.ptr, .start = text.ptr, .end = text.ptr + text.len};
    void *memory;

    *ret = wh_slice(NULL, 0);
    if (text.len == 0 || text.len > MARKDOWN_PLAIN_MAX) {
        return WH_OK;
    }
    if (!has_marks(text)) {
        *ret = markdown_trim(text);
        return WH_OK;
    }
    if (wh_arena_alloc(arena, text.len + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    s.out = memory;
    while (s.p < s.end) {
        if (!take_mark(&s)) {
            take_plain(&s);
        }
    }
    *ret = markdown_trim(wh_slice(s.out, without_dropped(s.out, s.n)));
    return WH_OK;
}
