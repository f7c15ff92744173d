#include "stages/sink/impact/impact_priv.h"

enum wh_rc impact_add_step(struct wh_arena *arena, const char *rule, const struct wh_head *head,
                           const char *field, const struct impact_step *next,
                           const struct impact_step **ret, struct wh_err *err)
{
    int number = field ? wh_kind_field(head->body.def, wh_slice_str(field)) : IMPACT_IDENTITY;
    bool shown = number >= 0 && (head->body.present >> number & 1);
    struct impact_step *step;
    void *memory = NULL;

    if (wh_arena_zalloc(arena, 1, sizeof(*step), &memory, err) != WH_OK) {
        return err->rc;
    }
    step = memory;
    *step = (struct impact_step){
        .next = next,
        .rule = rule,
        .kind = head->body.def->kind,
        .id = head->id,
        .field = number,
        .version = shown ? head->set[number] : head->version,
    };
    *ret = step;
    return WH_OK;
}

enum wh_rc impact_join_steps(struct wh_arena *arena, const struct impact_step *first,
                             const struct impact_step *then, const struct impact_step **ret,
                             struct wh_err *err)
{
    const struct impact_step **at = ret;

    *ret = then;
    for (; first; first = first->next) {
        struct impact_step *copy;
        void *memory = NULL;

        if (wh_arena_alloc(arena, sizeof(*copy), &memory, err) != WH_OK) {
            return err->rc;
        }
        copy = memory;
        *copy = *first;
        copy->next = then;
        *at = copy;
        at = &copy->next;
    }
    return WH_OK;
}
