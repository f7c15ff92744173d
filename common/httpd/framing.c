#include "common/httpd/framing.h"

#include <string.h>

#include "common/httpd/httpd_priv.h"

enum { LENGTH_DIGITS_MAX = 18 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool eq_nocase(struct wh_slice a, const char *b)
{
    if (a.len != strlen(b)) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != b[i]) {
            return false;
        }
    }
    return true;
}

/* RFC 9110 section 5.6.2: no white space, so "Content-Length : 1" is caught here. */
static bool is_token(struct wh_slice text)
{
    /* Bit c: the character c of 0 to 63, 64 to 127: digits, letters and !#$%&'*+-.^_`|~ */
    static const uint64_t allowed[2] = {UINT64_C(0x3FF6CFA00000000), UINT64_C(0x57FFFFFFC7FFFFFE)};

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c > 127 || (allowed[c >> 6] >> (c & 63) & 1) == 0) {
            return false;
        }
    }
    return text.len > 0;
}

/* Eight bytes at a time: is one of them smaller than 0x20, or 0x7F? May say yes of others, too. */
static bool may_have_controls(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x;

    memcpy(&x, p, sizeof(x));
    return (((x - ones * 0x20) | ((x ^ ones * 0x7F) - ones)) & ones << 7) != 0;
}

static bool has_controls(struct wh_slice text)
{
    size_t from = 0;

    while (text.len - from >= sizeof(uint64_t) && !may_have_controls(text.ptr + from)) {
        from += sizeof(uint64_t);
    }
    for (size_t i = from; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

/*
 * libmicrohttpd 0.9.75 splits the head in place: it overwrites the colon and both bytes of the line
 * end with NUL. It copies a folded line (RFC 9112 section 5.2) together with the *name* before it
 * elsewhere, and accepts a bare LF as a line end. So the name and the value of a valid header are on one
 * line in memory, separated by white space only, and followed by two NULs. Any other layout means that
 * the header was folded, contained a NUL, or did not end in CRLF.
 */
static bool on_one_line(struct wh_slice name, struct wh_slice value)
{
    const char *end = name.ptr + name.len;
    uintptr_t gap = (uintptr_t)value.ptr - (uintptr_t)end;

    if (gap == 0 || gap > HTTPD_HEADER_MEMORY_BYTES) {
        return false;
    }
    for (size_t i = 1; i < gap; i++) {
        if (end[i] != ' ' && end[i] != '\t') {
            return false;
        }
    }
    return value.ptr[value.len] == '\0' && value.ptr[value.len + 1] == '\0';
}

static const char *read_length(struct httpd_framing *framing, struct wh_slice value)
{
    if (framing->has_length) {
        return "Content-Length occurs twice";
    }
    if (value.len == 0 || value.len > LENGTH_DIGITS_MAX) {
        return "Content-Length is not a length";
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') {
            return "Content-Length is not a length";
        }
        framing->length = framing->length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    framing->has_length = true;
    return NULL;
}

static const char *read_coding(struct httpd_framing *framing, struct wh_slice value)
{
    if (framing->chunked) {
        return "Transfer-Encoding occurs twice";
    }
    if (!eq_nocase(value, "chunked")) {
        return "chunked is the only transfer coding that this server accepts";
    }
    framing->chunked = true;
    return NULL;
}

/* RFC 9112 section 3.2 */
static const char *read_host(struct httpd_framing *framing)
{
    if (framing->has_host) {
        return "Host occurs twice";
    }
    framing->has_host = true;
    return NULL;
}

static const char *read_header(struct httpd_framing *framing, struct wh_slice name,
                               struct wh_slice value)
{
    if (!is_token(name)) {
        return "the name of a header is malformed";
    }
    if (!on_one_line(name, value) || has_controls(value)) {
        return "a header is folded, or does not end in CRLF, or has control characters";
    }
    if (eq_nocase(name, "content-length")) {
        return read_length(framing, value);
    }
    if (eq_nocase(name, "host")) {
        return read_host(framing);
    }
    return eq_nocase(name, "transfer-encoding") ? read_coding(framing, value) : NULL;
}

struct reading {
    struct httpd_req *req;
    struct httpd_framing framing;
};

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct reading *r = ctx;
    const struct wh_http_header header = {wh_slice(name, name_len), wh_slice(value, value_len)};

    (void)kind;
    if (r->req->n_headers < HTTPD_HEADERS_MAX) {
        r->req->headers[r->req->n_headers] = header;
    }
    r->req->n_headers++;
    r->framing.wrong = value == NULL ? "a header has no value"
                                     : read_header(&r->framing, header.name, header.value);
    return r->framing.wrong ? MHD_NO : MHD_YES;
}

/*
 * A Content-Length that is not a number never gets here: libmicrohttpd itself replies 400 (and, in
 * 0.9.75, writes the head of that reply twice before it closes the connection).
 */
struct httpd_framing httpd_framing_read(struct httpd_req *req, const char *version)
{
    const bool http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    struct reading reading = {.req = req};
    struct httpd_framing framing;

    (void)MHD_get_connection_values_n(req->connection, MHD_HEADER_KIND, on_header, &reading);
    framing = reading.framing;
    if (framing.wrong) {
        return framing;
    }
    if (framing.chunked && framing.has_length) {
        framing.wrong = "Content-Length and Transfer-Encoding exclude each other";
    } else if (framing.chunked && http_1_0) {
        framing.wrong = "Transfer-Encoding needs HTTP/1.1";
    } else if (!framing.has_host && !http_1_0) {
        framing.wrong = "Host is missing";
    }
    return framing;
}
