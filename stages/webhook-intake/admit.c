/*
 * Who may deliver. Until a request has proved that it knows the secret of its connection, the
 * answer, and the work behind it, are the same for every connection id: an id that does not exist
 * is compared with the secrets of a stranger, which nobody knows, and what is special about a
 * connection (that it is disabled, that its topic is away) is said after the proof only.
 */
#include "stages/webhook-intake/intake_priv.h"

enum { NS_PER_S = 1000000000 };

static void read_proof(const struct wh_http_req *req, struct intake_proof *ret)
{
    *ret = (struct intake_proof){
        .id = wh_http_header(req, "webhook-id"),
        .timestamp = wh_http_header(req, "webhook-timestamp"),
        .signature = wh_http_header(req, "webhook-signature"),
        .token = wh_http_header(req, "x-gitlab-token"),
    };
}

/* A connection that lacks a secret has the stranger's in its place. */
static struct intake_secrets secrets_of(const struct intake *intake,
                                        const struct intake_connection *c)
{
    const struct intake_connection *stranger = intake->connections.stranger;

    return (struct intake_secrets){
        .key = wh_buf_slice(c->key.len && !c->sealed ? &c->key : &stranger->key),
        .token = wh_buf_slice(c->token.len && !c->sealed ? &c->token : &stranger->token),
    };
}

/*
 * Where secrets of some connection do not open, its genuine deliveries cannot be told from forged
 * ones. GitLab disables a hook for good after a few 401, so all that is not proved is then told to
 * come again.
 */
static const struct intake_refusal *not_proved(const struct intake *intake)
{
    static const struct intake_refusal unauthorized = {
        401, INTAKE_UNAUTHORIZED, "the signature or token is missing, wrong or too old", 0};
    static const struct intake_refusal sealed = {
        503, INTAKE_FAILED, "signatures and tokens cannot be checked now; try again", 60};

    return intake->connections.n_sealed ? &sealed : &unauthorized;
}

const struct intake_refusal *intake_check_state(const struct intake *intake)
{
    static const struct intake_refusal draining = {503, INTAKE_BUSY, "stopping; try again", 5};
    static const struct intake_refusal behind = {503, INTAKE_BUSY, "starting; try again", 2};

    if (intake->draining) {
        return &draining;
    }
    return wh_tail_caught_up(intake->tail) ? NULL : &behind;
}

const struct intake_refusal *intake_check_head(const struct intake *intake,
                                               const struct wh_http_req *req,
                                               const struct intake_connection *c, bool *ret_proved)
{
    const struct intake_secrets secrets = secrets_of(intake, c);
    struct intake_proof proof;
    enum intake_verdict verdict;

    read_proof(req, &proof);
    if (intake->conf.require_signature && proof.signature.ptr == NULL) {
        return not_proved(intake);
    }
    verdict = intake_verify_head(&proof, &secrets, wh_clock_now_ms(&intake->deps.clock));
    *ret_proved = verdict == INTAKE_AUTHENTIC;
    return *ret_proved || verdict == INTAKE_BODY_NEEDED ? NULL : not_proved(intake);
}

const struct intake_refusal *intake_check_body(const struct intake *intake,
                                               const struct wh_http_req *req,
                                               const struct intake_connection *c,
                                               struct wh_slice body)
{
    const struct intake_secrets secrets = secrets_of(intake, c);
    struct intake_proof proof;

    read_proof(req, &proof);
    return intake_verify_body(&proof, &secrets, body) == INTAKE_AUTHENTIC ? NULL
                                                                          : not_proved(intake);
}

const struct intake_refusal *intake_check_connection(const struct intake *intake,
                                                     struct intake_connection *c)
{
    static const struct intake_refusal disabled = {410, INTAKE_DISABLED,
                                                   "this connection is disabled", 0};
    static const struct intake_refusal away = {503, INTAKE_FAILED, "Kafka is away; try again", 5};
    int64_t now_ns;

    if (c->disabled) {
        return &disabled;
    }
    if (!c->away) {
        return NULL;
    }
    now_ns = wh_clock_mono_ns(&intake->deps.clock);
    if (now_ns < c->probe_ns) {
        return &away;
    }
    c->probe_ns = now_ns + NS_PER_S;
    return NULL;
}
