/*
 * credential.h - the OAuth credential of one connection. It holds a token pair, refreshes the pair
 * before it expires (RFC 6749, section 6), and never loses one that GitLab has issued.
 *
 *   in use ── nearly over ── requested ── new pair ── sealed, saved, acknowledged ── in use
 *
 * A new pair is used only after the connections topic has acknowledged it, and one refresh runs at a
 * time: the member that owns the connection refreshes; the others take the new pair from the topic.
 * "invalid_grant" ends the approval (ACCESS_ENDED). Network faults and answers 5xx never do: the
 * refresh is repeated with back-off, and the old pair stays in use. Thread: app.
 */
#ifndef WH_FETCHER_CREDENTIAL_H
#define WH_FETCHER_CREDENTIAL_H

#include "stages/fetcher/access/access_env.h"
#include "stages/fetcher/mcp/mcp.h"
#include "stages/fetcher/oauth/keep.h"

struct credential;

/* env is borrowed until credential_free; its on_changed is not called, on_changed here is. Returns
 * NULL without memory, and when env->instance is not an address. */
struct credential *
credential_new(const struct access_env *env,
               void (*on_changed)(void *ctx, enum access_event what, const char *why), void *ctx);
/* Cancels a request that is under way and wipes the tokens. Accepts NULL. */
void credential_free(struct credential *cr);
/* The document is new or has changed: takes its pair into use, unless that pair is in use already.
 * WH_E_AUTH: a secret does not open with the keys. */
WH_MUST_CHECK enum wh_rc credential_load(struct credential *cr, struct wh_err *err);
/* The document now holds the same pair, sealed again. */
WH_MUST_CHECK enum wh_rc credential_sealed_again(struct credential *cr, struct wh_err *err);
/* The connections have been shared out again: notes whether this member has taken this one over. */
void credential_assigned(struct credential *cr);
/* Returns true when there is a pair whose approval GitLab has not ended. */
bool credential_there(const struct credential *cr);
/* For mcp_conf.token: the access token in use; ctx is the credential. */
struct wh_slice credential_access(void *ctx);
/* For mcp_conf.challenged: returns true when the call waits for a refresh (401). */
bool credential_challenged(void *ctx, struct mcp_call *call, unsigned status,
                           const struct oauth_challenge *challenge);
/* GitLab has refused the pair in use (401). Returns true when a new one is on its way. sent_ms: when
 * the refused request was sent. */
bool credential_refused(struct credential *cr, int64_t sent_ms);
/* The stage stops, and no record of before is completed any more (outbox_abandon): a pair that was
 * on its way to Kafka is saved again. */
void credential_drain(struct credential *cr);
/* A refresh is under way, or its pair is not in Kafka yet: this may be the only copy. */
bool credential_busy(const struct credential *cr);
/* Returns "in use", "asking" (a new pair is requested) or "saving" (it is written to Kafka). */
const char *credential_phase(const struct credential *cr);
/* Number of refreshes that have succeeded. */
uint64_t credential_refreshes(const struct credential *cr);
/* When the pair in use expires (ms since 1970); 0 when GitLab did not say. */
int64_t credential_expires_ms(const struct credential *cr);
/* The client registration and endpoints that belong to the pair. */
const struct oauth_kept *credential_kept(const struct credential *cr);
/* GitLab has answered that it does not know the kept client: the next approval registers another. */
bool credential_client_gone(const struct credential *cr);
/* No refresh is under way, and no pair is on its way to Kafka. */
bool credential_settled(const struct credential *cr);
/* The pair that GitLab issued last, even while it is still on its way to Kafka. */
const struct oauth_tokens *credential_newest(const struct credential *cr);
/* GitLab has been asked for a new pair and has not answered. */
bool credential_asking(const struct credential *cr);
/* The pair in use; empty when there is none. */
const struct oauth_tokens *credential_pair(const struct credential *cr);
/* How requests about the pair are sent, for its revocation. */
const struct oauth_net *credential_net(const struct credential *cr);

#endif
