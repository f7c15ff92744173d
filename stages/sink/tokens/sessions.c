#include "stages/sink/tokens/sessions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/savefile.h"
#include "common/base/num.h"
#include "common/crypto/crypto.h"
#include "stages/sink/tokens/tokens_priv.h"

enum {
    LINK_MS = 5 * 60 * 1000,
    LABEL_BYTES = 80,
    ID_TEXT = 12,
    LINE_BYTES = 256,
    /* Uses are written down once in this time, so that reading a page does not write a file. */
    USED_MS = 3600 * 1000,
};
static const int64_t session_ms = INT64_C(86400000) * SESSION_DAYS;
static const char cookie_name[] = "wellhead=";

struct session {
    char hash[SESSION_TEXT + 1];
    int64_t created_ms;
    int64_t used_ms;
    char label[LABEL_BYTES];
};

struct link {
    char hash[SESSION_TEXT + 1];
    int64_t made_ms;
};

struct page_sessions {
    pthread_mutex_t lock; /* all below */
    const char *path;
    struct wh_clock clock;
    struct session list[SESSIONS_MAX];
    size_t n;
    struct link links[LINKS_MAX];
    size_t n_links;
};

/* ---- the file: hash, created, used, label; one session a line ---- */

static enum wh_rc save(const struct page_sessions *s, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, SESSIONS_MAX * LINE_BYTES);
    for (size_t i = 0; s->path && i < s->n; i++) {
        const struct session *e = &s->list[i];

        if (wh_buf_printf(&text, err, "%s %" PRId64 " %" PRId64 " %s\n", e->hash, e->created_ms,
                          e->used_ms, e->label) != WH_OK) {
            return err->rc;
        }
    }
    return s->path ? wh_savefile(s->path, wh_buf_slice(&text), err) : WH_OK;
}

static void set_label(struct session *session, struct wh_slice label)
{
    size_t n = 0;

    for (size_t i = 0; i < label.len && n + 1 < sizeof(session->label); i++) {
        session->label[n++] = label.ptr[i] >= ' ' && label.ptr[i] <= '~' ? label.ptr[i] : '?';
    }
    session->label[n] = 0;
}

/* The text up to the next blank. */
static struct wh_slice next_word(struct wh_slice *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->ptr) : rest->len;
    struct wh_slice word = wh_slice(rest->ptr, n);

    *rest = wh_slice_from(*rest, end ? n + 1 : n);
    return word;
}

static bool read_line(const char *line, struct session *ret)
{
    struct wh_slice rest = wh_slice(line, strcspn(line, "\n"));
    struct wh_slice hash = next_word(&rest);
    struct wh_err err;

    if (hash.len != SESSION_TEXT || wh_num_i64(next_word(&rest), &ret->created_ms, &err) != WH_OK ||
        wh_num_i64(next_word(&rest), &ret->used_ms, &err) != WH_OK) {
        return false;
    }
    memcpy(ret->hash, hash.ptr, SESSION_TEXT);
    ret->hash[SESSION_TEXT] = 0;
    set_label(ret, rest);
    return true;
}

static enum wh_rc load(struct page_sessions *s, struct wh_err *err)
{
    FILE *f = fopen(s->path, "re");
    char line[LINE_BYTES];

    if (f == NULL) {
        return errno == ENOENT
                   ? WH_OK
                   : wh_fail(err, WH_E_IO, "cannot read the sessions of %.200s: error %d", s->path,
                             errno);
    }
    while (s->n < SESSIONS_MAX && fgets(line, sizeof(line), f)) {
        s->n += read_line(line, &s->list[s->n]);
    }
    (void)fclose(f);
    return WH_OK;
}

enum wh_rc page_sessions_new(const char *path, struct wh_clock clock, struct page_sessions **ret,
                             struct wh_err *err)
{
    struct page_sessions *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for sessions");
    }
    s->path = path;
    s->clock = clock;
    if (path && load(s, err) != WH_OK) {
        wh_mem_free(s);
        return err->rc;
    }
    (void)pthread_mutex_init(&s->lock, NULL);
    *ret = s;
    return WH_OK;
}

void page_sessions_free(struct page_sessions *sessions)
{
    if (sessions) {
        (void)pthread_mutex_destroy(&sessions->lock);
        wh_mem_free(sessions);
    }
}

/* ---- links ---- */

static void forget_links(struct page_sessions *s, int64_t now)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_links; i++) {
        if (now - s->links[i].made_ms < LINK_MS) {
            s->links[n++] = s->links[i];
        }
    }
    s->n_links = n;
}

enum wh_rc page_sessions_link(struct page_sessions *s, char ret_code[SESSION_TEXT + 1],
                              struct wh_err *err)
{
    TOKENS_HOLD(&s->lock);
    int64_t now = wh_clock_now_ms(&s->clock);
    struct link link = {.made_ms = now};

    forget_links(s, now);
    if (tokens_new(ret_code, link.hash, err) != WH_OK) {
        return err->rc;
    }
    if (s->n_links == LINKS_MAX) {
        memmove(s->links, s->links + 1, (LINKS_MAX - 1) * sizeof(s->links[0]));
        s->n_links--;
    }
    s->links[s->n_links++] = link;
    return WH_OK;
}

