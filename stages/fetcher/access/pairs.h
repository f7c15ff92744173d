/*
 * pairs.h - the list of token pairs in a connection's document: each pair that GitLab has issued, or
 * may have issued, and what has become of it.
 *
 *   asked ─┬─ in_use ─── replaced ─┬─ revoked
 *          │                       └─ not_revoked   GitLab did not take the revocation
 *          └─ lost                                  the answer never reached Kafka
 *
 * "asked" is in Kafka before a pair is asked for, so that a crash between GitLab's answer and Kafka
 * leaves a trace. A refresh keeps the entry of its pair: GitLab ends the old tokens itself when it
 * issues the new ones. A replaced pair stays sealed in its entry, with the client and the address
 * that it belongs to, until GitLab has taken its revocation.
 *
 * The functions change a copy of a document, which then borrows texts from the arena; the caller makes
 * the copy the connection's document and saves it. Thread: app.
 */
#ifndef WH_FETCHER_PAIRS_H
#define WH_FETCHER_PAIRS_H

#include "common/event/connection.h"
#include "common/event/seal.h"
#include "stages/fetcher/oauth/keep.h"

/* By which a pair is asked for. */
#define PAIR_BY_REFRESH "refresh"
#define PAIR_BY_APPROVAL "approval"

enum { PAIR_FINGERPRINT = 16, PAIR_SEALED_MAX_BYTES = 48 << 10 };

/* What is needed to write a list. */
struct pairs {
    struct wh_connection *doc;
    struct wh_arena *arena;
    struct wh_keyring *keys;
    int64_t now_ms;
};

/* A pair is going to be asked for at that address. WH_E_TOO_LARGE: the list is full of pairs that
 * are not revoked. */
WH_MUST_CHECK enum wh_rc pairs_ask(const struct pairs *p, const char *by, struct wh_slice address,
                                   struct wh_err *err);
/* What was asked for in that way at that time (now_ms of pairs_ask; 0: at any) has been answered:
 * with a pair that is listed, or with none. */
void pairs_answered(struct wh_connection *doc, const char *by, int64_t at_ms);
/* Whether it was answered is not known, and will not be any more. */
void pairs_lost(struct wh_connection *doc, const char *by, int64_t at_ms);
/* The same for what was asked for before that time, in any way. */
void pairs_lost_before(struct wh_connection *doc, int64_t before_ms);
bool pairs_asked(const struct wh_connection *doc, const char *by);
/* This pair is in use, instead of the one that it is a refresh of. */
WH_MUST_CHECK enum wh_rc pairs_use(const struct pairs *p, const struct oauth_tokens *tokens,
                                   struct wh_err *err);
/* This pair is not used, or not any more, and waits for its revocation. */
WH_MUST_CHECK enum wh_rc pairs_replace(const struct pairs *p, const struct oauth_kept *kept,
                                       const struct oauth_tokens *tokens, struct wh_slice address,
                                       struct wh_err *err);
/* The pair in use is revoked, or it is not, for that reason. */
WH_MUST_CHECK enum wh_rc pairs_end_use(const struct pairs *p, const struct oauth_tokens *tokens,
                                       const char *not_revoked_why, struct wh_err *err);
/* Index of the oldest pair that waits for its revocation, or -1. */
int pairs_next(const struct wh_connection *doc);
/* Opens what is needed to revoke it. kept borrows from the arena; tokens is initialised. */
WH_MUST_CHECK enum wh_rc pairs_open(const struct pairs *p, const struct wh_connection_pair *pair,
                                    struct wh_json_parser *parser, struct oauth_kept *ret_kept,
                                    struct oauth_tokens *ret_tokens, struct wh_err *err);
/* Pairs of which it is not known that they are over. */
unsigned pairs_open_count(const struct wh_connection *doc);

#endif
