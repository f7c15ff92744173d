/* Which pointers and rules fill the fields, as JSON. */
#include <stdio.h>

#include "common/json/json_write.h"
#include "stages/mapper/view/compiled_priv.h"

/* The argument of a conversion: "map:visibility", "ref:issue", "line:started". */
static struct wh_slice argument(const struct view_conv *conv)
{
    const struct view_rule *rule = conv->rule;

    if (rule) {
        return rule->labels       ? rule->labels->name
               : rule->categories ? rule->categories->name
               : rule->words      ? rule->words->name
                                  : wh_slice(NULL, 0);
    }
    return conv->map                                           ? conv->map->name
           : conv->type == CONV_REF || conv->type == CONV_REFS ? conv->kind
                                                               : wh_slice(NULL, 0);
}

/* The operands of a rule that has more than one. */
static void write_with(struct wh_json_writer *w, const struct view_rule *rule)
{
    wh_jw_key(w, "with");
    wh_jw_object(w);
    for (unsigned i = 0; i < WITH_COUNT; i++) {
        const struct view_alts *alts = rule->with[i];

        if (alts == NULL) {
            continue;
        }
        wh_jw_key(w, view_with_name((enum view_with)i));
        wh_jw_array(w);
        for (unsigned k = 0; k < alts->n; k++) {
            wh_jw_str(w, wh_slice_str(alts->items[k].op.text));
        }
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_source(struct wh_json_writer *w, const struct view *view,
                         const struct view_alt *alt)
{
    const char *name = view_conv_name(alt->conv.type);
    struct wh_slice arg = argument(&alt->conv);
    char text[128];

    (void)snprintf(text, sizeof(text), "%s%s%.*s", name, arg.len ? ":" : "", WH_SLICE_ARG(arg));
    wh_jw_object(w);
    wh_jw_put_str(w, "view", view->name);
    wh_jw_put_str(w, "pointer", wh_slice_str(alt->op.text));
    wh_jw_put_str(w, alt->conv.rule ? "rule" : "conversion", wh_slice_str(text));
    if (alt->conv.rule && alt->conv.rule->with[WITH_TITLE]) {
        write_with(w, alt->conv.rule);
    }
    wh_jw_end(w);
}

static void write_field(struct wh_json_writer *w, const struct view *view,
                        const struct view_emission *em, unsigned field)
{
    for (unsigned i = 0; i < em->n_fields; i++) {
        const struct view_alts *alts = &em->fields[i].alts;

        for (unsigned k = 0; em->fields[i].field == field && k < alts->n; k++) {
            write_source(w, view, &alts->items[k]);
        }
    }
}

static void write_kind(struct wh_json_writer *w, const struct mapper_views *views,
                       const struct wh_kind_def *def)
{
    wh_jw_key(w, def->name);
    wh_jw_object(w);
    for (unsigned f = 0; f < def->n_fields; f++) {
        wh_jw_key(w, def->fields[f].name);
        wh_jw_array(w);
        for (const struct view *v = views->first; v; v = v->next) {
            for (unsigned i = 0; view_is_used(views, v) && i < v->n_emissions; i++) {
                if (v->emissions[i].def == def) {
                    write_field(w, v, &v->emissions[i], f);
                }
            }
        }
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

enum wh_rc mapper_views_describe(const struct mapper_views *views, struct wh_buf *out,
                                 struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_key(&w, "kinds");
    wh_jw_object(&w);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        write_kind(&w, views, wh_kind_def((enum wh_kind)k));
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}
