/* The programs that registered themselves. */
#include "common/base/enc.h"
#include "common/httpc/url.h"
#include "stages/sink/tokens/grants_priv.h"

static const int64_t client_ms = INT64_C(86400000) * 30;

void grants_drop(struct grants *g, size_t i)
{
    g->list[i] = g->list[--g->n];
}

static bool has_grant(const struct grants *g, const char *client)
{
    for (size_t i = 0; i < g->n; i++) {
        if (strcmp(g->list[i].client, client) == 0) {
            return true;
        }
    }
    return false;
}

void grants_forget_old(struct grants *g, int64_t now)
{
    size_t n = 0;

    for (size_t i = g->n; i-- > 0;) {
        if (now - g->list[i].used_ms >= GRANT_DAYS_MS) {
            grants_drop(g, i);
        }
    }
    for (size_t i = 0; i < g->n_clients; i++) {
        if (now - g->clients[i].made_ms < client_ms || has_grant(g, g->clients[i].id)) {
            g->clients[n++] = g->clients[i];
        }
    }
    g->n_clients = n;
}

enum wh_rc grants_short_id(char *ret, size_t n, struct wh_err *err)
{
    char secret[TOKEN_TEXT + 1];
    char hash[TOKEN_TEXT + 1];

    if (tokens_new(secret, hash, err) != WH_OK) {
        return err->rc;
    }
    memcpy(ret, hash, n);
    ret[n] = 0;
    return WH_OK;
}

static bool is_loopback(const struct wh_url *u)
{
    return wh_slice_eq(u->host, WH_LIT("127.0.0.1")) || wh_slice_eq(u->host, WH_LIT("[::1]")) ||
           wh_slice_eq(u->host, WH_LIT("localhost"));
}

/* What would end the address in a header, in a policy or in an attribute. */
static bool is_plain(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr("\"'<>\\;,`", text.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool grants_is_redirect(struct wh_slice uri)
{
    struct wh_url u;
    struct wh_err err;

    return uri.len <= GRANT_URI_MAX && is_plain(uri) && wh_url_parse(uri, &u, &err) == WH_OK &&
           (u.https || is_loopback(&u));
}

static struct wh_slice next_line(struct wh_slice *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    struct wh_slice line = wh_slice(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);

    *rest = wh_slice_from(*rest, line.len + 1);
    return line;
}

/* Equal but for the port? Both were accepted by grants_is_redirect. */
static bool same_but_port(struct wh_slice a, struct wh_slice b)
{
    struct wh_url u;
    struct wh_url v;
    struct wh_err err;

    return wh_url_parse(a, &u, &err) == WH_OK && wh_url_parse(b, &v, &err) == WH_OK && !u.https &&
           !v.https && is_loopback(&u) && wh_slice_eq(u.host, v.host) &&
           wh_slice_eq(u.path, v.path) && wh_slice_eq(u.query, v.query);
}

bool grants_redirect_fits(const struct grants_client *client, struct wh_slice uri)
{
    struct wh_slice rest = wh_slice_str(client->uris);

    while (rest.len && grants_is_redirect(uri)) {
        struct wh_slice line = next_line(&rest);

        if (wh_slice_eq(line, uri) || same_but_port(line, uri)) {
            return true;
        }
    }
    return false;
}

static bool all_are_redirects(struct wh_slice uris)
{
    bool fits = uris.len > 0;

    while (fits && uris.len) {
        fits = grants_is_redirect(next_line(&uris));
    }
    return fits;
}

/* A name is shown to a person who decides: no control characters, and one line. */
static void set_name(char to[GRANT_NAME_MAX + 1], struct wh_slice name)
{
    size_t n = 0;

    if (!wh_utf8_valid(name) || name.len == 0) {
        name = WH_LIT("a program without a name");
    }
    while (n < name.len && n < GRANT_NAME_MAX) {
        unsigned char c = (unsigned char)name.ptr[n];

        to[n++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
    /* Not in the middle of a character. */
    while (n < name.len && n > 0 && ((unsigned char)name.ptr[n] & 0xC0) == 0x80) {
        n--;
    }
    to[n] = 0;
}

static struct grants_client *client_room(struct grants *g)
{
    size_t oldest = GRANT_CLIENTS_MAX;

    if (g->n_clients < GRANT_CLIENTS_MAX) {
        return &g->clients[g->n_clients++];
    }
    for (size_t i = 0; i < g->n_clients; i++) {
        if (!has_grant(g, g->clients[i].id) &&
            (oldest == GRANT_CLIENTS_MAX || g->clients[i].made_ms < g->clients[oldest].made_ms)) {
            oldest = i;
        }
    }
    /* There are fewer grants than clients, so one has none. */
    memmove(&g->clients[oldest], &g->clients[oldest + 1],
            (g->n_clients - oldest - 1) * sizeof(g->clients[0]));
    return &g->clients[g->n_clients - 1];
}
_Static_assert((int)GRANTS_MAX < (int)GRANT_CLIENTS_MAX, "a client without a grant can be found");

enum wh_rc grants_register(struct grants *g, struct wh_slice name, struct wh_slice uris,
                           struct grants_client *ret, struct wh_err *err)
{
    TOKENS_HOLD(&g->lock);
    struct grants_client made = {.made_ms = wh_clock_now_ms(&g->clock)};

    if (!all_are_redirects(uris) || !grants_set(made.uris, sizeof(made.uris), uris)) {
        return wh_fail(err, WH_E_INVALID,
                       "redirect_uris must be addresses of https, or of http on loopback");
    }
    set_name(made.name, name);
    if (grants_short_id(made.id, GRANT_CLIENT_ID, err) != WH_OK) {
        return err->rc;
    }
    grants_forget_old(g, made.made_ms);
    *client_room(g) = made;
    *ret = made;
    return grants_save(g, err);
}

const struct grants_client *grants_find_client(const struct grants *g, struct wh_slice id)
{
    for (size_t i = 0; i < g->n_clients; i++) {
        if (wh_slice_eq(wh_slice_str(g->clients[i].id), id)) {
            return &g->clients[i];
        }
    }
    return NULL;
}

bool grants_client(struct grants *g, struct wh_slice id, struct grants_client *ret)
{
    TOKENS_HOLD(&g->lock);
    const struct grants_client *client = grants_find_client(g, id);

    if (client) {
        *ret = *client;
    }
    return client != NULL;
}
