#include "stages/sink/sql/computed.h"

#include "common/base/time.h"

static const struct sql_computed_def *const tables[] = {
    &sql_incident_facts,   &sql_incident_follow_ups, &sql_incident_impact,
    &sql_incident_revenue, &sql_incident_services,   &sql_postmortems,
    &sql_rollbacks,        &sql_unresolved,          &sql_team_members,
    &sql_accounts,         &sql_people_review,       &sql_decisions,
    &sql_agent_calls,
};

const struct sql_computed_def *const *sql_computed_tables(size_t *ret_n)
{
    *ret_n = sizeof(tables) / sizeof(tables[0]);
    return tables;
}

const struct sql_computed_def *sql_computed_find(struct wh_slice name)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(tables[i]->name))) {
            return tables[i];
        }
    }
    return NULL;
}

enum wh_rc sql_computed_add(struct sql_computing *c, const struct sql_value *values,
                            struct wh_err *err)
{
    size_t bytes = c->def->n_columns * sizeof(*values);
    struct sql_computed_row *row;
    void *memory = NULL;
    void *copy = NULL;

    if (wh_arena_zalloc(&c->step, 1, sizeof(*row), &memory, err) != WH_OK ||
        wh_arena_alloc(&c->step, bytes, &copy, err) != WH_OK) {
        return err->rc;
    }
    memcpy(copy, values, bytes);
    row = memory;
    row->values = copy;
    if (c->last) {
        c->last->next = row;
    } else {
        c->first = row;
    }
    c->last = row;
    return WH_OK;
}

struct sql_value sql_value_of_text(struct wh_slice text)
{
    return text.len ? (struct sql_value){.type = SQL_TEXT, .bytes = text}
                    : (struct sql_value){.type = SQL_NULL};
}

struct sql_value sql_value_of_int(int64_t i)
{
    return (struct sql_value){.type = SQL_INT, .i = i};
}

static enum wh_rc copied(struct sql_computing *c, const char *text, struct sql_value *ret,
                         struct wh_err *err)
{
    ret->type = SQL_TEXT;
    return wh_arena_dup(&c->step, wh_slice_str(text), &ret->bytes, err);
}

enum wh_rc sql_value_of_id(struct sql_computing *c, const struct wh_entity_id *id,
                           struct sql_value *ret, struct wh_err *err)
{
    char text[WH_ENTITY_ID_TEXT + 1];

    return copied(c, wh_entity_id_format(id, text), ret, err);
}

enum wh_rc sql_value_of_time(struct sql_computing *c, int64_t ms, struct sql_value *ret,
                             struct wh_err *err)
{
    char text[WH_TIME_TEXT_MAX];

    return copied(c, wh_time_format(ms, text), ret, err);
}
