/* conf_priv.h - inside conf/ only: one assignment, wherever it comes from. */
#ifndef WH_CONF_CONF_PRIV_H
#define WH_CONF_CONF_PRIV_H

#include "common/conf/conf.h"

struct wh_conf_loader {
    const struct wh_conf_program *program;
    void *target;
};

/* where names the source for error texts: "wellhead.conf line 3", "--http.port". */
WH_MUST_CHECK enum wh_rc wh_conf_assign(struct wh_conf_loader *loader, const char *name,
                                        const char *value, const char *where, struct wh_err *err);
/* Reads a libconfig file; nested groups become dotted names. */
WH_MUST_CHECK enum wh_rc wh_conf_file_load(struct wh_conf_loader *loader, const char *path,
                                           struct wh_err *err);

#endif
