/*
 * Finds the connection of an address. The same address is the same connection. An id that belongs to
 * another address is never taken over, because then a token, sealed or new, would be sent to an
 * address that nobody typed.
 */
#include "common/base/mem.h"

#include "stages/fetcher/gitlab/address.h"
#include "stages/fetcher/control/connect_priv.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/conn/leave.h"
#include "stages/fetcher/conn/purge.h"

static enum wh_rc set_text(struct wh_buf *to, const char *text, struct wh_err *err)
{
    wh_buf_reset(to);
    return wh_buf_append(to, wh_slice_str(text), err);
}

/* Finds a connection at the same host and path with the other scheme. Explicit ports must be equal,
 * unless a person asks for the move. */
static const struct conn *find_relation(const struct connect *k, enum address_relation relation,
                                        bool any_port, size_t *ret_n)
{
    WH_AUTO(buf) struct wh_buf own;
    WH_AUTO(buf) struct wh_buf other;
    const struct conn *found = NULL;
    struct wh_err err;

    *ret_n = 0;
    wh_buf_init(&own, ADDRESS_MAX_BYTES);
    wh_buf_init(&other, ADDRESS_MAX_BYTES);
    if (address_connection_id(wh_buf_slice(&k->instance), &own, &err) != WH_OK) {
        return NULL;
    }
    for (const struct conn *c = fetcher_next(k->f, NULL); c; c = fetcher_next(k->f, c)) {
        struct wh_slice address = wh_slice_str(conn_instance(c));

        wh_buf_reset(&other);
        if (address_relation(address, wh_buf_slice(&k->instance)) == relation &&
            (any_port || (address_connection_id(address, &other, &err) == WH_OK &&
                          wh_slice_eq(wh_buf_slice(&own), wh_buf_slice(&other))))) {
            found = c;
            (*ret_n)++;
        }
    }
    return found;
}

static enum wh_rc place_same(struct connect *k, const struct conn *c, struct wh_err *err)
{
    if (k->move) {
        return wh_fail(err, WH_E_EXISTS, "%s is at %s already; there is nothing to move",
                       conn_id(c), conn_instance(c));
    }
    if (set_text(&k->id, conn_id(c), err) != WH_OK) {
        return err->rc;
    }
    /* The stored spelling is used, because entity ids and seals are made of it. */
    return set_text(&k->instance, conn_instance(c), err);
}

static enum wh_rc place_moved(struct connect *k, struct wh_err *err)
{
    size_t n;
    const struct conn *c = find_relation(k, ADDRESS_TO_HTTPS, true, &n);

    if (c == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND,
                       "--move takes a connection from http to https on the same host and path, "
                       "and there is none; another host or path is another GitLab: connect it "
                       "without --move");
    }
    if (n > 1) {
        return wh_fail(err, WH_E_EXISTS,
                       "several connections could be moved to that address; disconnect and purge "
                       "those that are not meant");
    }
    if (leave_under_way(c) || purge_under_way(c) ||
        !credential_settled(access_credential(conn_access(c)))) {
        return wh_fail(err, WH_E_BUSY, "%s is being disconnected or refreshed; try again",
                       conn_id(c));
    }
    k->moving = true;
    if (set_text(&k->id, conn_id(c), err) != WH_OK) {
        return err->rc;
    }
    return set_text(&k->moved_from, conn_instance(c), err);
}

static enum wh_rc refuse_other_scheme(const struct connect *k, struct wh_err *err)
{
    size_t n;
    const struct conn *c = find_relation(k, ADDRESS_TO_HTTPS, false, &n);

    if (c) {
        return wh_fail(err, WH_E_EXISTS,
                       "%s is connected at %.80s. Moving it keeps its id, rows and webhook, and "
                       "takes a new approval or token: `wellhead connect %.80s --move`",
                       conn_id(c), conn_instance(c), wh_buf_str(&k->instance));
    }
    c = find_relation(k, ADDRESS_TO_HTTP, false, &n);
    if (c) {
        return wh_fail(err, WH_E_EXISTS,
                       "%s is connected at %.80s; by http its tokens would be sent unencrypted, so "
                       "it is not moved there",
                       conn_id(c), conn_instance(c));
    }
    return WH_OK;
}

static enum wh_rc place_new(struct connect *k, struct wh_err *err)
{
    struct wh_slice address = wh_buf_slice(&k->instance);

    wh_buf_reset(&k->id);
    if (address_connection_id(address, &k->id, err) != WH_OK) {
        return err->rc;
    }
    if (fetcher_find(k->f, wh_buf_slice(&k->id)) == NULL) {
        return WH_OK;
    }
    wh_buf_reset(&k->id);
    if (address_second_id(address, &k->id, err) != WH_OK) {
        return err->rc;
    }
    return fetcher_find(k->f, wh_buf_slice(&k->id)) == NULL
               ? WH_OK
               : wh_fail(err, WH_E_EXISTS, "the id %s belongs to another address",
                         wh_buf_str(&k->id));
}

enum wh_rc connect_place(struct connect *k, struct wh_err *err)
{
    for (const struct conn *c = fetcher_next(k->f, NULL); c; c = fetcher_next(k->f, c)) {
        if (address_relation(wh_slice_str(conn_instance(c)), wh_buf_slice(&k->instance)) ==
            ADDRESS_SAME) {
            return place_same(k, c, err);
        }
    }
    if (k->move) {
        return place_moved(k, err);
    }
    if (refuse_other_scheme(k, err) != WH_OK) {
        return err->rc;
    }
    return place_new(k, err);
}

enum wh_rc connect_still_fits(const struct connect *k, const struct conn *old, struct wh_err *err)
{
    struct wh_slice expected = wh_buf_slice(k->moving ? &k->moved_from : &k->instance);

    if (k->moving && old == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "the connection is gone; connect without --move");
    }
    if (old && !wh_slice_eq(wh_slice_str(conn_instance(old)), expected)) {
        return wh_fail(err, WH_E_EXISTS, "%s was connected at %.120s meanwhile; try again",
                       conn_id(old), conn_instance(old));
    }
    if (k->moving &&
        (leave_under_way(old) || !credential_settled(access_credential(conn_access(old))))) {
        return wh_fail(err, WH_E_BUSY, "%s is being disconnected or refreshed; try again",
                       conn_id(old));
    }
    return WH_OK;
}
