/* past_priv.h - what past.c and scan.c share. */
#ifndef WH_SINK_PAST_PRIV_H
#define WH_SINK_PAST_PRIV_H

#include "stages/sink/past/past.h"

struct past {
    struct past_conf conf;
    struct wh_buf value;
    unsigned reads;
};

/* WH_E_CANCELED when the caller must end; asks now and then. */
WH_MUST_CHECK enum wh_rc past_check(struct past *p, struct wh_err *err);

#endif
