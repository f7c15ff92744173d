/*
 * record_priv.h - one record as people read it: names instead of ids, what each revision changed, relations both
 * ways, the difference of two revisions. Each answer is one snapshot of the store.
 *
 * Thread: a lane's.
 */
#ifndef WH_SINK_API_RECORD_PRIV_H
#define WH_SINK_API_RECORD_PRIV_H

#include "stages/sink/api/api_priv.h"

enum { API_RECORD_NAMES_MAX = 512, API_VERSION_TEXT = 32 };

struct api_record_name {
    struct wh_entity_id id;
    struct wh_slice name;
};

struct api_record {
    struct api_job *job;
    struct wh_store *store;
    const struct wh_snapshot *snap;
    struct wh_arena arena; /* what the answer needs */
    struct wh_entity_id id;
    const struct wh_kind_def *def;
    struct api_record_name names[API_RECORD_NAMES_MAX];
    size_t n_names;
};

/* Finds the record job->id and writes the object's members by `write`. WH_E_NOT_FOUND, WH_E_INVALID. */
WH_MUST_CHECK enum wh_rc api_record_answer(struct api_job *job,
                                           enum wh_rc (*write)(struct api_record *r,
                                                               struct wh_json_writer *w,
                                                               struct wh_err *err),
                                           struct wh_err *err);
/* What people call a record: title, name, path; its number or id when it has none of them. Lives as long as r. */
WH_MUST_CHECK enum wh_rc api_record_name(struct api_record *r, enum wh_kind kind,
                                         const struct wh_entity_id *id, struct wh_slice *ret,
                                         struct wh_err *err);
/* Writes {value, text, refs} of a field: as the API has it, as people read it, and where references lead. NULL: it
 * was not known. */
WH_MUST_CHECK enum wh_rc api_record_value(struct api_record *r, struct wh_json_writer *w,
                                          const char *key, const struct wh_field_def *field,
                                          const struct wh_value *value, struct wh_err *err);

/* 32 hex digits: order, tie. */
const char *api_version_text(struct wh_version version, char text[API_VERSION_TEXT + 1]);
bool api_version_parse(struct wh_slice text, struct wh_version *ret);

/* Members version, version_at, observed_at, stored_at, change, reason, origin, delivery_id, topic, partition, offset
 * and view of a revision. */
void api_record_provenance(struct wh_json_writer *w, const struct wh_entry *e);

/* ---- the answers: lists of the page of a record, which are its .json too ---- */

/* Revisions, the newest first; _size (50, at most 200), _next. */
WH_MUST_CHECK enum wh_rc api_answer_history(struct api_job *job, struct wh_err *err);
/* Relations in both directions, by field. */
WH_MUST_CHECK enum wh_rc api_answer_relations(struct api_job *job, struct wh_err *err);
/* The fields that differ between the revisions `from` and `to`. */
WH_MUST_CHECK enum wh_rc api_answer_diff(struct api_job *job, struct wh_err *err);

#endif
