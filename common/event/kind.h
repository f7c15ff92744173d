/*
 * kind.h - the canonical model as a table: the kinds of entities and their fields, in wire order.
 *
 * The table mirrors schemas/observation.avsc; a unit test compares the two. Fields are append-only: a
 * new field goes to the end, with the schema version that introduced it. The codec, views, merging, SQL
 * and JSON all iterate over this table. Thread: any.
 */
#ifndef WH_EVENT_KIND_H
#define WH_EVENT_KIND_H

#include <stdint.h>

#include "common/base/slice.h"

/* Append-only: stored keys contain the numbers. */
enum wh_kind {
    WH_KIND_NONE = 0,
    WH_KIND_WORK_ITEM = 1,    /* merge request, issue, incident, task: field "type" */
    WH_KIND_BUILD_RECORD = 2, /* pipeline */
    WH_KIND_JOB = 3,
    WH_KIND_TEAM_MEMBER = 4, /* user */
    WH_KIND_PROJECT = 5,
    WH_KIND_DEPLOYMENT = 6,
    WH_KIND_ENVIRONMENT = 7,
    WH_KIND_RELEASE = 8,
    WH_KIND_MILESTONE = 9,
    WH_KIND_NOTE = 10,
    WH_KIND_MEMBERSHIP = 11, /* a team member in a project or group */
    /* Imported kinds: a company's own records (schemas/views/imports.json). */
    WH_KIND_SERVICE = 12,
    WH_KIND_CUSTOMER = 13,
    WH_KIND_SERVICE_CUSTOMER = 14, /* a customer that uses a service */
    WH_KIND_SUBSCRIPTION = 15,
    WH_KIND_PERSON = 16,            /* a row of a directory of people */
    WH_KIND_SERVICE_OWNERSHIP = 17, /* what belongs to a service */
    WH_KIND_COUNT
};

enum wh_field_type {
    WH_FIELD_STRING,
    WH_FIELD_LONG,
    WH_FIELD_DOUBLE,
    WH_FIELD_BOOL,
    WH_FIELD_TIME,    /* ms since 1970 UTC; Avro timestamp-millis */
    WH_FIELD_STRINGS, /* Avro array of string, in the order of the source */
    WH_FIELD_REF,     /* an entity id, which is a link */
    WH_FIELD_REFS,    /* entity ids, sorted, without duplicates; links */
};

#define WH_FIELDS_MAX 62 /* per kind, because field sets are bits of an Avro long */

struct wh_field_def {
    const char *name; /* snake_case; also the SQL column, the JSON key and the link's relation */
    enum wh_field_type type;
    enum wh_kind ref_kind; /* of REF and REFS */
    int since;             /* schema version */
    const char *doc;
};

struct wh_kind_def {
    enum wh_kind kind;
    const char *name;   /* "work_item" */
    const char *table;  /* "work_items" */
    const char *record; /* Avro record name "WorkItem" */
    const char *doc;
    const struct wh_field_def *fields;
    unsigned n_fields;
};

/* NULL for WH_KIND_NONE and numbers out of range. */
const struct wh_kind_def *wh_kind_def(enum wh_kind kind);
/* By name ("work_item") or table ("work_items"); NULL if unknown. */
const struct wh_kind_def *wh_kind_by_name(struct wh_slice name);
/* The index of a field; -1 if unknown. */
int wh_kind_field(const struct wh_kind_def *def, struct wh_slice name);
/* The number of fields in that schema version. */
unsigned wh_kind_fields_at(const struct wh_kind_def *def, int version);

#endif
