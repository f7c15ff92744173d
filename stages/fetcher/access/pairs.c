#include "stages/fetcher/access/pairs.h"

#include "common/base/enc.h"
#include "common/base/mem.h"

enum { TEXT_MAX_BYTES = 48 << 10 };

static const char why_lost[] =
    "the answer to a request for it was lost, so it may have been issued; it cannot be revoked "
    "from here: end the application's approval in GitLab, under Applications";

static bool state_is(const struct wh_connection_pair *pair, const char *state)
{
    return wh_slice_eq(pair->state, wh_slice_str(state));
}

static struct wh_connection_pair *find(struct wh_connection *doc, const char *state)
{
    for (size_t i = 0; i < doc->n_pairs; i++) {
        if (state_is(&doc->pairs[i], state)) {
            return &doc->pairs[i];
        }
    }
    return NULL;
}

/* at_ms 0 finds a pair that was asked for at any time. */
static struct wh_connection_pair *find_asked(struct wh_connection *doc, const char *by,
                                             int64_t at_ms)
{
    for (size_t i = 0; i < doc->n_pairs; i++) {
        struct wh_connection_pair *pair = &doc->pairs[i];

        if (state_is(pair, "asked") && wh_slice_eq(pair->reason, wh_slice_str(by)) &&
            (at_ms == 0 || pair->at_ms == at_ms)) {
            return pair;
        }
    }
    return NULL;
}

static void take_out(struct wh_connection *doc, const struct wh_connection_pair *pair)
{
    size_t i = (size_t)(pair - doc->pairs);

    memmove(&doc->pairs[i], &doc->pairs[i + 1], (doc->n_pairs - i - 1) * sizeof(doc->pairs[0]));
    doc->n_pairs--;
}

/* Adds an entry. When the list is full, the oldest revoked entry is removed and only counted. */
static struct wh_connection_pair *add(const struct pairs *p, const char *state, struct wh_err *err)
{
    struct wh_connection *doc = p->doc;
    struct wh_connection_pair *revoked;

    if (doc->n_pairs == WH_CONNECTION_PAIRS_MAX) {
        revoked = find(doc, "revoked");
        if (revoked == NULL) {
            (void)wh_fail(err, WH_E_TOO_LARGE,
                          "%d token pairs are not revoked yet: end them in GitLab, under "
                          "Applications, then disconnect and purge",
                          WH_CONNECTION_PAIRS_MAX);
            return NULL;
        }
        take_out(doc, revoked);
        doc->pairs_forgotten++;
    }
    doc->pairs[doc->n_pairs] =
        (struct wh_connection_pair){.state = wh_slice_str(state), .at_ms = p->now_ms};
    return &doc->pairs[doc->n_pairs++];
}

/* Tokens are long and random, so a part of their hash identifies them and reveals nothing. */
static enum wh_rc fingerprint(const struct pairs *p, const struct oauth_tokens *tokens,
                              struct wh_slice *ret, struct wh_err *err)
{
    unsigned char digest[WH_SHA256_BYTES];
    WH_AUTO(buf) struct wh_buf hex;

    wh_buf_init(&hex, PAIR_FINGERPRINT + 1);
    if (wh_sha256(wh_buf_slice(&tokens->access), digest, err) != WH_OK ||
        wh_hex_encode(wh_slice(digest, PAIR_FINGERPRINT / 2), &hex, err) != WH_OK) {
        return err->rc;
    }
    return wh_arena_dup(p->arena, wh_buf_slice(&hex), ret, err);
}

/* ---- asked for ---- */

enum wh_rc pairs_ask(const struct pairs *p, const char *by, struct wh_slice address,
                     struct wh_err *err)
{
    struct wh_connection_pair *pair = add(p, "asked", err);

    if (pair == NULL) {
        return err->rc;
    }
    pair->reason = wh_slice_str(by);
    pair->address = address;
    return WH_OK;
}

bool pairs_asked(const struct wh_connection *doc, const char *by)
{
    for (size_t i = 0; i < doc->n_pairs; i++) {
        if (state_is(&doc->pairs[i], "asked") &&
            wh_slice_eq(doc->pairs[i].reason, wh_slice_str(by))) {
            return true;
        }
    }
    return false;
}

void pairs_answered(struct wh_connection *doc, const char *by, int64_t at_ms)
{
    const struct wh_connection_pair *pair;

    while ((pair = find_asked(doc, by, at_ms)) != NULL) {
        take_out(doc, pair);
    }
}

static void lose(struct wh_connection_pair *pair)
{
    pair->state = WH_LIT("lost");
    pair->reason = wh_slice(why_lost, sizeof(why_lost) - 1);
}

void pairs_lost(struct wh_connection *doc, const char *by, int64_t at_ms)
{
    struct wh_connection_pair *pair;

    while ((pair = find_asked(doc, by, at_ms)) != NULL) {
        lose(pair);
    }
}

void pairs_lost_before(struct wh_connection *doc, int64_t before_ms)
{
    for (size_t i = 0; i < doc->n_pairs; i++) {
        if (state_is(&doc->pairs[i], "asked") && doc->pairs[i].at_ms < before_ms) {
            lose(&doc->pairs[i]);
        }
    }
}

