#include "common/httpc/httpc.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct wh_slice wh_httpc_answer_header(const struct wh_httpc_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->n_headers; i++) {
        if (wh_slice_eq(answer->headers[i].name, wh_slice_str(name))) {
            return answer->headers[i].value;
        }
    }
    return wh_slice(NULL, 0);
}

/* ---- addresses ---- */

struct range4 {
    uint32_t net;
    unsigned bits;
};

/* IANA special-purpose address registries (RFC 6890 and its updates): not globally reachable. */
static const struct range4 not_public4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* shared, carrier NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, cloud metadata */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool public4(uint32_t ip)
{
    for (size_t i = 0; i < sizeof(not_public4) / sizeof(not_public4[0]); i++) {
        if ((ip ^ not_public4[i].net) >> (32 - not_public4[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool mapped4(const uint8_t b[16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(b, prefix, sizeof(prefix)) == 0;
}

static bool public6(const uint8_t b[16])
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (mapped4(b) || memcmp(b, nat64, sizeof(nat64)) == 0) {
        return public4(be32(b + 12));
    }
    if (b[0] == 0x20 && b[1] == 0x02) {
        return public4(be32(b + 2)); /* 6to4 */
    }
    /* Global unicast is 2000::/3, without Teredo and the documentation prefix. */
    return (b[0] & 0xe0) == 0x20 && !(b[0] == 0x20 && b[1] == 0x01 && (b[2] & 0xfe) == 0x00) &&
           !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8);
}

bool wh_httpc_public(const struct sockaddr *addr)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in4;

    if (addr->sa_family == AF_INET) {
        memcpy(&in4, addr, sizeof(in4));
        return public4(ntohl(in4.sin_addr.s_addr));
    }
    if (addr->sa_family == AF_INET6) {
        memcpy(&in6, addr, sizeof(in6));
        return public6(in6.sin6_addr.s6_addr);
    }
    return false;
}

bool wh_httpc_loopback(const struct sockaddr *addr)
{
    static const uint8_t one[16] = {[15] = 1};
    struct sockaddr_in6 in6;
    struct sockaddr_in in4;

    if (addr->sa_family == AF_INET) {
        memcpy(&in4, addr, sizeof(in4));
        return ntohl(in4.sin_addr.s_addr) >> 24 == 127;
    }
    if (addr->sa_family == AF_INET6) {
        memcpy(&in6, addr, sizeof(in6));
        return memcmp(in6.sin6_addr.s6_addr, one, sizeof(one)) == 0 ||
               (mapped4(in6.sin6_addr.s6_addr) && in6.sin6_addr.s6_addr[12] == 127);
    }
    return false;
}
