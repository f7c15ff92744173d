/* References to people: a field has the account, its column shows the team member (people/book.h). */
#include "stages/sink/sql/computed_priv.h"
#include "stages/sink/sql/entity_priv.h"

/* Was the team member of items[i] that of one before? Lists are short. */
static bool is_again(const struct people_book *book, const struct wh_entity_id *items, size_t i)
{
    const struct people_member *m = people_book_member(book, &items[i]);

    for (size_t k = 0; m && k < i; k++) {
        if (people_book_member(book, &items[k]) == m) {
            return true;
        }
    }
    return false;
}

static void write_member(struct wh_json_writer *w, const struct people_book *book,
                         const struct wh_entity_id *account, bool name)
{
    const struct people_member *m = people_book_member(book, account);
    struct wh_slice called = m ? people_book_name(book, m) : wh_slice("", 0);
    char text[WH_ENTITY_ID_TEXT + 1];

    if (!name) {
        wh_jw_str(w, wh_slice_str(wh_entity_id_format(m ? &m->id : account, text)));
    } else if (called.len) {
        wh_jw_str(w, called);
    } else {
        wh_jw_null(w);
    }
}

static enum wh_rc list(struct sql_cursor *c, struct sql_out *out, const struct people_book *book,
                       const struct wh_value *value, bool name, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_buf_reset(&c->listed);
    wh_json_writer_init(&w, &c->listed);
    wh_jw_array(&w);
    for (size_t i = 0; i < value->u.refs.n; i++) {
        if (!is_again(book, value->u.refs.items, i)) {
            write_member(&w, book, &value->u.refs.items[i], name);
        }
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    sql_result_slice(out, wh_buf_slice(&c->listed));
    return WH_OK;
}

enum wh_rc sql_member_column(struct sql_cursor *c, struct sql_out *out, enum wh_field_type type,
                             const struct wh_value *value, bool name, struct wh_err *err)
{
    const struct people_book *book;
    const struct people_member *m;

    if (value->is_null) {
        sql_result_null(out);
        return WH_OK;
    }
    if (sql_conn_people(c->table->conn, &book, err) != WH_OK) {
        return err->rc;
    }
    if (type == WH_FIELD_REFS) {
        return list(c, out, book, value, name, err);
    }
    m = people_book_member(book, &value->u.ref);
    if (name) {
        sql_result_maybe(out, m ? people_book_name(book, m) : wh_slice("", 0));
    } else {
        sql_result_id(out, m ? &m->id : &value->u.ref);
    }
    return WH_OK;
}
