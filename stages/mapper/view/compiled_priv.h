/*
 * compiled_priv.h - compiled views, which compile.c builds from a view file and eval.c evaluates.
 *
 * The pointers of a view are stored in tries, one for the document and one for each array whose elements
 * are emitted ("scope"). The index of a node is also the slot of its value, so one walk over the mapped
 * objects finds all values:
 *
 *   "/object_attributes/id", "/object_attributes/state"      root -> object_attributes -> id
 *                                                                                      -> state
 */
#ifndef WH_MAPPER_VIEW_COMPILED_PRIV_H
#define WH_MAPPER_VIEW_COMPILED_PRIV_H

#include "common/base/arena.h"
#include "common/event/kind.h"
#include "common/event/version.h"
#include "common/json/json_doc.h"
#include "stages/mapper/view/view.h"

enum {
    VIEW_NODES_MAX = 256,
    VIEW_DEPTH_MAX = 8,
    VIEW_EMISSIONS_MAX = 24,
    VIEW_SCOPES_MAX = 8,
    VIEW_REREADS_MAX = 4,
    VIEW_ALTS_MAX = 16,
    VIEW_ID_MAX = 1024, /* bytes of a source id */
    VIEW_TABLES_MAX = 64,
    VIEW_CATEGORIES_MAX = 64,
    VIEW_TABLE_MAX = 256, /* words or labels of a table */
};

/* ---- tries ---- */

struct view_node {
    struct wh_slice key;
    unsigned parent;
    unsigned first_child;  /* 0: none (0 is the root, never a child) */
    unsigned next_sibling; /* 0: none */
    const char *pointer;   /* from the document's root, for messages */
    uint16_t *table;       /* children by the hash of their key; 0: empty */
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

/* ---- operands ---- */

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
    CONV_UPPER,  /* upper case */
    CONV_OTHERS, /* of an object: the members that the view does not name, as JSON text */
    CONV_EMAIL,  /* "[REDACTED]" is not shown, "" is null */
    CONV_DATE,   /* the date of a date or a time */
    CONV_COMMIT, /* the full commit id at the end of an address; a short one is not shown */
    CONV_MAP,    /* by a table of the view files */
    CONV_LONG,
    CONV_MR_IID, /* the number in refs/merge-requests/<number>/...; other refs are not shown */
    CONV_DOUBLE,
    CONV_BOOL,
    CONV_TIME,
    CONV_STRINGS, /* array of strings, or of objects: their member `key` */
    CONV_REF,     /* id of an object of source kind `kind` */
    CONV_REFS,    /* array of ids, or of objects: their member `key` */
    CONV_FOREIGN, /* as REFS, but the elements whose id is another tracker's key */
    /* Rules: what a text or labels state. Null when they are shown and state nothing. */
    CONV_LINE,       /* the values of lines "Name: value" of a Markdown text */
    CONV_LIST,       /* the items below a heading of a Markdown text */
    CONV_HEADING,    /* "heading" when a Markdown text has such a heading */
    CONV_LABEL,      /* what labels mean by a table of the view files */
    CONV_MENTIONS,   /* addresses of work items that a Markdown text refers to */
    CONV_CATEGORIES, /* pairs of a category and the rule that assigns it */
    CONV_REVERTS,    /* what a merge request says that it reverts */
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

/* Words that a rule looks for: "words" of view files. */
struct view_words {
    struct wh_slice name;
    const struct wh_slice *keys; /* by wh_key_normalise; the first is preferred */
    unsigned n;
    uint64_t first[4]; /* bits: the first bytes of the keys */
};

struct view_label {
    struct wh_slice key; /* the label's key, or its beginning */
    bool begins;         /* the label continues: "service::*" */
    unsigned colons;     /* in the key */
    struct wh_slice
        value;     /* what the label means; ptr NULL: what follows the key, or the label itself */
    unsigned rank; /* labels of a lower rank are preferred */
};

/* Labels with a meaning: "labels" of view files. */
struct view_labels {
    struct wh_slice name;
    const struct view_label *items;
    unsigned n;
};

/* Further operands of a rule: "with" of an alternative. */
enum view_with {
    WITH_URL,
    WITH_TYPE,
    WITH_LABEL,
    WITH_TITLE,
    WITH_BRANCH,
    WITH_SOURCE,
    WITH_COUNT
};

struct view_alts;
/* A pattern of one input of a category; '*' stands for any text, also none. */
struct view_pattern {
    struct wh_slice key; /* by wh_key_normalise */
    enum view_with input;
};

/* A category, and what assigns it; the first pattern that matches names the rule. */
struct view_category {
    struct wh_slice name;
    const struct view_pattern *patterns; /* by input */
    unsigned n;
};

/* "categories" of view files. */
struct view_categories {
    struct wh_slice name;
    const struct view_category *items;
    unsigned n;
};

struct view_rule {
    const struct view_words *words;   /* LINE, LIST, HEADING */
    const struct view_words *nothing; /* values that mean that there is none; NULL: no such words */
    const struct view_labels *labels; /* LABEL */
    const struct view_categories *categories; /* CATEGORIES */
    const struct view_alts *with[WITH_COUNT]; /* NULL: the view names none */
};

struct view_conv {
    enum view_conv_type type;
    struct wh_slice key;
    struct wh_slice kind;
    const struct view_map *map;
    const struct view_rule *rule; /* of rules, else NULL */
    struct wh_slice where_key;    /* REFS: only elements whose member where_key is where_value */
    struct wh_slice where_value;
    bool foreign_kept; /* REFS: a FOREIGN field of the emission contains the foreign ids */
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
    unsigned group; /* operands of the same "from" have the same number */
};

/* The first alternative that is shown is used; of rules, the first one that states something. */
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

/*
 * Everything that an observation depends on besides the GitLab address: nodes of the document and of the
 * element, members of the event, and the version of the event's own object.
 */
struct view_inputs {
    uint64_t number; /* of the emission, the same in every process */
    const uint16_t *root;
    const uint16_t *element;
    unsigned n_root;
    unsigned n_element;
    bool meta[META_COUNT];
    bool parent;
    bool usable; /* false: it depends on the time of the event, or is the event's own object */
};

struct view_emission {
    const struct wh_kind_def *def;
    int scope; /* -1: the document; else the index of the array */
    bool optional;
    const struct view_cond *conds;
    unsigned n_conds;
    struct wh_slice system; /* "gitlab" unless the view says otherwise */
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
    struct view_inputs inputs;
};

struct view_scope {
    unsigned each; /* the array's node in the document's trie */
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
    bool unless_emitted; /* no reread when the event itself emits that object */
};

struct view {
    const struct view *next; /* in the order of the files */
    struct wh_slice name;    /* "gitlab.issue.webhook@1" */
    struct view_trie trie;
    struct view_emission *emissions;
    unsigned n_emissions;
    struct view_scope scopes[VIEW_SCOPES_MAX];
    unsigned n_scopes;
    struct view_reread rereads[VIEW_REREADS_MAX];
    unsigned n_rereads;
    bool asks_what_is_emitted; /* one of the rereads is unless_emitted */
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
    const struct view *first;
    unsigned edition; /* the highest of the files */
};

/* False when other views map all kinds and origins of this one. */
bool view_is_used(const struct mapper_views *views, const struct view *view);
/* "time" */
const char *view_conv_name(enum view_conv_type type);
/* "title" */
const char *view_with_name(enum view_with with);

/* NULL when no view matches or ignores that kind. */
const struct view_match *mapper_views_find(const struct mapper_views *views, struct wh_slice kind);

#endif
