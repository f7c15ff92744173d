/* entity_priv.h - how rows of a table of entities are found (entity_indexes.c), for entity_tables.c. */
#ifndef WH_SINK_SQL_ENTITY_PRIV_H
#define WH_SINK_SQL_ENTITY_PRIV_H

#include "stages/sink/sql/sql_priv.h"

enum { SQL_ENTITY_INDEXES = 13 };
extern const struct sql_index_def sql_entity_indexes[SQL_ENTITY_INDEXES];

WH_MUST_CHECK enum wh_rc sql_entity_filter(struct sql_cursor *c, unsigned index,
                                           const struct sql_bounds *bounds, struct wh_err *err);
/* The second part of an order: see struct sql_cursor. */
WH_MUST_CHECK enum wh_rc sql_entity_more(struct sql_cursor *c, bool *ret_more, struct wh_err *err);
/* True when the key is one of an index, which ends with the entity's id; otherwise it is the row's own. */
bool sql_entity_by_index(const struct sql_cursor *c);
/* Sets *ret_skip when the row belongs to the other part of the order. c->head.body is set. */
WH_MUST_CHECK enum wh_rc sql_entity_other_part(struct sql_cursor *c, bool *ret_skip,
                                               struct wh_err *err);

/* The label of the field; c->head.body is set. */
WH_MUST_CHECK enum wh_rc sql_label_column(struct sql_cursor *c, struct sql_out *out, unsigned field,
                                          struct wh_err *err);
/* The team member of a reference to an account, or their name; of a list, everybody once. */
WH_MUST_CHECK enum wh_rc sql_member_column(struct sql_cursor *c, struct sql_out *out,
                                           enum wh_field_type type, const struct wh_value *value,
                                           bool name, struct wh_err *err);
/* The label of an entity; a ptr of NULL when it is not known. Its bytes stay until the next row. */
WH_MUST_CHECK enum wh_rc sql_label_text(struct sql_cursor *c, enum wh_kind kind,
                                        const struct wh_entity_id *id,
                                        const struct sql_label *label, struct wh_slice *ret,
                                        struct wh_err *err);

/* The service or customer that claims a key, or its name; NULL when it is not one. */
WH_MUST_CHECK enum wh_rc sql_claimant_column(struct sql_cursor *c, struct sql_out *out,
                                             enum wh_kind kind, struct wh_slice key, bool name,
                                             struct wh_err *err);

#endif
