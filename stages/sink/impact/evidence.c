#include "stages/sink/impact/impact_priv.h"

const struct impact_evidence *impact_step(struct wh_arena *arena, const char *rule,
                                          const struct wh_head *head, const char *field,
                                          const struct impact_evidence *next, struct wh_err *err)
{
    int number = field ? wh_kind_field(head->body.def, wh_slice_str(field)) : IMPACT_IDENTITY;
    struct impact_evidence *step;
    void *memory = NULL;

    if (wh_arena_zalloc(arena, 1, sizeof(*step), &memory, err) != WH_OK) {
        return NULL;
    }
    step = memory;
    *step = (struct impact_evidence){
        .next = next,
        .rule = rule,
        .kind = head->body.def->kind,
        .id = head->id,
        .field = number,
        .version =
            number >= 0 && (head->body.present >> number & 1) ? head->set[number] : head->version,
    };
    return step;
}
