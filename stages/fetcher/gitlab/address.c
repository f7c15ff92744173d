#include "stages/fetcher/gitlab/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "common/event/topics.h"
#include "common/httpc/url.h"

enum {
    HOST_MAX_BYTES = 253,
    LABEL_MAX_BYTES = 63,
    ID_MAX = WH_CONNECTION_ID_MAX - 1,
    HASH_DIGITS = 8
};

static bool strip(struct wh_slice *text, const char *prefix)
{
    size_t n = strlen(prefix);

    if (text->len < n || strncasecmp(text->ptr, prefix, n) != 0) {
        return false;
    }
    *text = wh_slice_from(*text, n);
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static size_t until(struct wh_slice text, const char *stops)
{
    size_t n = 0;

    while (n < text.len && memchr(stops, text.ptr[n], strlen(stops)) == NULL) {
        n++;
    }
    return n;
}

/* ---- parts ---- */

static enum wh_rc check_characters(struct wh_slice text, struct wh_err *err)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c >= 0x80) {
            return wh_fail(err, WH_E_INVALID,
                           "write an international host name in its ASCII form (xn--...)");
        }
        if (c == '%') {
            return wh_fail(err, WH_E_INVALID, "an address takes no percent-encoding");
        }
        if (c == '?' || c == '#') {
            return wh_fail(err, WH_E_INVALID,
                           "an address takes a host, a port and a path only, as in "
                           "https://gitlab.example.com");
        }
        if (!is_letter((char)c) && !is_digit((char)c) && strchr("-._~:/[]@", c) == NULL) {
            return wh_fail(err, WH_E_INVALID, "a character that no address of a GitLab has");
        }
    }
    return WH_OK;
}

/* Copies the address, with the scheme that is meant and without slashes at the end. */
static enum wh_rc copy_address(struct wh_slice text, bool allow_http, struct wh_buf *out,
                               struct wh_err *err)
{
    bool https = !strip(&text, "http://");

