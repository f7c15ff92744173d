/*
 * loader_priv.h - compiling view files, file by file and view by view.
 *
 *   load.c     finds the files and reads them in two passes
 *   compile.c  compiles one view: its emissions and rereads
 *   alts.c     compiles operands, conversions and conditions
 *   rules.c    tables of words and labels, and operands of rules
 *   categories.c  tables of categories
 *   inputs.c   collects what an emission depends on
 *   trie.c     stores the pointers of a view
 *   loader.c   memory, errors and names
 *
 * A function that returns false has set the loader's error.
 */
#ifndef WH_MAPPER_VIEW_LOADER_PRIV_H
#define WH_MAPPER_VIEW_LOADER_PRIV_H

#include "stages/mapper/view/compiled_priv.h"

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
    struct view_words *words;
    unsigned n_words;
    struct view_labels *labels;
    unsigned n_labels;
    struct view_categories *categories;
    unsigned n_categories;
    struct wh_buf key;
    const struct view **last; /* where the next view is linked */
};

/* Sets WH_E_CONFIG with a message that names file and view; returns false. */
bool view_loader_fail(struct view_loader *l, const char *fmt, ...) WH_PRINTF(2, 3);
void *view_loader_alloc(struct view_loader *l, size_t n, size_t size);
bool view_loader_dup(struct view_loader *l, struct wh_slice text, struct wh_slice *ret);
/* Finds a definition by name; the last one wins. */
bool view_loader_define(const struct view_loader *l, struct wh_slice name, struct wh_json_val *ret);
const struct view_map *view_loader_map(const struct view_map *maps, unsigned n,
                                       struct wh_slice name);
/* Adds a table of "words" or "labels". A later table of the same name replaces it. */
bool view_words_add(struct view_loader *l, struct wh_slice name, struct wh_json_val array);
bool view_labels_add(struct view_loader *l, struct wh_slice name, struct wh_json_val table);
/* The same for "categories". */
bool view_categories_add(struct view_loader *l, struct wh_slice name, struct wh_json_val table);
/* The last table of that name; NULL: there is none. */
const struct view_categories *view_categories_find(const struct view_loader *l,
                                                   struct wh_slice name);
/* The key of a word, a label or a pattern; an empty one, which matches everything, is an error. */
bool view_loader_key(struct view_loader *l, struct wh_slice text, struct wh_slice *ret);
/* The operand of a rule by its name; WITH_COUNT: there is none. */
enum view_with view_with_find(struct wh_slice name);
/* The tables that a rule uses, which are found by name. */
bool view_rule_compile(struct view_loader *l, struct wh_slice name, struct view_conv *conv);
/* Compiles a view object; NULL on error. */
struct view *view_compile(struct view_loader *l, struct wh_json_val val);

struct view_place {
    struct view *view;
    int scope;              /* -1 or index */
    struct wh_slice prefix; /* prefix of relative pointers */
};
bool view_trie_init(struct view_loader *l, struct view_trie *trie);
bool view_trie_add(struct view_loader *l, struct view_trie *trie, struct wh_slice prefix,
                   struct wh_slice pointer, const char *base, unsigned *ret_node);
/* Builds the hash tables; nothing can be added afterwards. */
bool view_trie_seal(struct view_loader *l, struct view_trie *trie);
/* type: the field's type, or -1 for a text (ids, urls, reasons) */
bool view_alts_compile(struct view_loader *l, const struct view_place *place,
                       struct wh_json_val val, const struct wh_field_def *field,
                       enum view_conv_type fallback, struct view_alts *ret);
/* The further operands of a rule. */
bool view_with_compile(struct view_loader *l, const struct view_place *place,
                       struct wh_json_val object, struct view_conv *conv);
bool view_conds_compile(struct view_loader *l, const struct view_place *place,
                        struct wh_json_val object, const struct view_cond **ret, unsigned *ret_n);

/* Fills e->inputs of a compiled emission of the view. */
bool view_inputs_compile(struct view_loader *l, const struct view *view, struct view_emission *e);

#endif
