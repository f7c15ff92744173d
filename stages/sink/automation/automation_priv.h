/* automation_priv.h - what the files of this room share: automation.c, rule.c, book.c, evaluate.c, deliver.c, tell.c
 * and dry_run.c. */
#ifndef WH_SINK_AUTOMATION_AUTOMATION_PRIV_H
#define WH_SINK_AUTOMATION_AUTOMATION_PRIV_H

#include <pthread.h>

#include "common/base/backoff.h"
#include "common/httpc/url.h"
#include "common/json/json_doc.h"
#include "stages/sink/automation/automation.h"

enum {
    QUEUE_MAX = 1000,  /* deliveries of a rule that wait; then its place in the log waits */
    FAILED_MAX = 1000, /* failed deliveries of a rule; then too */
    LOG_MAX = 500,     /* entries of a rule's log */
    ATTEMPTS_MAX = 20, /* about nine hours */
    TROUBLE_BYTES = 256,
    MESSAGE_ID_BYTES = 40,
    DEFINITION_MAX_BYTES = 64 << 10,
    DELIVERY_MAX_BYTES = CHANGE_JSON_MAX_BYTES + (32 << 10),
    KEY_MAX_BYTES = 1 + AUTOMATION_ID_MAX + 1 + 16,
};

/* ---- rule.c: what a rule says ---- */

/* Texts are owned; NULL where the rule has none. */
struct automation_def {
    char *id;
    char *description;
    char *table;
    char *enters;
    char *url;
    char *secret_file; /* a path, or a name in secrets_path */
    char *topic;
    bool on_enter;
    bool on_leave;
    int64_t max_age_ms; /* 0: no limit */
};

/* Checks everything but the condition. paths: a secret may be a path. */
WH_MUST_CHECK enum wh_rc automation_def_read(const struct automation_conf *conf,
                                             struct wh_json_val json, bool paths,
                                             struct automation_def *ret, struct wh_err *err);
void automation_def_done(struct automation_def *def);
/* Writes the members of the rule; with the whole address, which only the store may see, or its origin. */
void automation_def_write(const struct automation_def *def, bool whole, struct wh_json_writer *w);
/* Of what decides who matches. */
uint64_t automation_def_fingerprint(const struct automation_def *def);

/* ---- the rules ---- */

/* As the store keeps it: numbers in this order. */
struct automation_state {
    uint64_t store;    /* whose sequences these are; 0: the rule has not begun */
    uint64_t position; /* the last change that was judged */
    uint64_t generation;
    uint64_t fingerprint;
    uint64_t first; /* deliveries [first, next) wait */
    uint64_t next;
    uint64_t attempts; /* of the first one */
    uint64_t failed;   /* in the list */
    uint64_t delivered;
    uint64_t silent;  /* not told because of max_age */
    uint64_t ended;   /* 1: the target has answered 410 */
    uint64_t last_ms; /* of the last acknowledgement */
};
enum { STATE_NUMBERS = sizeof(struct automation_state) / sizeof(uint64_t) };

struct attempt;

struct automation_rule {
    struct automation_rule *next;
    struct automation_def def;
    struct change_condition *condition; /* NULL: not made yet */
    struct automation_state state;
    bool from_file;
    bool removed;        /* its thread takes it away */
    bool beginning;      /* its thread compares all records */
    int64_t judge_at_ns; /* not before, because of a trouble */
    char trouble[TROUBLE_BYTES];
    struct attempt *attempt;
    int64_t try_at_ns;
    char refusal[TROUBLE_BYTES]; /* of the last attempt; empty: it was acknowledged */
};

struct automation {
    struct automation_deps deps;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    pthread_mutex_t lock; /* protects the rules, and writing to the store */
    struct automation_rule *rules;
    size_t n_rules;
    struct change *list;     /* of its thread */
    struct wh_jitter jitter; /* of its thread */
    /* Held for a moment only, as the loop and the sink's writer take it. */
    pthread_mutex_t stir;
    pthread_cond_t work;
    bool stirred;           /* something has happened since the thread looked */
    struct attempt *given;  /* transfers for the loop to begin */
    struct attempt *flying; /* the loop's alone */
    struct wh_wake *wake;
    struct wh_counter *outcomes[3]; /* enum automation_outcome */
    struct wh_gauge *waiting;
    struct wh_gauge *failed;
};

