#include "common/httpc/url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX_BYTES = 256 };

static bool only(struct wh_slice text, const char *more)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr(more, c) != NULL))) {
            return false;
        }
    }
    return true;
}

static CURLUcode get(CURLU *u, CURLUPart part, char *to, size_t size)
{
    char *text = NULL;
    CURLUcode rc = curl_url_get(u, part, &text, CURLU_DEFAULT_PORT);

    (void)snprintf(to, size, "%s", text ? text : "");
    curl_free(text);
    return rc;
}

/* The host and the port to which libcurl would connect. */
static CURLUcode ask_curl(struct wh_slice text, char host[HOST_MAX_BYTES], char port[8])
{
    CURLU *u = curl_url();
    char copy[WH_URL_MAX + 1];
    CURLUcode rc;

    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    rc = u ? curl_url_set(u, CURLUPART_URL, copy, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS)
           : CURLUE_OUT_OF_MEMORY;
    rc = rc == CURLUE_OK ? get(u, CURLUPART_HOST, host, HOST_MAX_BYTES) : rc;
    rc = rc == CURLUE_OK ? get(u, CURLUPART_PORT, port, 8) : rc;
    curl_url_cleanup(u);
    return rc;
}

static bool strip(struct wh_slice *text, const char *prefix)
{
    size_t n = strlen(prefix);

    if (text->len < n || strncasecmp(text->ptr, prefix, n) != 0) {
        return false;
    }
    *text = wh_slice_from(*text, n);
    return true;
}

static size_t until(struct wh_slice text, const char *stops)
{
    size_t n = 0;

    while (n < text.len && strchr(stops, text.ptr[n]) == NULL) {
        n++;
    }
    return n;
}

/* libcurl decodes percent-encodings and rewrites other spellings of IPv4 addresses; such hosts differ
 * from what a person or a check reads. It shortens IPv6 addresses, which it has checked. */
static bool take_host(struct wh_slice authority, const char *host, struct wh_url *u)
{
    bool v6 = authority.len && authority.ptr[0] == '[';
    size_t n = v6 ? until(authority, "]") + 1 : until(authority, ":");

    u->host = wh_slice(authority.ptr, n);
    return v6 ||
           (only(u->host, "-._~") && strlen(host) == n && strncasecmp(host, authority.ptr, n) == 0);
}

enum wh_rc wh_url_parse(struct wh_slice text, struct wh_url *ret, struct wh_err *err)
{
    struct wh_url u = {.text = text};
    struct wh_slice rest = text;
    char host[HOST_MAX_BYTES] = "";
    char port[8] = "";
    CURLUcode rc;
    size_t n;

    if (text.len > WH_URL_MAX || !only(text, "-._~:/?[]@!$&'()*+,;=%|{}^`")) {
        return wh_fail(err, WH_E_INVALID, "not a well-formed address");
    }
    u.https = strip(&rest, "https://");
    if (!u.https && !strip(&rest, "http://")) {
        return wh_fail(err, WH_E_INVALID, "not an http or https address");
    }
    rc = ask_curl(text, host, port);
    if (rc != CURLUE_OK) {
        return wh_fail(err, rc == CURLUE_OUT_OF_MEMORY ? WH_E_NOMEM : WH_E_INVALID,
                       "not a well-formed address: %s", curl_url_strerror(rc));
    }
    n = until(rest, "/?");
    u.port = (uint16_t)strtoul(port, NULL, 10);
    if (u.port == 0 || !take_host(wh_slice(rest.ptr, n), host, &u)) {
        return wh_fail(err, WH_E_INVALID, "not a well-formed host");
    }
    u.origin = wh_slice(text.ptr, text.len - rest.len + n);
    rest = wh_slice_from(rest, n);
    n = until(rest, "?");
    u.path = wh_slice(rest.ptr, n);
    u.query = wh_slice_from(rest, n + 1);
    *ret = u;
    return WH_OK;
}
