/* field_json.h - writes the value of a field as JSON, in the form of all answers. Thread: any. */
#ifndef WH_SINK_SQL_FIELD_JSON_H
#define WH_SINK_SQL_FIELD_JSON_H

#include "common/event/observation.h"
#include "common/json/json_write.h"

/* Times and references become strings, lists become arrays. */
void sql_field_json(struct wh_json_writer *w, enum wh_field_type type, const struct wh_value *v);

#endif