/* ---- issued ---- */

enum wh_rc pairs_use(const struct pairs *p, const struct oauth_tokens *tokens, struct wh_err *err)
{
    struct wh_connection_pair *pair = find(p->doc, "in_use");

    if (pair == NULL) {
        pair = add(p, "in_use", err);
    }
    if (pair == NULL) {
        return err->rc;
    }
    pair->address = p->doc->instance;
    pair->at_ms = tokens->got_at_ms;
    return fingerprint(p, tokens, &pair->fingerprint, err);
}

static enum wh_rc blob(const struct oauth_kept *kept, const struct oauth_tokens *tokens,
                       struct wh_buf *out, struct wh_err *err)
{
    if (oauth_kept_write(kept, out, err) != WH_OK || wh_buf_append_char(out, '\n', err) != WH_OK) {
        return err->rc;
    }
    return oauth_tokens_write(tokens, out, err);
}

static enum wh_rc seal_pair(const struct pairs *p, const struct oauth_kept *kept,
                            const struct oauth_tokens *tokens, struct wh_connection_pair *pair,
                            struct wh_err *err)
{
    const struct wh_seal_place place = {
        .connection = p->doc->id, .purpose = WH_CONNECTION_PAIR_PURPOSE, .address = pair->address};
    WH_AUTO(buf) struct wh_buf sealed;
    struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init(&sealed, PAIR_SEALED_MAX_BYTES);
    wh_buf_init_secret(&text, TEXT_MAX_BYTES);
    rc = blob(kept, tokens, &text, err);
    if (rc == WH_OK) {
        rc = wh_secret_seal(p->keys, &place, wh_buf_slice(&text), &sealed, err);
    }
    wh_buf_done(&text);
    return rc == WH_OK ? wh_arena_dup(p->arena, wh_buf_slice(&sealed), &pair->sealed, err) : rc;
}

enum wh_rc pairs_replace(const struct pairs *p, const struct oauth_kept *kept,
                         const struct oauth_tokens *tokens, struct wh_slice address,
                         struct wh_err *err)
{
    struct wh_slice name = wh_slice("", 0);
    struct wh_connection_pair *pair = find(p->doc, "in_use");

    if (fingerprint(p, tokens, &name, err) != WH_OK) {
        return err->rc;
    }
    if (pair == NULL || !wh_slice_eq(pair->fingerprint, name)) {
        pair = add(p, "replaced", err);
    }
    if (pair == NULL) {
        return err->rc;
    }
    pair->state = WH_LIT("replaced");
    pair->fingerprint = name;
    pair->address = address;
    pair->at_ms = tokens->got_at_ms;
    return seal_pair(p, kept, tokens, pair, err);
}

enum wh_rc pairs_end_use(const struct pairs *p, const struct oauth_tokens *tokens,
                         const char *not_revoked_why, struct wh_err *err)
{
    struct wh_connection_pair *pair;

    if (pairs_use(p, tokens, err) != WH_OK) {
        return err->rc;
    }
    pair = find(p->doc, "in_use");
    pair->state = wh_slice_str(not_revoked_why ? "not_revoked" : "revoked");
    pair->reason = wh_slice("", 0);
    return not_revoked_why
               ? wh_arena_dup(p->arena, wh_slice_str(not_revoked_why), &pair->reason, err)
               : WH_OK;
}

/* ---- to be revoked ---- */

int pairs_next(const struct wh_connection *doc)
{
    for (size_t i = 0; i < doc->n_pairs; i++) {
        if (state_is(&doc->pairs[i], "replaced")) {
            return (int)i;
        }
    }
    return -1;
}

enum wh_rc pairs_open(const struct pairs *p, const struct wh_connection_pair *pair,
                      struct wh_json_parser *parser, struct oauth_kept *ret_kept,
                      struct oauth_tokens *ret_tokens, struct wh_err *err)
{
    const struct wh_seal_place place = {
        .connection = p->doc->id, .purpose = WH_CONNECTION_PAIR_PURPOSE, .address = pair->address};
    struct wh_buf text;
    const char *end;
    enum wh_rc rc;

    wh_buf_init_secret(&text, TEXT_MAX_BYTES);
    rc = wh_secret_open(p->keys, &place, pair->sealed, &text, err);
    end = rc == WH_OK ? memchr(text.ptr, '\n', text.len) : NULL;
    if (rc == WH_OK && end == NULL) {
        rc = wh_fail(err, WH_E_INVALID, "a sealed pair is damaged");
    }
    if (rc == WH_OK) {
        size_t n = (size_t)(end - text.ptr);

        rc = oauth_kept_read(wh_slice(text.ptr, n), parser, p->arena, ret_kept, err);
        if (rc == WH_OK) {
            rc = oauth_tokens_read(wh_slice_from(wh_buf_slice(&text), n + 1), parser, ret_tokens,
                                   err);
        }
    }
    wh_buf_done(&text);
    return rc;
}

unsigned pairs_open_count(const struct wh_connection *doc)
{
    unsigned n = 0;

    for (size_t i = 0; i < doc->n_pairs; i++) {
        n += !state_is(&doc->pairs[i], "revoked");
    }
    return n;
}
