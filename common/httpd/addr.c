#include "common/httpd/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/num.h"

enum { V4_PREFIX_BYTES = 12, V4_PREFIX_BITS = 96, ALL_BITS = 128, PEER_BYTES = 8 };

static const unsigned char v4_prefix[V4_PREFIX_BYTES] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const struct httpd_addr *addr)
{
    return memcmp(addr->bytes, v4_prefix, V4_PREFIX_BYTES) == 0;
}

static void from_v4(const struct in_addr *in, struct httpd_addr *ret)
{
    memcpy(ret->bytes, v4_prefix, V4_PREFIX_BYTES);
    memcpy(ret->bytes + V4_PREFIX_BYTES, in, sizeof(*in));
}

bool httpd_addr_of(const struct sockaddr *from, struct httpd_addr *ret)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, from, sizeof(in));
        from_v4(&in.sin_addr, ret);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, from, sizeof(in6));
        memcpy(ret->bytes, &in6.sin6_addr, HTTPD_ADDR_BYTES);
        return true;
    }
    return false;
}

bool httpd_addr_parse(struct wh_slice text, struct httpd_addr *ret)
{
    char copy[HTTPD_ADDR_TEXT_MAX];
    struct in_addr in;

    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        text = wh_slice(text.ptr + 1, text.len - 2);
    }
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len)) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &in) == 1) {
        from_v4(&in, ret);
        return true;
    }
    return inet_pton(AF_INET6, copy, ret->bytes) == 1;
}

void httpd_addr_format(const struct httpd_addr *addr, char ret[HTTPD_ADDR_TEXT_MAX])
{
    const bool v4 = is_v4(addr);

    ret[0] = '\0';
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, addr->bytes + (v4 ? V4_PREFIX_BYTES : 0), ret,
                    HTTPD_ADDR_TEXT_MAX);
}

bool httpd_addr_eq(const struct httpd_addr *a, const struct httpd_addr *b)
{
    return memcmp(a->bytes, b->bytes, HTTPD_ADDR_BYTES) == 0;
}

struct httpd_addr httpd_addr_peer(const struct httpd_addr *addr)
{
    struct httpd_addr peer = *addr;

    if (!is_v4(addr)) {
        memset(peer.bytes + PEER_BYTES, 0, HTTPD_ADDR_BYTES - PEER_BYTES);
    }
    return peer;
}

/* ---- lists of networks ---- */

static bool net_parse(struct wh_slice text, struct httpd_net *ret)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    struct wh_slice addr = slash ? wh_slice(text.ptr, (size_t)(slash - text.ptr)) : text;
    int64_t bits = 0;
    int64_t before;
    struct wh_err err;

    if (!httpd_addr_parse(addr, &ret->addr)) {
        return false;
    }
    ret->bits = ALL_BITS;
    if (slash == NULL) {
        return true;
    }
    before = memchr(addr.ptr, ':', addr.len) == NULL ? V4_PREFIX_BITS : 0;
    if (wh_num_i64(wh_slice_from(text, addr.len + 1), &bits, &err) != WH_OK || bits < 0 ||
        bits > ALL_BITS - before) {
        return false;
    }
    ret->bits = (unsigned)(before + bits);
    return true;
}

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

enum wh_rc httpd_nets_parse(struct wh_slice text, struct httpd_nets *ret, struct wh_err *err)
{
    struct httpd_nets nets = {.n = 0};
    size_t at = 0;

    while (at < text.len) {
        size_t from = at;

        while (at < text.len && !is_separator(text.ptr[at])) {
            at++;
        }
        if (at > from) {
            struct wh_slice entry = wh_slice(text.ptr + from, at - from);

            if (nets.n == HTTPD_NETS_MAX) {
                return wh_fail(err, WH_E_CONFIG, "more than %d addresses", HTTPD_NETS_MAX);
            }
            if (!net_parse(entry, &nets.items[nets.n])) {
                return wh_fail(err, WH_E_CONFIG, "'%.*s' is not an IP address or network",
                               (int)(entry.len < 64 ? entry.len : 64), entry.ptr);
            }
            nets.n++;
        }
        at++;
    }
    *ret = nets;
    return WH_OK;
}

static bool net_contains(const struct httpd_net *net, const struct httpd_addr *addr)
{
    const size_t whole = net->bits / 8;
    const unsigned rest = net->bits % 8;
    const unsigned mask = (0xff00U >> rest) & 0xffU;

    return memcmp(net->addr.bytes, addr->bytes, whole) == 0 &&
           (rest == 0 || ((net->addr.bytes[whole] ^ addr->bytes[whole]) & mask) == 0);
}

bool httpd_nets_contain(const struct httpd_nets *nets, const struct httpd_addr *addr)
{
    for (size_t i = 0; i < nets->n; i++) {
        if (net_contains(&nets->items[i], addr)) {
            return true;
        }
    }
    return false;
}
