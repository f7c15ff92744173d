/* Tables about who is who: what is to be reviewed, and what was decided. */
#include "common/text/key.h"
#include "stages/sink/sql/people_priv.h"

/* ---- reviews ---- */

enum { V_KEY, V_RULE, V_LEFT, V_LEFT_NAME, V_RIGHT, V_RIGHT_NAME, V_SINCE, V_COLUMNS };

static const struct sql_column review_columns[V_COLUMNS] = {
    {"key", "TEXT", SQL_SHAPE_PLAIN, "what both have: account:, email:, username: or name:"},
    {"rule", "TEXT", SQL_SHAPE_PLAIN,
     "account, email, username: the key joins nobody; name: they may be one"},
    {"left", "TEXT", SQL_SHAPE_PLAIN, "one team member"},
    {"left_name", "TEXT", SQL_SHAPE_PLAIN, "their name"},
    {"right", "TEXT", SQL_SHAPE_PLAIN, "the other"},
    {"right_name", "TEXT", SQL_SHAPE_PLAIN, "their name"},
    {"since", "TEXT", SQL_SHAPE_TIME, "since when both have it"},
};

/* The key as others write it: with its kind in front; addresses and names in the form of all keys. */
static enum wh_rc key_value(struct sql_computing *c, const struct people_review *v,
                            struct sql_value *ret, struct wh_err *err)
{
    struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init(&text, SQL_TEXT_MAX_BYTES);
    rc = wh_buf_printf(&text, err, "%s:", people_rule_name(v->rule));
    if (rc == WH_OK) {
        rc = v->rule == PEOPLE_RULE_ACCOUNT ? wh_buf_append(&text, v->key, err)
                                            : wh_key_normalise(v->key, &text, err);
    }
    rc = rc == WH_OK ? sql_people_text(c, wh_buf_slice(&text), ret, err) : rc;
    wh_buf_done(&text);
    return rc;
}

static enum wh_rc reviews_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    struct sql_people_reading *r = c->state;
    const struct people *p = &r->book->people;
    const struct people_review *v = &p->reviews[r->at];
    struct sql_value row[V_COLUMNS] = {0};

    *ret_end = r->at >= p->n_reviews;
    if (*ret_end) {
        return WH_OK;
    }
    r->at++;
    row[V_RULE] = sql_people_word(people_rule_name(v->rule));
    row[V_LEFT_NAME] = sql_value_of_text(people_book_name(r->book, &p->members[v->left]));
    row[V_RIGHT_NAME] = sql_value_of_text(people_book_name(r->book, &p->members[v->right]));
    if (key_value(c, v, &row[V_KEY], err) != WH_OK ||
        sql_value_of_id(c, &p->members[v->left].id, &row[V_LEFT], err) != WH_OK ||
        sql_value_of_id(c, &p->members[v->right].id, &row[V_RIGHT], err) != WH_OK ||
        sql_people_time(c, v->since_ms, &row[V_SINCE], err) != WH_OK) {
        return err->rc;
    }
    return sql_computed_add(c, row, err);
}

const struct sql_computed_def sql_people_review = {
    .name = "people_review",
    .columns = review_columns,
    .n_columns = V_COLUMNS,
    .rows = 100,
    .start = sql_people_start,
    .step = reviews_step,
};

/* ---- decisions ---- */

enum {
    D_ID,
    D_AT,
    D_WHO,
    D_ACTION,
    D_SUBJECT,
    D_SUBJECT_NAME,
    D_OBJECT,
    D_OBJECT_NAME,
    D_WHY,
    D_UNDONE_AT,
    D_COLUMNS
};

static const struct sql_column decision_columns[D_COLUMNS] = {
    {"id", "TEXT", SQL_SHAPE_PLAIN, "the decision"},
    {"at", "TEXT", SQL_SHAPE_TIME, "when it was made"},
    {"who", "TEXT", SQL_SHAPE_PLAIN, "who made it"},
    {"action", "TEXT", SQL_SHAPE_PLAIN, "merge, split or undo"},
    {"subject", "TEXT", SQL_SHAPE_PLAIN, "an account or a row; of undo: the decision"},
    {"subject_name", "TEXT", SQL_SHAPE_PLAIN, "name of its team member now"},
    {"object", "TEXT", SQL_SHAPE_PLAIN, "of merge: the other one"},
    {"object_name", "TEXT", SQL_SHAPE_PLAIN, "name of its team member now"},
    {"why", "TEXT", SQL_SHAPE_PLAIN, "the reason that was given"},
    {"undone_at", "TEXT", SQL_SHAPE_TIME, "when it was undone; NULL: it counts"},
};

static struct sql_value name_by_id(const struct people_book *b, const struct wh_entity_id *id)
{
    const struct people_member *m = people_book_member(b, id);

    return m ? sql_value_of_text(people_book_name(b, m)) : (struct sql_value){.type = SQL_NULL};
}

static enum wh_rc decisions_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    struct sql_people_reading *r = c->state;
    const struct people_book *b = r->book;
    const struct wh_decision *d = &b->decisions[r->at];
    const struct people_decision *p = &b->in.decisions[r->at];
    size_t undone = b->people.undone_by[r->at];
    struct sql_value row[D_COLUMNS] = {0};

    *ret_end = r->at >= b->in.n_decisions;
    if (*ret_end) {
        return WH_OK;
    }
    r->at++;
    row[D_ID] = sql_value_of_text(d->id);
    row[D_WHO] = sql_value_of_text(d->who);
    row[D_ACTION] = sql_people_word(wh_action_name(d->action));
    row[D_SUBJECT] = sql_value_of_text(d->subject);
    row[D_SUBJECT_NAME] = name_by_id(b, &p->subject);
    row[D_OBJECT] = sql_value_of_text(d->object);
    row[D_OBJECT_NAME] = name_by_id(b, &p->object);
    row[D_WHY] = sql_value_of_text(d->why);
    if (sql_value_of_time(c, d->at_ms, &row[D_AT], err) != WH_OK ||
        (undone != PEOPLE_NONE &&
         sql_value_of_time(c, b->decisions[undone].at_ms, &row[D_UNDONE_AT], err) != WH_OK)) {
        return err->rc;
    }
    return sql_computed_add(c, row, err);
}

const struct sql_computed_def sql_decisions = {
    .name = "decisions",
    .columns = decision_columns,
    .n_columns = D_COLUMNS,
    .rows = 100,
    .start = sql_people_start,
    .step = decisions_step,
};
