/*
 * entity.h - entity ids and source identities.
 *
 * id = UUIDv5(workspace namespace, instance + "/" + source kind + "/" + source id), RFC 9562. The name
 * contains the instance (normalised GitLab base address), not the connection, so reconnecting and a
 * second connection produce the same ids.
 *
 * Source kinds and ids:
 *   merge_request <id>, issue <id> (also incidents and tasks, which share its ids), pipeline <id>,
 *   job <id>, user <id>, project <id>, deployment <id>, environment <id>, milestone <id>, note <id>,
 *   release <project id>:<tag>, membership <project|group>:<id>:<user id>
 *   imported, of the instance import:<source>: service <id>, customer <id>, subscription <id>, person <id>,
 *   service_customer and service_ownership <columns of the identity, joined by ':'>
 */
#ifndef WH_EVENT_ENTITY_H
#define WH_EVENT_ENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

#define WH_ENTITY_ID_BYTES 16
#define WH_ENTITY_ID_TEXT 36

struct wh_entity_id {
    unsigned char bytes[WH_ENTITY_ID_BYTES];
};

/* Never fails. The namespace is fixed: there is one workspace per installation. */
struct wh_entity_id wh_entity_id_make(struct wh_slice instance, struct wh_slice source_kind,
                                      struct wh_slice source_id);
/* 36 characters and a NUL, lower case. Returns text. */
const char *wh_entity_id_format(const struct wh_entity_id *id, char text[WH_ENTITY_ID_TEXT + 1]);
/* WH_E_INVALID unless the text has the form 8-4-4-4-12 in hex digits. */
WH_MUST_CHECK enum wh_rc wh_entity_id_parse(struct wh_slice text, struct wh_entity_id *ret,
                                            struct wh_err *err);
int wh_entity_id_cmp(const struct wh_entity_id *a, const struct wh_entity_id *b);

/* Slices are borrowed. */
struct wh_source_id {
    struct wh_slice system;   /* "gitlab", "import" */
    struct wh_slice instance; /* "https://gitlab.example.com" */
    struct wh_slice kind;     /* source kind, see above */
    struct wh_slice project;  /* project id as text; may be empty */
    struct wh_slice id;       /* source id, see above */
    struct wh_slice iid;      /* number within the project, as text; may be empty */
    struct wh_slice url;      /* web page; may be empty */
};

#endif
