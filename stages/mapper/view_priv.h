/*
 * view_priv.h - compiled views, shared by view_load.c, view_compile.c, view_eval.c and convert.c.
 *
 * All pointers of a view live in tries, one over the document and one for each array whose elements
 * are emitted ("scope"). A node of a trie is also the slot of its value, so one walk over the
 * mapped objects finds everything:
 *
 *   "/object_attributes/id", "/object_attributes/state"      root -> object_attributes -> id
 *                                                                                      -> state
 */
#ifndef WH_MAPPER_VIEW_PRIV_H
#define WH_MAPPER_VIEW_PRIV_H

#include "common/base/arena.h"
#include "common/event/kind.h"
#include "common/event/version.h"
#include "common/json/json_doc.h"
#include "stages/mapper/set_aside.h"
#include "stages/mapper/view.h"

enum {
    VIEW_NODES_MAX = 256,
    VIEW_DEPTH_MAX = 8,
    VIEW_EMISSIONS_MAX = 24,
    VIEW_SCOPES_MAX = 8,
    VIEW_REREADS_MAX = 4,
    VIEW_ALTS_MAX = 16,
    VIEW_ID_MAX = 1024, /* bytes of a source id */
};

/* ---- tries ---- */

struct view_node {
    struct wh_slice key;
    unsigned parent;
    unsigned first_child;  /* 0: none (0 is the root, never a child) */
    unsigned next_sibling; /* 0: none */
    const char *pointer;   /* from the document's root, for messages */
    uint16_t *table;       /* children by hash of their key; 0: empty place */
    uint32_t mask;
};

struct view_trie {
    struct view_node *nodes;
    unsigned n;
};

static inline uint32_t view_key_hash(struct wh_slice key)
{
    uint32_t h = (uint32_t)key.len * 0x9E3779B1U;

    if (key.len) {
        h += (unsigned char)key.ptr[0] * 0x85EBCA6BU;
        h += (unsigned char)key.ptr[key.len - 1] * 0xC2B2AE35U;
        h += (unsigned char)key.ptr[key.len / 2] * 0x27D4EB2FU;
    }
    return h ^ h >> 15;
}

/* ---- operands: where a value comes from ---- */

enum view_op_type {
    OP_ROOT,     /* "/a/b" or "^/a/b": a pointer into the document */
    OP_ELEMENT,  /* "/a/b" below an array element */
    OP_META,     /* "@project" */
    OP_TEMPLATE, /* "=text {operand} text" */
};

enum view_meta { META_PROJECT, META_OBJECT_ID, META_OBSERVED_AT, META_INSTANCE, META_COUNT };

struct view_part;
struct view_operand {
    enum view_op_type type;
    unsigned node;
    enum view_meta meta;
    const struct view_part *parts;
    unsigned n_parts;
    const char *text; /* for messages */
};

struct view_part {
    struct wh_slice text; /* when hole is NULL */
    const struct view_operand *hole;
};

/* ---- conversions ---- */

enum view_conv_type {
    CONV_STRING,
    CONV_LOWER,  /* lower case, blanks become '_' */
    CONV_EMAIL,  /* "[REDACTED]" is not shown, "" is null */
    CONV_DATE,   /* the date of a date or a time */
    CONV_COMMIT, /* the full commit id at the end of an address; not shown where it is short */
    CONV_MAP,    /* by a table of the view files */
    CONV_LONG,
    CONV_DOUBLE,
    CONV_BOOL,
    CONV_TIME,
    CONV_STRINGS, /* array of strings, or of objects: their member `key` */
    CONV_REF,     /* id of an object of source kind `kind` */
    CONV_REFS,    /* array of ids, or of objects: their member `key` */
    CONV_FOREIGN, /* of the same arrays: the elements whose id is another tracker's key */
};

struct view_map_item {
    struct wh_slice from;
    struct wh_slice text;
    int64_t number;
};

/* A named table: "maps" and "ranks" of view files. */
struct view_map {
    struct wh_slice name;
    const struct view_map_item *items;
    unsigned n;
};

struct view_conv {
    enum view_conv_type type;
    struct wh_slice key;
    struct wh_slice kind;
    const struct view_map *map;
    struct wh_slice where_key; /* REFS: only elements whose member where_key is where_value */
    struct wh_slice where_value;
    bool foreign_kept; /* REFS: another field of the emission takes the foreign ids (FOREIGN) */
};

/* ---- emissions ---- */

struct view_cond {
    struct view_operand op;
    const struct wh_slice *values;
    unsigned n_values;
    bool unless;
};

struct view_alt {
    struct view_operand op;
    struct view_conv conv;
    const struct view_cond *conds;
    unsigned n_conds;
};

/* The first alternative that is shown counts. */
struct view_alts {
    struct view_alt *items;
    unsigned n;
};

struct view_field {
    unsigned field;
    enum wh_field_type type;
    struct view_alts alts;
};

enum view_else { ELSE_FAIL, ELSE_OBSERVED, ELSE_PARENT, ELSE_ASIDE };

struct view_version {
    struct view_alts first_of;
    struct view_alts latest_of;
    enum view_else otherwise;
    struct view_alts rank_from;
    const struct view_map *rank; /* NULL: none */
    unsigned rank_fixed;
};

