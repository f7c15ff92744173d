#include "stages/fetcher/oauth/challenge.h"

#include <strings.h>

enum { VALUE_MAX_BYTES = 2048 };

static bool token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip(struct wh_slice *s, const char *chars)
{
    while (s->len && s->ptr[0] != '\0' && strchr(chars, s->ptr[0]) != NULL) {
        *s = wh_slice_from(*s, 1);
    }
}

static struct wh_slice token(struct wh_slice *s)
{
    size_t n = 0;
    struct wh_slice found;

    while (n < s->len && token_char(s->ptr[n])) {
        n++;
    }
    found = wh_slice(s->ptr, n);
    *s = wh_slice_from(*s, n);
    return found;
}

/* Quoted string without its quotes and escapes; false when it does not fit or is never closed. */
static bool quoted(struct wh_slice *s, char *to, size_t size)
{
    size_t n = 0;
    bool fits = true;

    for (*s = wh_slice_from(*s, 1); s->len; *s = wh_slice_from(*s, 1)) {
        char c = s->ptr[0];

        if (c == '"') {
            *s = wh_slice_from(*s, 1);
            to[fits ? n : 0] = '\0';
            return fits;
        }
        if (c == '\\' && s->len > 1) {
            *s = wh_slice_from(*s, 1);
            c = s->ptr[0];
        }
        fits = fits && n + 1 < size && c >= 0x20 && c < 0x7f;
        if (fits) {
            to[n++] = c;
        }
    }
    to[0] = '\0';
    return false;
}

static bool value_of(struct wh_slice *s, char *to, size_t size)
{
    struct wh_slice plain;

    if (s->len && s->ptr[0] == '"') {
        return quoted(s, to, size);
    }
    plain = token(s);
    if (plain.len == 0 || plain.len >= size) {
        return false;
    }
    memcpy(to, plain.ptr, plain.len);
    to[plain.len] = '\0';
    return true;
}

static bool named(struct wh_slice name, const char *what)
{
    return name.len == strlen(what) && strncasecmp(name.ptr, what, name.len) == 0;
}

static void keep(char *to, size_t size, const char *value)
{
    size_t n = strlen(value);

    if (to[0] == '\0' && n < size) {
        memcpy(to, value, n + 1);
    }
}

static void take(struct oauth_challenge *c, struct wh_slice name, const char *value)
{
    if (named(name, "resource_metadata")) {
        keep(c->resource_metadata, sizeof(c->resource_metadata), value);
    } else if (named(name, "scope")) {
        keep(c->scope, sizeof(c->scope), value);
    } else if (named(name, "error")) {
        keep(c->error, sizeof(c->error), value);
    }
}

void oauth_challenge_read(struct wh_slice header, struct oauth_challenge *ret)
{
    char value[VALUE_MAX_BYTES];
    struct oauth_challenge mine = {0};
    bool in_bearer = false;

    while (header.len) {
        struct wh_slice name;

        skip(&header, " \t\r\n,");
        name = token(&header);
        if (name.len == 0) {
            /* Not ours to understand: on to the next byte. */
            header = wh_slice_from(header, 1);
            continue;
        }
        skip(&header, " \t\r\n");
        if (header.len == 0 || header.ptr[0] != '=') {
            /* A scheme. The first Bearer challenge is the one that counts. */
            in_bearer = named(name, "bearer") && !mine.bearer;
            mine.bearer = mine.bearer || in_bearer;
            continue;
        }
        header = wh_slice_from(header, 1);
        skip(&header, " \t\r\n");
        if (value_of(&header, value, sizeof(value)) && in_bearer) {
            take(&mine, name, value);
        }
    }
    if (mine.bearer && !ret->bearer) {
        *ret = mine;
    }
}

void oauth_challenge_of(const struct wh_httpc_answer *answer, struct oauth_challenge *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < answer->n_headers; i++) {
        if (wh_slice_eq(answer->headers[i].name, WH_LIT("www-authenticate"))) {
            oauth_challenge_read(answer->headers[i].value, ret);
        }
    }
}
