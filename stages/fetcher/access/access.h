/*
 * access.h - the access to one connection's GitLab: its credentials, the REST client and the MCP
 * session that use them, and the choice of the source that serves each stream.
 *
 * There is a REST client once a read_api token or an approval is there, and an MCP session once an
 * approval is there. A read_api token comes before an approval; an approval goes on when GitLab
 * refuses the token. The connection hears of changes through access_env.on_changed. Thread: app.
 */
#ifndef WH_FETCHER_ACCESS_H
#define WH_FETCHER_ACCESS_H

#include "stages/fetcher/access/access_env.h"
#include "stages/fetcher/access/credential.h"
#include "stages/fetcher/access/revoke.h"
#include "stages/fetcher/access/sources.h"
#include "stages/fetcher/gitlab/client.h"
#include "stages/fetcher/mcp/mcp.h"

struct access;

/* env is copied; what it points to is borrowed until access_free. Returns NULL without memory, and
 * when env->instance is not an address. */
struct access *access_new(const struct access_env *env);
/* Drops everything that is under way, without callbacks. Accepts NULL. */
void access_free(struct access *a);
/* The document is new or has changed: takes its credentials into use. WH_E_AUTH: a secret does not
 * open with the keys; WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc access_load(struct access *a, struct wh_err *err);
/* Ends the open REST requests as CLIENT_FAILED; none begins until credentials are loaded again. */
void access_stop(struct access *a);
/* No REST request is open, and the credential is settled. */
bool access_idle(const struct access *a);
/* Frees the client and the MCP session; the credential stays until the document forgets it. */
void access_forget(struct access *a);
/* The stage stops: frees the client and the MCP session, cancels waits for sources, and saves a
 * token pair that was on its way to Kafka again. */
void access_drain(struct access *a);
/* A read_api token is there, and GitLab has not refused it. */
bool access_has_token(const struct access *a);
/* GitLab has refused the read_api token that the document holds. */
bool access_token_refused(const struct access *a);
/* GitLab refuses the read_api token. Returns true when an approval is there to go on with. */
bool access_drop_token(struct access *a);

/* How many requests were sent to GitLab, by REST and by MCP, since the access was made. */
uint64_t access_requests(const struct access *a);
/* The parts, which live as long as the access. */
struct credential *access_credential(const struct access *a);
struct sources *access_sources(const struct access *a);
struct revoke *access_revoke(const struct access *a);
/* NULL while no credential needs one. Both may be freed by access_forget and access_drain. */
struct client *access_client(const struct access *a);
struct mcp *access_mcp(const struct access *a);

#endif