    if (!https && !allow_http) {
        return wh_fail(err, WH_E_INVALID,
                       "http:// is refused; use https://, or allow it with allow.http=true");
    }
    if (https && !strip(&text, "https://") && memmem(text.ptr, text.len, "://", 3) != NULL) {
        return wh_fail(err, WH_E_INVALID, "an address begins with https://");
    }
    while (text.len && text.ptr[text.len - 1] == '/') {
        text.len--;
    }
    if (memchr(text.ptr, '@', until(text, "/")) != NULL) {
        return wh_fail(err, WH_E_INVALID,
                       "an address takes no user name or password; a token is given with "
                       "--token-file");
    }
    if (wh_buf_append(out, https ? WH_LIT("https://") : WH_LIT("http://"), err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(out, text, err);
}

static enum wh_rc check_path(struct wh_slice path, struct wh_err *err)
{
    while (path.len) {
        struct wh_slice rest = wh_slice_from(path, 1);
        struct wh_slice segment = wh_slice(rest.ptr, until(rest, "/"));

        if (segment.len == 0 || wh_slice_eq(segment, WH_LIT(".")) ||
            wh_slice_eq(segment, WH_LIT("..")) || until(segment, ":@[]") < segment.len) {
            return wh_fail(err, WH_E_INVALID, "the path has an empty, a dot or an odd segment");
        }
        path = wh_slice_from(rest, segment.len);
    }
    return WH_OK;
}

/* Takes the address apart; *ret borrows from the text that copy gets. */
static enum wh_rc split(struct wh_slice text, bool allow_http, struct wh_buf *copy,
                        struct wh_url *ret, struct wh_err *err)
{
    wh_buf_init(copy, ADDRESS_MAX_BYTES + sizeof("https://"));
    if (text.len > ADDRESS_MAX_BYTES) {
        return wh_fail(err, WH_E_INVALID, "an address is at most %d characters", ADDRESS_MAX_BYTES);
    }
    if (check_characters(text, err) != WH_OK ||
        copy_address(text, allow_http, copy, err) != WH_OK ||
        wh_url_parse(wh_buf_slice(copy), ret, err) != WH_OK) {
        return err->rc;
    }
    return check_path(ret->path, err);
}

/* ---- hosts ---- */

static enum wh_rc put_v6(struct wh_slice host, struct wh_buf *out, struct wh_err *err)
{
    char text[INET6_ADDRSTRLEN + 1] = "";
    unsigned char bytes[sizeof(struct in6_addr)];

    if (host.len - 2 < sizeof(text)) {
        memcpy(text, host.ptr + 1, host.len - 2);
    }
    if (inet_pton(AF_INET6, text, bytes) != 1 ||
        inet_ntop(AF_INET6, bytes, text, sizeof(text)) == NULL) {
        return wh_fail(err, WH_E_INVALID, "not an IPv6 address between [ and ]");
    }
    return wh_buf_printf(out, err, "[%s]", text);
}

/* Resolvers read a name whose last label is a number as an IPv4 address. */
static bool is_numeric(struct wh_slice host)
{
    while (host.len && is_digit(host.ptr[host.len - 1])) {
        host.len--;
    }
    return host.len == 0 || host.ptr[host.len - 1] == '.';
}

static enum wh_rc check_v4(struct wh_slice host, struct wh_err *err)
{
    char text[INET_ADDRSTRLEN] = "";
    unsigned char bytes[sizeof(struct in_addr)];

    if (host.len < sizeof(text)) {
        memcpy(text, host.ptr, host.len);
    }
    return inet_pton(AF_INET, text, bytes) == 1
               ? WH_OK
               : wh_fail(err, WH_E_INVALID, "an IPv4 address is four numbers, as in 192.0.2.1");
}

static enum wh_rc check_labels(struct wh_slice host, struct wh_err *err)
{
    struct wh_slice rest = host;

    if (host.len > HOST_MAX_BYTES) {
        return wh_fail(err, WH_E_INVALID, "a host name is at most %d characters", HOST_MAX_BYTES);
    }
    for (;;) {
        size_t n = until(rest, ".");

        if (n == 0 || n > LABEL_MAX_BYTES || until(rest, "~[]/@:") < n) {
            return wh_fail(err, WH_E_INVALID, "not the host name of a GitLab");
        }
        if (n == rest.len) {
            return WH_OK;
        }
        rest = wh_slice_from(rest, n + 1);
    }
}

static enum wh_rc put_name(struct wh_slice host, struct wh_buf *out, struct wh_err *err)
{
    /* One dot at the end makes a name absolute; it is the same host. */
    if (host.len > 1 && host.ptr[host.len - 1] == '.') {
        host.len--;
    }
    if (check_labels(host, err) != WH_OK || (is_numeric(host) && check_v4(host, err) != WH_OK)) {
        return err->rc;
    }
    for (size_t i = 0; i < host.len; i++) {
        if (wh_buf_append_char(out, lower(host.ptr[i]), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc put_host(const struct wh_url *u, struct wh_buf *out, struct wh_err *err)
{
    return u->host.ptr[0] == '[' ? put_v6(u->host, out, err) : put_name(u->host, out, err);
}

enum wh_rc address_canonical(struct wh_slice text, bool allow_http, struct wh_buf *out,
                             struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf copy = {0};
    struct wh_url u;

    if (split(text, allow_http, &copy, &u, err) != WH_OK ||
        wh_buf_append(out, u.https ? WH_LIT("https://") : WH_LIT("http://"), err) != WH_OK ||
        put_host(&u, out, err) != WH_OK ||
        (u.port != (u.https ? 443 : 80) && wh_buf_printf(out, err, ":%u", u.port) != WH_OK)) {
        return err->rc;
    }
    return wh_buf_append(out, u.path, err);
}

/* ---- ids ---- */

/* import-<name> is the connection of what `wellhead import` reads. */
static enum wh_rc keep_apart(struct wh_buf *out, struct wh_err *err)
{
    char id[ID_MAX + 1];
    int n;

    if (!wh_slice_starts(wh_buf_slice(out), WH_LIT("import-"))) {
        return WH_OK;
    }
    n = snprintf(id, sizeof(id), "gitlab-%.*s", (int)(ID_MAX - sizeof("gitlab-")), wh_buf_str(out));
    wh_buf_reset(out);
    return wh_buf_append(out, wh_slice(id, (size_t)n), err);
}

enum wh_rc address_connection_id(struct wh_slice address, struct wh_buf *out, struct wh_err *err)
{
    struct wh_slice rest = address;
    bool dash = true; /* none at the start */

    if (!strip(&rest, "https://")) {
        (void)strip(&rest, "http://");
    }
    for (size_t i = 0; i < rest.len && out->len < ID_MAX; i++) {
        bool word = is_letter(rest.ptr[i]) || is_digit(rest.ptr[i]);

        if (!word && dash) {
            continue;
        }
        dash = !word;
        if (wh_buf_append_char(out, word ? lower(rest.ptr[i]) : '-', err) != WH_OK) {
            return err->rc;
        }
    }
    while (out->len && out->ptr[out->len - 1] == '-') {
        out->ptr[--out->len] = '\0';
    }
    if (keep_apart(out, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_connection_id_valid(wh_buf_slice(out))) {
        return wh_fail(err, WH_E_INVALID, "the address gives no connection id");
    }
    return WH_OK;
}

enum wh_rc address_second_id(struct wh_slice address, struct wh_buf *out, struct wh_err *err)
{
    unsigned char digest[WH_SHA256_BYTES];

    if (address_connection_id(address, out, err) != WH_OK ||
        wh_sha256(address, digest, err) != WH_OK) {
        return err->rc;
    }
    if (out->len > ID_MAX - HASH_DIGITS - 1) {
        out->len = ID_MAX - HASH_DIGITS - 1;
    }
    if (wh_buf_append_char(out, '-', err) != WH_OK) {
        return err->rc;
    }
    return wh_hex_encode(wh_slice(digest, HASH_DIGITS / 2), out, err);
}

/* ---- two addresses ---- */

/* Without scheme and port; false when the text is no address. */
static bool host_and_path(struct wh_slice address, struct wh_buf *out, bool *ret_https)
{
    WH_AUTO(buf) struct wh_buf copy = {0};
    struct wh_url u;
    struct wh_err err;

    if (split(address, true, &copy, &u, &err) != WH_OK || put_host(&u, out, &err) != WH_OK ||
        wh_buf_append(out, u.path, &err) != WH_OK) {
        return false;
    }
    *ret_https = u.https;
    return true;
}

static bool same_spelling(struct wh_slice from, struct wh_slice to)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, ADDRESS_MAX_BYTES + 1);
    return wh_slice_eq(from, to) || (address_canonical(from, true, &text, &err) == WH_OK &&
                                     wh_slice_eq(wh_buf_slice(&text), to));
}

enum address_relation address_relation(struct wh_slice from, struct wh_slice to)
{
    WH_AUTO(buf) struct wh_buf a;
    WH_AUTO(buf) struct wh_buf b;
    bool a_https = false;
    bool b_https = false;

    wh_buf_init(&a, ADDRESS_MAX_BYTES + 1);
    wh_buf_init(&b, ADDRESS_MAX_BYTES + 1);
    if (same_spelling(from, to)) {
        return ADDRESS_SAME;
    }
    if (!host_and_path(from, &a, &a_https) || !host_and_path(to, &b, &b_https) ||
        !wh_slice_eq(wh_buf_slice(&a), wh_buf_slice(&b)) || a_https == b_https) {
        return ADDRESS_OTHER;
    }
    return b_https ? ADDRESS_TO_HTTPS : ADDRESS_TO_HTTP;
}
