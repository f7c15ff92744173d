/*
 * view.h - data views, which define how a raw event becomes observations (schemas/views/README.md).
 *
 *   files -> mapper_views_load -> compiled set (read-only, shared)
 *   raw event -> mapper_eval_map -> observations and rereads, handed to a mapper_out
 *
 * Mapping is pure: the result depends on the raw event and the views alone, not on earlier events, unless
 * the receiver knows an observation already.
 * Thread: an evaluator belongs to one thread; a set may be shared.
 */
#ifndef WH_MAPPER_VIEW_H
#define WH_MAPPER_VIEW_H

#include "common/base/buf.h"
#include "common/event/observation.h"
#include "common/event/raw_event.h"

struct mapper_views;
struct mapper_eval;

/*
 * Compiles the embedded views and, unless dir is NULL or "", the *.json files of dir, which override
 * them. WH_E_CONFIG names file, view and reason.
 */
WH_MUST_CHECK enum wh_rc mapper_views_load(const char *dir, struct mapper_views **ret,
                                           struct wh_err *err);
/* The same, and a file over all of them; file NULL: none. */
WH_MUST_CHECK enum wh_rc mapper_views_load_over(const char *dir, const char *file,
                                                struct mapper_views **ret, struct wh_err *err);
/* Compiles one text instead of the embedded views, for tests. */
WH_MUST_CHECK enum wh_rc mapper_views_load_text(struct wh_slice text, struct mapper_views **ret,
                                                struct wh_err *err);
void mapper_views_free(struct mapper_views *views);
size_t mapper_views_count(const struct mapper_views *views);
/* The highest "edition" of the files; 0: none has one. */
unsigned mapper_views_edition(const struct mapper_views *views);
/*
 * Appends what fills the fields of each kind: {"kinds":{KIND:{FIELD:[{"view","pointer","conversion" or
 * "rule","with"}]}}}. Views that others override completely are left out.
 */
WH_MUST_CHECK enum wh_rc mapper_views_describe(const struct mapper_views *views, struct wh_buf *out,
                                               struct wh_err *err);

/* A request to read an object again. The slices are valid during the call. */
struct mapper_reread {
    struct wh_slice kind;
    struct wh_slice project;
    struct wh_slice id;
    struct wh_slice reason;
    int64_t within_ms; /* repeated requests within this time count as one */
    bool trailing;     /* a repeated request is published once more when the time is over */
};

/*
 * Receives the results. An error of a callback ends the mapping and is returned.
 *
 * inputs is a hash of all that an observation of a nested object depends on: the same inputs always
 * yield the same observation, except for its provenance. 0 for the event's own object, and where there
 * is no such hash. known, which may be NULL, is asked before the object is evaluated; true means that
 * it need not be, because its observation is known.
 */
struct mapper_out {
    bool (*known)(void *ctx, uint64_t inputs);
    enum wh_rc (*observation)(void *ctx, const struct wh_observation *o, uint64_t inputs,
                              struct wh_err *err);
    enum wh_rc (*reread)(void *ctx, const struct mapper_reread *r, struct wh_err *err);
    void *ctx;
};

enum mapper_outcome { MAPPER_MAPPED, MAPPER_IGNORED };

/* NULL when out of memory. views must outlive it. */
struct mapper_eval *mapper_eval_new(const struct mapper_views *views, size_t max_bytes,
                                    size_t max_depth);
void mapper_eval_free(struct mapper_eval *eval);
/*
 * Maps one event. `at` has topic, partition and offset of the raw record; the other members are filled
 * here. An error of class POISON names the pointer and the problem; WH_E_UNKNOWN_KIND: no view matches
 * this origin and kind.
 */
WH_MUST_CHECK enum wh_rc mapper_eval_map(struct mapper_eval *eval, const struct wh_raw_event *e,
                                         const struct wh_provenance *at,
                                         const struct mapper_out *out,
                                         enum mapper_outcome *ret_outcome, struct wh_err *err);

#endif
