/*
 * entity.h - entity ids and source identities.
 *
 * id = UUIDv5(workspace namespace, instance + "/" + source kind + "/" + source id). The instance
 * (normalised GitLab base address), not the connection, is in the name: re-connecting or connecting
 * twice gives the same id.
 *
 * Source kinds and ids:
 *   merge_request <id>, issue <id> (incidents and tasks too: one number space), pipeline <id>,
 *   job <id>, user <id>, project <id>, deployment <id>, environment <id>, milestone <id>, note
 * <id>, release <project id>:<tag>, membership <project|group>:<id>:<user id>
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

/* Never fails. The namespace is fixed for this product version: one workspace per installation. */
struct wh_entity_id wh_entity_id_make(struct wh_slice instance, struct wh_slice source_kind,
                                      struct wh_slice source_id);
/* 36 characters and a NUL, lower case. Returns text. */
const char *wh_entity_id_format(const struct wh_entity_id *id, char text[WH_ENTITY_ID_TEXT + 1]);
/* WH_E_INVALID unless 8-4-4-4-12 hex digits. */
WH_MUST_CHECK enum wh_rc wh_entity_id_parse(struct wh_slice text, struct wh_entity_id *ret,
                                            struct wh_err *err);
int wh_entity_id_cmp(const struct wh_entity_id *a, const struct wh_entity_id *b);

/* Slices are borrowed. */
struct wh_source_id {
    struct wh_slice system;   /* "gitlab" */
    struct wh_slice instance; /* "https://gitlab.example.com" */
    struct wh_slice kind;     /* source kind, above */
    struct wh_slice project;  /* project id as text; empty where there is none */
    struct wh_slice id;       /* source id, above */
    struct wh_slice iid;      /* number within the project as text; empty where there is none */
    struct wh_slice url;      /* web page; empty when not known */
};

#endif
