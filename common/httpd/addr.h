/*
 * addr.h - private to httpd/: client addresses in one form, so that they can be compared, counted
 * and matched against a list of trusted proxies. An IPv4 address is kept as ::ffff:a.b.c.d.
 */
#ifndef WH_HTTPD_ADDR_H
#define WH_HTTPD_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/slice.h"

enum {
    HTTPD_ADDR_BYTES = 16,
    HTTPD_ADDR_TEXT_MAX = 64, /* with the NUL */
    HTTPD_NETS_MAX = 32,
};

struct httpd_addr {
    unsigned char bytes[HTTPD_ADDR_BYTES];
};

/* The addresses that start with the same `bits` bits. */
struct httpd_net {
    struct httpd_addr addr;
    unsigned bits; /* 0 to 128; an IPv4 prefix counts the 96 bits before it */
};

struct httpd_nets {
    struct httpd_net items[HTTPD_NETS_MAX];
    size_t n;
};

struct sockaddr;

/* False for a family other than IPv4 and IPv6. */
bool httpd_addr_of(const struct sockaddr *from, struct httpd_addr *ret);
/* Text as in "192.0.2.1", "2001:db8::1" or "[2001:db8::1]", without a port. */
bool httpd_addr_parse(struct wh_slice text, struct httpd_addr *ret);
void httpd_addr_format(const struct httpd_addr *addr, char ret[HTTPD_ADDR_TEXT_MAX]);
bool httpd_addr_eq(const struct httpd_addr *a, const struct httpd_addr *b);
/*
 * What counts as one peer: an IPv4 address, or the /64 network of an IPv6 address, because a host
 * usually owns all addresses of its /64.
 */
struct httpd_addr httpd_addr_peer(const struct httpd_addr *addr);

/*
 * Reads a list such as "10.0.0.0/8, 192.0.2.1, 2001:db8::/32"; empty text gives an empty list.
 * WH_E_CONFIG names the entry that is not an address or a network, or that is one too many.
 */
WH_MUST_CHECK enum wh_rc httpd_nets_parse(struct wh_slice text, struct httpd_nets *ret,
                                          struct wh_err *err);
bool httpd_nets_contain(const struct httpd_nets *nets, const struct httpd_addr *addr);

#endif
