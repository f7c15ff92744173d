/*
 * labels.h - what people call the entity behind an id: columns such as author_name, project_path and
 * merge_request_url stand behind the reference that they explain. A reference to a person shows the team
 * member; author_account and such show the account that the source names. Their values are looked up when a
 * statement asks for them.
 */
#ifndef WH_SINK_SQL_LABELS_H
#define WH_SINK_SQL_LABELS_H

#include "common/event/kind.h"

struct sql_label {
    const char *field;  /* the reference */
    const char *column; /* its column */
    const char *
        of; /* the field of the other entity that is shown; NULL: its address or, of a person, the name */
    const char *account; /* of references to people: the column that shows the account; else NULL */
    const char *doc;
};

/* The address of an entity, for tables that have ids of entities of any kind. */
extern const struct sql_label sql_label_address;
/* NULL for fields that are no reference, or whose label the kind has as a field of its own. */
const struct sql_label *sql_label_of(const struct wh_field_def *field);

#endif