static bool use_link(struct page_sessions *s, const char *hash)
{
    forget_links(s, wh_clock_now_ms(&s->clock));
    for (size_t i = 0; i < s->n_links; i++) {
        if (wh_constant_time_eq(wh_slice_str(s->links[i].hash), wh_slice_str(hash))) {
            s->links[i] = s->links[--s->n_links];
            return true;
        }
    }
    return false;
}

/* ---- sessions ---- */

static struct session *room(struct page_sessions *s)
{
    struct session *oldest = &s->list[0];

    if (s->n < SESSIONS_MAX) {
        return &s->list[s->n++];
    }
    for (size_t i = 1; i < s->n; i++) {
        oldest = s->list[i].used_ms < oldest->used_ms ? &s->list[i] : oldest;
    }
    return oldest;
}

enum wh_rc page_sessions_login(struct page_sessions *s, struct wh_slice code, struct wh_slice label,
                               char ret_cookie[SESSION_TEXT + 1], struct wh_err *err)
{
    TOKENS_HOLD(&s->lock);
    int64_t now = wh_clock_now_ms(&s->clock);
    struct session begun = {.created_ms = now, .used_ms = now};
    char hash[SESSION_TEXT + 1];

    if (tokens_hash(code, hash, err) != WH_OK) {
        return err->rc;
    }
    if (!use_link(s, hash)) {
        return wh_fail(err, WH_E_AUTH, "this link was used already, or is too old");
    }
    if (tokens_new(ret_cookie, begun.hash, err) != WH_OK) {
        return err->rc;
    }
    set_label(&begun, label);
    *room(s) = begun;
    return save(s, err);
}

/* The value of our cookie in "a=b; wellhead=...; c=d". */
static struct wh_slice cookie_of(struct wh_slice cookies)
{
    const size_t n_name = sizeof(cookie_name) - 1;

    while (cookies.len > n_name) {
        const char *end = memchr(cookies.ptr, ';', cookies.len);
        size_t n = end ? (size_t)(end - cookies.ptr) : cookies.len;

        if (n >= n_name && memcmp(cookies.ptr, cookie_name, n_name) == 0) {
            return wh_slice(cookies.ptr + n_name, n - n_name);
        }
        cookies = wh_slice_from(cookies, end ? n + 1 : n);
        while (cookies.len && cookies.ptr[0] == ' ') {
            cookies = wh_slice_from(cookies, 1);
        }
    }
    return wh_slice(NULL, 0);
}

static struct session *find(struct page_sessions *s, struct wh_slice cookies)
{
    struct wh_slice cookie = cookie_of(cookies);
    int64_t now = wh_clock_now_ms(&s->clock);
    char hash[SESSION_TEXT + 1];
    struct session *found = NULL;
    struct wh_err err;

    if (cookie.len != SESSION_TEXT || tokens_hash(cookie, hash, &err) != WH_OK) {
        return NULL;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (wh_constant_time_eq(wh_slice_str(s->list[i].hash), wh_slice_str(hash)) &&
            now - s->list[i].created_ms < session_ms) {
            found = &s->list[i];
        }
    }
    return found;
}

bool page_sessions_fits(struct page_sessions *s, struct wh_slice cookies)
{
    TOKENS_HOLD(&s->lock);
    struct session *session = find(s, cookies);
    int64_t now = wh_clock_now_ms(&s->clock);
    struct wh_err err;

    if (session && now - session->used_ms > USED_MS) {
        session->used_ms = now;
        /* The time of the last use is a help for people, and may be lost. */
        (void)save(s, &err);
    }
    return session != NULL;
}

void page_sessions_write(struct page_sessions *s, struct wh_json_writer *w)
{
    TOKENS_HOLD(&s->lock);

    for (size_t i = 0; i < s->n; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "kind", WH_LIT("session"));
        wh_jw_put_str(w, "id", wh_slice(s->list[i].hash, ID_TEXT));
        wh_jw_put_str(w, "name", wh_slice_str(s->list[i].label));
        wh_jw_put_ms(w, "created_at", s->list[i].created_ms);
        wh_jw_put_ms(w, "used_at", s->list[i].used_ms);
        wh_jw_put_ms(w, "ends_at", s->list[i].created_ms + session_ms);
        wh_jw_end(w);
    }
}

enum wh_rc page_sessions_end(struct page_sessions *s, struct wh_slice id, struct wh_slice cookies,
                             struct wh_err *err)
{
    TOKENS_HOLD(&s->lock);
    struct session *session = cookies.len ? find(s, cookies) : NULL;

    for (size_t i = 0; id.len == ID_TEXT && i < s->n; i++) {
        if (memcmp(s->list[i].hash, id.ptr, ID_TEXT) == 0) {
            session = &s->list[i];
        }
    }
    if (session == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "there is no such session");
    }
    *session = s->list[--s->n];
    return save(s, err);
}