struct view_emission {
    const struct wh_kind_def *def;
    int scope; /* -1: the document; else index of the array that is walked */
    bool optional;
    const struct view_cond *conds;
    unsigned n_conds;
    struct wh_slice source_kind;
    struct view_alts id;
    struct view_alts project;
    struct view_alts iid;
    struct view_alts url;
    struct view_version version;
    enum wh_change change;
    struct view_alts reason;
    const struct view_field *fields;
    unsigned n_fields;
};

struct view_scope {
    unsigned each; /* node of the document's trie that is the array */
    struct view_trie trie;
};

struct view_reread {
    struct wh_slice kind;
    struct wh_slice reason;
    struct view_alts project;
    struct view_alts id;
    const struct view_cond *conds;
    unsigned n_conds;
    int64_t within_ms;
    bool trailing;
    bool unless_emitted; /* not when the event itself emits that object */
};

struct view {
    struct wh_slice name; /* "gitlab.issue.webhook@1" */
    struct view_trie trie;
    struct view_emission *emissions;
    unsigned n_emissions;
    struct view_scope scopes[VIEW_SCOPES_MAX];
    unsigned n_scopes;
    struct view_reread rereads[VIEW_REREADS_MAX];
    unsigned n_rereads;
};

/* ---- the set ---- */

struct view_match {
    struct wh_slice kind;
    const struct view *views[WH_ORIGIN_COUNT];
    bool ignored[WH_ORIGIN_COUNT];
};

struct mapper_views {
    struct wh_arena arena;
    struct view_match *matches; /* open addressing by view_key_hash of the kind */
    uint32_t mask;
    size_t n_views;
};

/* NULL when nothing is known of that kind. */
const struct view_match *mapper_views_find(const struct mapper_views *views, struct wh_slice kind);

/* ---- loading: view_load.c reads files, view_compile.c compiles one view ---- */

struct view_named {
    struct wh_slice name;
    struct wh_json_val val;
};

struct view_loader {
    struct wh_arena *arena;
    struct wh_err *err;
    const char *file;
    struct wh_slice view; /* being compiled */
    struct view_named *defines;
    unsigned n_defines;
    struct view_map *maps;
    unsigned n_maps;
    struct view_map *ranks;
    unsigned n_ranks;
};

/* Sets WH_E_CONFIG with file and view in front; returns false. */
bool view_loader_fail(struct view_loader *l, const char *fmt, ...) WH_PRINTF(2, 3);
void *view_loader_alloc(struct view_loader *l, size_t n, size_t size);
bool view_loader_dup(struct view_loader *l, struct wh_slice text, struct wh_slice *ret);
/* By name, the last one wins. */
bool view_loader_define(const struct view_loader *l, struct wh_slice name, struct wh_json_val *ret);
const struct view_map *view_loader_map(const struct view_map *maps, unsigned n,
                                       struct wh_slice name);
/* Compiles the view object; NULL with an error. */
struct view *view_compile(struct view_loader *l, struct wh_json_val val);

/* view_alts.c: operands, conversions, conditions, tries */
struct view_place {
    struct view *view;
    int scope;              /* -1 or index */
    struct wh_slice prefix; /* pointer in front of relative ones */
};
bool view_trie_init(struct view_loader *l, struct view_trie *trie);
bool view_trie_add(struct view_loader *l, struct view_trie *trie, struct wh_slice prefix,
                   struct wh_slice pointer, const char *base, unsigned *ret_node);
/* Builds the tables; no more adding. */
bool view_trie_seal(struct view_loader *l, struct view_trie *trie);
/* type: of the field, or -1 for a text (ids, urls, reasons) */
bool view_alts_compile(struct view_loader *l, const struct view_place *place,
                       struct wh_json_val val, const struct wh_field_def *field,
                       enum view_conv_type fallback, struct view_alts *ret);
bool view_conds_compile(struct view_loader *l, const struct view_place *place,
                        struct wh_json_val object, const struct view_cond **ret, unsigned *ret_n);

/* ---- evaluation: what convert.c needs ---- */

enum view_shown { VIEW_ABSENT, VIEW_NULL, VIEW_SHOWN };

/* A value found: JSON, or text made by a template or taken from the event, or a time. */
struct view_found {
    enum { FOUND_JSON, FOUND_TEXT, FOUND_TIME } form;
    struct wh_json_val json;
    struct wh_slice text;
    int64_t ms;
};

struct view_idcache;
struct view_idcache *view_idcache_new(void);
void view_idcache_free(struct view_idcache *cache);
/* As wh_entity_id_make, remembering. kind is a text that stays as long as the cache. */
struct wh_entity_id view_idcache_make(struct view_idcache *cache, struct wh_slice instance,
                                      struct wh_slice kind, struct wh_slice id);

struct convert {
    struct wh_arena *arena;
    struct view_idcache *ids;
    struct wh_slice instance;
    const char *pointer;     /* for messages */
    struct set_aside *notes; /* single elements of arrays that are left out are noted here */
};

/* Both may answer VIEW_ABSENT for a value that counts as not shown. */
WH_MUST_CHECK enum wh_rc convert_value(const struct convert *c, const struct view_conv *conv,
                                       enum wh_field_type type, const struct view_found *found,
                                       enum view_shown *ret_shown, struct wh_value *ret,
                                       struct wh_err *err);
/* A positive whole number, or text, as text. */
WH_MUST_CHECK enum wh_rc convert_id(const struct convert *c, const struct view_found *found,
                                    bool text_allowed, enum view_shown *ret_shown,
                                    struct wh_slice *ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc convert_time(const struct convert *c, const struct view_found *found,
                                      struct wh_instant *ret, struct wh_err *err);

#endif
