/*
 * conf_priv.h - private to conf/. conf.c reads the sources in order of precedence; conf_file.c parses
 * a file, conf_key.c assigns a value, conf_print.c prints help and values.
 */
#ifndef WH_CONF_CONF_PRIV_H
#define WH_CONF_CONF_PRIV_H

#include "common/conf/conf.h"

enum { WH_CONF_NAME_MAX = 128 };

/* The program whose keys are loaded, and the target struct. */
struct wh_conf_loader {
    const struct wh_conf_program *program;
    void *target;
};

/* ---- conf_key.c ---- */

/* The member of the target that the key sets. */
void *wh_conf_member(const struct wh_conf_loader *loader, const struct wh_conf_key *key);
/* NULL when the program has no kafka.* keys. */
struct wh_conf_pairs *wh_conf_pairs_of(const struct wh_conf_loader *loader);
/* NULL when there is no key of that name. */
const struct wh_conf_key *wh_conf_find(const struct wh_conf_program *program, const char *name);
/*
 * Sets one key, or one kafka.* pair. The ctx is a struct wh_conf_loader. where names the source for
 * error texts: "wellhead.conf line 3", "argument". WH_E_CONFIG for an unknown name and a bad value.
 */
WH_MUST_CHECK enum wh_rc wh_conf_assign(void *ctx, const char *name, const char *value,
                                        const char *where, struct wh_err *err);
/* Sets every string that a key sets to NULL, without freeing what was there. */
void wh_conf_clear(struct wh_conf_loader *loader);
/* Sets every key to its default. */
WH_MUST_CHECK enum wh_rc wh_conf_defaults(struct wh_conf_loader *loader, struct wh_err *err);

/* ---- conf_file.c ---- */

typedef enum wh_rc (*wh_conf_assign_fn)(void *ctx, const char *name, const char *value,
                                        const char *where, struct wh_err *err);
/*
 * Reads a libconfig file and calls assign for every scalar in it; names of nested groups are joined
 * with dots. WH_E_CONFIG with the line for a syntax error or a list; an error of assign ends it.
 */
WH_MUST_CHECK enum wh_rc wh_conf_file_load(const char *path, wh_conf_assign_fn assign, void *ctx,
                                           struct wh_err *err);

/* ---- conf_print.c ---- */

void wh_conf_print_help(const struct wh_conf_program *program, FILE *out);
/* The configuration in force, one key a line, with secret kafka.* values masked. */
void wh_conf_print_values(const struct wh_conf_loader *loader, FILE *out);

#endif
