/* intake_priv.h - inside the stage only: a delivery, and what the files of the core share. */
#ifndef INTAKE_PRIV_H
#define INTAKE_PRIV_H

#include "common/bus/tail.h"
#include "stages/webhook-intake/connections.h"
#include "stages/webhook-intake/intake.h"
#include "stages/webhook-intake/tally.h"

/* One request that was let in. It ends when both the request is over and Kafka has answered. */
struct delivery {
    struct wh_bus_ack ack; /* first: the record carries it */
    struct delivery *next;
    struct delivery *prev;
    struct intake *intake;
    struct wh_http_req *req; /* NULL: over, or replied to */
    bool open;               /* the server has not called on_done yet */
    bool pending;            /* Kafka has it */
    bool proved;             /* by its token, or by its signature over the whole body */
    bool held;               /* in the list below; the body is there as long as req is */
    struct delivery *held_next;
    struct intake_connection *connection; /* the stranger for an id that does not exist */
    size_t reserved;                      /* of bodies_max: what the server holds of the body */
    int64_t start_ns;
    unsigned event;
    char project[INTAKE_PROJECT_SIZE]; /* empty: none, or too long */
};

struct intake {
    struct intake_deps deps;
    struct intake_conf conf;
    char connections_topic[WH_TOPIC_MAX];
    struct intake_connections connections;
    struct wh_tail *tail; /* of the connections topic */
    struct intake_tally tally;
    struct wh_json_parser *parser;
    struct wh_buf key;
    struct wh_producer *producer; /* NULL between two */
    struct wh_watch *watch;
    struct delivery *held_first; /* not produced yet, in order of arrival */
    struct delivery *held_last;
    struct wh_timer *gather; /* runs while some are held: to the end of the turn */
    struct wh_timer *rebuild;
    struct wh_timer *tell; /* health */
    char health_topic[WH_TOPIC_MAX];
    struct wh_timer *warm; /* runs while metadata of a connection's topic is missing */
    bool producer_lost;
    struct delivery *active;
    struct delivery *pool;
    size_t n_active;
    size_t n_pool;
    size_t body_bytes;
    bool draining;
    void (*drained)(void *ctx);
    void *drained_ctx;
    bool warmed_once;
};

struct intake_refusal {
    unsigned status;
    enum intake_result result;
    const char *text;
    unsigned retry_after_s;
};

/* ---- intake.c ---- */

/* Answers if the sender is still there, and counts. */
void intake_refuse(struct delivery *d, const struct intake_refusal *why);
void intake_accept(struct delivery *d);
/* Gives the delivery back once nobody needs it. */
void intake_settle(struct delivery *d);

/* ---- admit.c: NULL, or why not ---- */

/* Whether the intake takes deliveries at all. */
const struct intake_refusal *intake_check_state(const struct intake *intake);
/*
 * From the head: *ret_proved is whether a token settled it; without that the body is needed, see
 * intake_check_body.
 */
const struct intake_refusal *intake_check_head(const struct intake *intake,
                                               const struct wh_http_req *req,
                                               const struct intake_connection *c, bool *ret_proved);
const struct intake_refusal *intake_check_body(const struct intake *intake,
                                               const struct wh_http_req *req,
                                               const struct intake_connection *c,
                                               struct wh_slice body);
/* What only a sender that has proved itself may hear about its connection. */
const struct intake_refusal *intake_check_connection(const struct intake *intake,
                                                     struct intake_connection *c);

/* ---- gather.c ---- */

/* A verified delivery with all of its body: produced when the loop has turned. */
void intake_gather(struct delivery *d);
/* Timer: produces what is held. */
void intake_gather_end(void *ctx);

/* ---- deliver.c ---- */

WH_MUST_CHECK enum wh_rc intake_producer_start(struct intake *intake, struct wh_err *err);
void intake_producer_stop(struct intake *intake);
/* Timer: a producer that is lost is replaced. */
void intake_rebuild(void *ctx);
/* Timer: tells how the webhooks of connections are, where that changed. */
void intake_tell_health(void *ctx);
/* Wraps and produces; refuses when that fails. */
void intake_deliver(struct delivery *d, struct wh_slice body);
/* Completes a delivery's record: answers the sender. */
void intake_on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery);
/* Metadata of topics that the producer has not met, for at most budget_ms; tries the rest later. */
void intake_warm(struct intake *intake, int64_t budget_ms);
/* Timer: what could not be had before, within little time. */
void intake_warm_again(void *ctx);

#endif
