#include "common/text/address.h"

enum { UUID_LENGTH = 36 };

static const struct {
    const char *segments; /* before the number */
    enum wh_thing thing;
    const char *word; /* as GitLab writes it today */
} things[] = {
    {"merge_requests", WH_THING_MERGE_REQUEST, "merge_requests"},
    {"issues/incident", WH_THING_ISSUE, "issues"},
    {"issues", WH_THING_ISSUE, "issues"},
    {"incidents", WH_THING_ISSUE, "issues"},
    {"work_items", WH_THING_ISSUE, "issues"},
    {"milestones", WH_THING_MILESTONE, "milestones"},
    {"pipelines", WH_THING_PIPELINE, "pipelines"},
    {"jobs", WH_THING_JOB, "jobs"},
    {"builds", WH_THING_JOB, "jobs"},
    {"environments", WH_THING_ENVIRONMENT, "environments"},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct wh_slice digits_of(struct wh_slice text)
{
    size_t n = 0;

    while (n < text.len && is_digit(text.ptr[n])) {
        n++;
    }
    return wh_slice(text.ptr, n);
}

static bool is_around(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '<' || c == '>' || c == '"';
}

/* Mail programs and chats put blanks, brackets and quotes around what is copied. */
static struct wh_slice bare(const char *typed)
{
    struct wh_slice s = wh_slice_str(typed);

    while (s.len && is_around(s.ptr[0])) {
        s = wh_slice_from(s, 1);
    }
    while (s.len && is_around(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* The position of a part, from `from` on; len when it is not there. */
static size_t find(struct wh_slice text, size_t from, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = from; i + n <= text.len; i++) {
        if (memcmp(text.ptr + i, part, n) == 0) {
            return i;
        }
    }
    return text.len;
}

static bool is_uuid(struct wh_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = s.ptr[i];

        if (dash ? c != '-' : !(is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return s.len == UUID_LENGTH;
}

/* ---- group/project!12 ---- */

static bool read_reference(struct wh_slice s, struct wh_address *ret)
{
    size_t mark = s.len;

    while (mark > 0 && is_digit(s.ptr[mark - 1])) {
        mark--;
    }
    if (mark == 0 || mark == s.len || (s.ptr[mark - 1] != '!' && s.ptr[mark - 1] != '#')) {
        return false;
    }
    ret->path = wh_slice(s.ptr, mark - 1);
    ret->number = wh_slice_from(s, mark);
    ret->thing = s.ptr[mark - 1] == '!' ? WH_THING_MERGE_REQUEST : WH_THING_ISSUE;
    return find(ret->path, 0, "://") == ret->path.len;
}

/* ---- an address ---- */

/* A number behind the segments, at that place: "issues/45". */
static bool read_thing(struct wh_slice text, size_t at, struct wh_address *ret)
{
    struct wh_slice rest = wh_slice_from(text, at);

    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
        struct wh_slice segments = wh_slice_str(things[i].segments);
        struct wh_slice number;

        if (!wh_slice_starts(rest, segments) || rest.len <= segments.len ||
            rest.ptr[segments.len] != '/') {
            continue;
        }
        number = digits_of(wh_slice_from(rest, segments.len + 1));
        if (number.len &&
            (number.ptr + number.len == text.ptr + text.len || number.ptr[number.len] == '/')) {
            ret->thing = things[i].thing;
            ret->word = things[i].word;
            ret->number = number;
            return true;
        }
    }
    return false;
}

/* Splits "host/group/project/-/issues/45", and the same without "-". */
static void read_path(struct wh_slice text, struct wh_address *ret)
{
    size_t host = find(text, 0, "/");
    size_t dash = find(text, host, "/-/");

    if (dash < text.len) {
        if (read_thing(text, dash + 3, ret)) {
            ret->home = wh_slice(text.ptr, dash);
        }
    } else {
        for (size_t i = host; i < text.len && ret->home.len == 0; i++) {
            if (text.ptr[i] == '/' && i > host && read_thing(text, i + 1, ret)) {
                ret->home = wh_slice(text.ptr, i);
            }
        }
    }
    if (ret->home.len > host) {
        ret->path = wh_slice_from(ret->home, host + 1);
    }
}

static bool read_url(struct wh_slice s, struct wh_address *ret)
{
    size_t mark = find(s, 0, "#");
    size_t query = find(s, 0, "?");
    size_t scheme;

    if (mark < s.len && wh_slice_starts(wh_slice_from(s, mark), WH_LIT("#note_"))) {
        ret->note = digits_of(wh_slice_from(s, mark + strlen("#note_")));
    }
    s.len = mark < query ? mark : query;
    while (s.len && s.ptr[s.len - 1] == '/') {
        s.len--;
    }
    scheme = find(s, 0, "://");
    if (scheme == s.len && find(s, 0, "/") == s.len) {
        return false;
    }
    ret->is_url = true;
    ret->text = s;
    read_path(scheme == s.len ? s : wh_slice_from(s, scheme + 3), ret);
    return true;
}

bool wh_address_read(const char *typed, struct wh_address *ret)
{
    struct wh_slice s = bare(typed);

    *ret = (struct wh_address){.text = s};
    if (is_uuid(s)) {
        ret->is_id = true;
        return true;
    }
    if (read_reference(s, ret)) {
        return true;
    }
    *ret = (struct wh_address){.text = s};
    return read_url(s, ret);
}
