/* shadow_text.h - a field's value as people read it. */
#ifndef WH_MAPPER_SHADOW_TEXT_H
#define WH_MAPPER_SHADOW_TEXT_H

#include "common/event/observation.h"

/*
 * The beginning of the value's text, and a hash of all of it. The caller frees it with wh_mem_free; NULL: no
 * memory.
 */
char *shadow_text(enum wh_field_type type, const struct wh_value *v, uint64_t *ret_hash);

#endif
