/*
 * convert_priv.h - converts a value of the payload into a value of a field.
 *
 * A conversion fails with an error of class POISON that names the pointer and what was expected,
 * never the value itself.
 */
#ifndef WH_MAPPER_VIEW_CONVERT_PRIV_H
#define WH_MAPPER_VIEW_CONVERT_PRIV_H

#include "stages/mapper/view/compiled_priv.h"
#include "stages/mapper/view/markdown.h"
#include "stages/mapper/view/set_aside.h"

enum view_shown { VIEW_ABSENT, VIEW_NULL, VIEW_SHOWN };

/* A value: JSON, text from a template or the event, or a time. */
struct view_found {
    enum { FOUND_JSON, FOUND_TEXT, FOUND_TIME } form;
    struct wh_json_val json;
    struct wh_slice text;
    int64_t ms;
};

/*
 * What the rules of one event share: the lines of the text that was read last, and the labels. They refer
 * to the event's document and arena.
 */
struct convert_named {
    struct wh_slice text;
    struct wh_slice key;
};

/* An operand of a rule beside the one that it is applied to. */
struct convert_with {
    enum view_shown shown;
    struct view_found found;
};

struct convert_rules {
    struct wh_buf key; /* scratch */
    struct convert_with with[WITH_COUNT];
    struct wh_slice text;
    struct markdown markdown;
    struct wh_json_val array;
    struct convert_named *labels;
    size_t n_labels;
};

/* Forgets the last event. */
void convert_rules_reset(struct convert_rules *rules);

struct view_idcache;
struct view_idcache *view_idcache_new(void);
void view_idcache_free(struct view_idcache *cache);
/* A cached wh_entity_id_make. kind must stay valid as long as the cache. */
struct wh_entity_id view_idcache_make(struct view_idcache *cache, struct wh_slice instance,
                                      struct wh_slice kind, struct wh_slice id);

struct convert {
    struct wh_arena *arena;
    struct view_idcache *ids;
    struct wh_slice instance;
    const char *pointer;          /* for messages */
    const struct view_trie *trie; /* which members the view names; NULL for what is no JSON */
    unsigned node;                /* the operand's place in it */
    struct set_aside *notes;      /* receives a note for each array element that is left out */
    struct convert_rules *rules;
};

/* Both may set VIEW_ABSENT for a value that counts as not shown. */
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

/* The child of a node of a trie by its key; 0: none. */
unsigned view_trie_child(const struct view_trie *trie, unsigned node, struct wh_slice key);
/* CONV_OTHERS: the members of an object that the view does not name, as JSON text; null without any. */
WH_MUST_CHECK enum wh_rc convert_others(const struct convert *c, const struct view_found *found,
                                        enum view_shown *ret_shown, struct wh_value *ret,
                                        struct wh_err *err);

/* All rules. Their further operands are in c->rules->with. */
WH_MUST_CHECK enum wh_rc convert_rule(const struct convert *c, const struct view_conv *conv,
                                      enum wh_field_type type, const struct view_found *found,
                                      enum view_shown *ret_shown, struct wh_value *ret,
                                      struct wh_err *err);

/* ---- shared by convert.c and convert_list.c ---- */

/* WH_E_TYPE: "<pointer>: <want> was expected, not <type of v>". */
enum wh_rc convert_wrong(const struct convert *c, const char *want, struct wh_json_val v,
                         struct wh_err *err);
/* A text, or a number as text. */
WH_MUST_CHECK enum wh_rc convert_text(const struct convert *c, struct wh_json_val v,
                                      struct wh_slice *ret, struct wh_err *err);
/* A text that is not a number is the key of an object of another tracker: "SHOP-123". */
bool convert_is_foreign(struct wh_json_val id);
/* Arrays of texts, of references, and of foreign keys: CONV_STRINGS, CONV_REFS, CONV_FOREIGN. */
WH_MUST_CHECK enum wh_rc convert_list(const struct convert *c, const struct view_conv *conv,
                                      const struct view_found *found, enum view_shown *ret_shown,
                                      struct wh_value *ret, struct wh_err *err);

#endif