enum automation_outcome { AUTOMATION_DELIVERED, AUTOMATION_REPEATED, AUTOMATION_FAILED };

static inline int64_t automation_now_ns(const struct automation *a)
{
    return wh_clock_mono_ns(&a->deps.clock);
}

/* NULL: there is none. With the lock. */
struct automation_rule *automation_find(struct automation *a, struct wh_slice id);
void automation_rule_free(struct automation_rule *rule);

/* ---- book.c: rules in the store; with the lock ---- */

/* Keys: type, id, 0, and 16 bytes of an entity, 8 of a number, or nothing. */
enum automation_key {
    KEY_DEFINITION = 'd',
    KEY_STATE = 's',
    KEY_MATCH = 'm', /* entity: generation 8 */
    KEY_QUEUE = 'q', /* number: one line of JSON about the delivery, then the bytes that are sent */
    KEY_FAILED = 'f', /* number: the same */
    KEY_LOG = 'l',    /* number: JSON */
};
struct automation_text {
    char bytes[KEY_MAX_BYTES];
    size_t len;
};
struct wh_slice automation_key(struct automation_text *out, enum automation_key type,
                               const struct automation_rule *rule, const void *rest, size_t n);
struct wh_slice automation_key_number(struct automation_text *out, enum automation_key type,
                                      const struct automation_rule *rule, uint64_t number);
/* Reads what the store knows of a rule that was just made. */
WH_MUST_CHECK enum wh_rc automation_state_read(struct automation *a, struct automation_rule *rule,
                                               struct wh_err *err);
WH_MUST_CHECK enum wh_rc automation_state_put(struct wh_batch *batch,
                                              const struct automation_rule *rule,
                                              const struct automation_state *state,
                                              struct wh_err *err);
WH_MUST_CHECK enum wh_rc automation_load_stored(struct automation *a, struct wh_err *err);
WH_MUST_CHECK enum wh_rc automation_load_file(struct automation *a, struct wh_err *err);
/* Stores the definition of a rule of the API. */
WH_MUST_CHECK enum wh_rc
automation_def_store(struct automation *a, const struct automation_rule *rule, struct wh_err *err);
/* Removes everything about a rule. */
WH_MUST_CHECK enum wh_rc automation_forget(struct automation *a, const struct automation_rule *rule,
                                           struct wh_err *err);
/* Visits the keys of a type of a rule, in order; backwards: the last one first. *ret_more false ends it. The slices
 * are valid during the call. */
struct automation_visit {
    enum wh_rc (*item)(void *ctx, struct wh_slice rest, struct wh_slice value, bool *ret_more,
                       struct wh_err *err);
    void *ctx;
};
WH_MUST_CHECK enum wh_rc automation_each(struct automation *a, enum automation_key type,
                                         const struct automation_rule *rule, bool backwards,
                                         const struct automation_visit *visit, struct wh_err *err);

/* ---- evaluate.c: Thread: its own, with the lock, which it gives away while it asks ---- */

/* Judges some changes for the rule. True: something was done. */
bool automation_judge(struct automation *a, struct automation_rule *rule);
/* Does it know who matched before, in this store and by this condition? */
bool automation_has_begun(const struct automation *a, const struct automation_rule *rule);
/* The id of a delivery: "msg_" and 32 hex digits. */
void automation_message_id(const struct automation_rule *rule, const struct wh_entity_id *entity,
                           struct wh_version version, bool entered, char ret[MESSAGE_ID_BYTES]);
/* Is it a change of which Wellhead learned too late for the rule to tell? */
WH_MUST_CHECK enum wh_rc automation_is_silent(struct automation *a,
                                              const struct automation_def *def,
                                              const struct change *change, bool *ret,
                                              struct wh_err *err);

/* ---- deliver.c ---- */

/* Settles an attempt that has ended, or begins one that is due. True: something was done. Thread: its own, with the
 * lock. */
bool automation_deliver(struct automation *a, struct automation_rule *rule);
/* When the thread must look again although nothing happens; INT64_MAX: never. */
int64_t automation_due_ns(const struct automation *a, const struct automation_rule *rule);
/* Starts the transfers that were given. Thread: loop. ctx is the automation. */
void automation_fly(void *ctx);
/* Cancels all. Thread: loop, after its own has ended. */
void automation_land(struct automation *a);

#endif
