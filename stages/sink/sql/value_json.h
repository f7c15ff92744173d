/* value_json.h - writes a value of a row as JSON, in the form of all answers. Thread: any. */
#ifndef WH_SINK_SQL_VALUE_JSON_H
#define WH_SINK_SQL_VALUE_JSON_H

#include "common/json/json_write.h"
#include "stages/sink/sql/sql.h"

/* The shape is the column's. Numbers that JSON does not have become null, bytes {"$base64":true,"encoded":...}. */
void sql_value_json(struct wh_json_writer *w, const struct sql_value *v, enum sql_shape shape);

#endif
