/*
 * credential.h - the OAuth credential of one connection: held, refreshed early, never lost.
 *
 *   in use ── nearly over ── asked ── new pair ── sealed, saved, acknowledged ── in use
 *
 * A new pair is used after the connections topic has acknowledged it, and one refresh runs at a
 * time: the owner of the connection's own work refreshes, other fetchers take the new pair from the
 * topic. "invalid_grant" makes the connection need_reconnect; network faults and 5xx never do: they
 * are tried again with back-off, and the old pair stays. Thread: app.
 */
#ifndef WH_FETCHER_CREDENTIAL_H
#define WH_FETCHER_CREDENTIAL_H

#include "stages/fetcher/conn/fetcher.h"
#include "stages/fetcher/mcp/mcp.h"
#include "stages/fetcher/oauth/keep.h"

struct credential;

/* NULL: no memory. */
struct credential *credential_new(struct conn *c);
/* Drops what is under way; wipes. */
void credential_free(struct credential *cr);
/* The document has come or changed: takes its pair into use, unless it is the one in use. */
WH_MUST_CHECK enum wh_rc credential_load(struct credential *cr, struct wh_err *err);
/* The document holds the same pair in another seal. */
WH_MUST_CHECK enum wh_rc credential_sealed_again(struct credential *cr, struct wh_err *err);
/* Members have been given their parts: notes since when the connection is this one's. */
void credential_assigned(struct credential *cr);
/* A pair is there and not known to be refused. */
bool credential_there(const struct credential *cr);
/* For mcp_conf.token; ctx is the credential. */
struct wh_slice credential_access(void *ctx);
/* For mcp_conf.challenged: 401 waits for a refresh. */
bool credential_challenged(void *ctx, struct mcp_call *call, unsigned status,
                           const struct oauth_challenge *challenge);
/* GitLab refuses the pair in use (401): true when a new one is on its way. sent_ms: when the
 * refused request went out. */
bool credential_refused(struct credential *cr, int64_t sent_ms);
/* The stage stops. Completions of records are forgotten then (outbox_abandon): a pair that was on
 * its way is saved once more. */
void credential_drain(struct credential *cr);
/* A refresh is under way, or its pair is not in Kafka yet: it may be the only copy. */
bool credential_busy(const struct credential *cr);
/* "in use", "asking" GitLab for a new pair, or "saving" one into Kafka. */
const char *credential_phase(const struct credential *cr);
/* Refreshes that came to their end, and when the pair in use is over (0: not said). */
uint64_t credential_refreshes(const struct credential *cr);
int64_t credential_expires_ms(const struct credential *cr);
const struct oauth_kept *credential_kept(const struct credential *cr);
/* GitLab said that it does not know the kept client: the next approval registers another. */
bool credential_client_gone(const struct credential *cr);
/* No refresh is under way, nor a pair on its way to Kafka. */
bool credential_settled(const struct credential *cr);
/* The pair that GitLab issued last, also while it is on its way to Kafka. */
const struct oauth_tokens *credential_newest(const struct credential *cr);
/* GitLab has been asked for a new pair and has not answered. */
bool credential_asking(const struct credential *cr);
/* The pair in use, empty when there is none, and how calls about it are made: to revoke it. */
const struct oauth_tokens *credential_pair(const struct credential *cr);
const struct oauth_net *credential_net(const struct credential *cr);

#endif
