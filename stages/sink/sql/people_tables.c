/* Tables of people: team members and their accounts. */
#include "stages/sink/sql/people_priv.h"

/* ---- one thing at a time ---- */

enum { KEY_ID = 0 };

enum wh_rc sql_people_start(struct sql_computing *c, int key, struct wh_slice value,
                            struct wh_err *err)
{
    struct sql_people_reading *r;
    struct wh_entity_id id;
    struct wh_err ignored;
    void *memory = NULL;

    if (wh_arena_zalloc(&c->kept, 1, sizeof(*r), &memory, err) != WH_OK) {
        return err->rc;
    }
    r = memory;
    r->node = PEOPLE_NONE;
    c->state = r;
    if (sql_conn_people(c->conn, &r->book, err) != WH_OK) {
        return err->rc;
    }
    if (key >= 0) {
        size_t node = wh_entity_id_parse(value, &id, &ignored) == WH_OK
                          ? people_book_find(r->book, &id)
                          : PEOPLE_NONE;

        r->none = node == PEOPLE_NONE;
        r->m = r->none ? NULL : &r->book->people.members[r->book->people.nodes[node].member];
        r->node = key == KEY_ID ? node : PEOPLE_NONE;
    }
    return WH_OK;
}

enum wh_rc sql_people_text(struct sql_computing *c, struct wh_slice text, struct sql_value *ret,
                           struct wh_err *err)
{
    struct wh_slice copy;

    *ret = (struct sql_value){.type = SQL_NULL};
    if (text.len == 0) {
        return WH_OK;
    }
    if (wh_arena_dup(&c->step, text, &copy, err) != WH_OK) {
        return err->rc;
    }
    *ret = sql_value_of_text(copy);
    return WH_OK;
}

struct sql_value sql_people_word(const char *text)
{
    return text ? sql_value_of_text(wh_slice_str(text)) : (struct sql_value){.type = SQL_NULL};
}

enum wh_rc sql_people_time(struct sql_computing *c, int64_t ms, struct sql_value *ret,
                           struct wh_err *err)
{
    *ret = (struct sql_value){.type = SQL_NULL};
    return ms == 0 ? WH_OK : sql_value_of_time(c, ms, ret, err);
}

/* ---- what the source shows of an account, or of a row ---- */

#define FIELD_COLUMNS                                                                              \
    {"avatar_url", "TEXT", SQL_SHAPE_PLAIN, "picture"},                                            \
        {"bot", "INTEGER", SQL_SHAPE_BOOL, "the source says that it is no person"},                \
        {"admin", "INTEGER", SQL_SHAPE_BOOL, "administrator, where the token may see it"},         \
        {"created_at", "TEXT", SQL_SHAPE_TIME, "when the account was made"},                       \
        {"location", "TEXT", SQL_SHAPE_PLAIN, "free text"},                                        \
        {"organization", "TEXT", SQL_SHAPE_PLAIN, "free text"},                                    \
        {"job_title", "TEXT", SQL_SHAPE_PLAIN, "free text"},                                       \
    {                                                                                              \
        "locked", "INTEGER", SQL_SHAPE_BOOL, "sign-in locked"                                      \
    }

#define IDENTITY_COLUMNS                                                                           \
    {"source_system", "TEXT", SQL_SHAPE_PLAIN, "where it comes from: gitlab, import"},             \
        {"source_kind", "TEXT", SQL_SHAPE_PLAIN, "the source's kind of object"},                   \
        {"source_project_id", "TEXT", SQL_SHAPE_PLAIN, "the source's project id"},                 \
        {"source_id", "TEXT", SQL_SHAPE_PLAIN, "the source's id"},                                 \
        {"source_iid", "TEXT", SQL_SHAPE_PLAIN, "the source's number within the project"},         \
        {"url", "TEXT", SQL_SHAPE_PLAIN, "its page at the source"},                                \
        {"deleted", "INTEGER", SQL_SHAPE_BOOL, "gone at the source"},                              \
        {"deleted_reason", "TEXT", SQL_SHAPE_PLAIN, "deleted, lost_access, ..."},                  \
        {"deleted_at", "TEXT", SQL_SHAPE_TIME, "version time of the deletion"},                    \
        {"version", "TEXT", SQL_SHAPE_PLAIN, "newest version: 32 hex digits in version order"},    \
        {"version_at", "TEXT", SQL_SHAPE_TIME, "time of the newest version at the source"},        \
        {"changed_at", "TEXT", SQL_SHAPE_TIME, "last change at the source"},                       \
        {"first_seen", "TEXT", SQL_SHAPE_TIME, "first observation"},                               \
    {                                                                                              \
        "last_seen", "TEXT", SQL_SHAPE_TIME, "last observation, to ten minutes"                    \
    }

enum {
    I_SYSTEM,
    I_KIND,
    I_PROJECT,
    I_ID,
    I_IID,
    I_URL,
    I_DELETED,
    I_DELETED_REASON,
    I_DELETED_AT,
    I_VERSION,
    I_VERSION_AT,
    I_CHANGED_AT,
    I_FIRST_SEEN,
    I_LAST_SEEN,
    IDENTITY_N,
};
enum { FIELDS_N = 8 };

static enum wh_rc version_value(struct sql_computing *c, struct wh_version v, struct sql_value *ret,
                                struct wh_err *err)
{
    char text[SQL_VERSION_TEXT + 1];

    return sql_people_text(c, wh_slice_str(sql_version_format(v, text)), ret, err);
}

static enum wh_rc field_value(struct sql_computing *c, const struct wh_head *head,
                              const char *field, struct sql_value *ret, struct wh_err *err)
{
    const struct wh_value *v = past_field(head, field);
    int i = wh_kind_field(head->body.def, wh_slice_str(field));
    struct wh_slice text;

    if (v == NULL) {
        return WH_OK;
    }
    switch (head->body.def->fields[i].type) {
    case WH_FIELD_BOOL:
        *ret = sql_value_of_int(v->u.b);
        return WH_OK;
    case WH_FIELD_TIME:
        return sql_people_time(c, v->u.i, ret, err);
    case WH_FIELD_STRING:
        if (past_text(c->past, head, field, &c->step, &text, err) != WH_OK) {
            return err->rc;
        }
        *ret = sql_value_of_text(text);
        return WH_OK;
    case WH_FIELD_LONG:
    case WH_FIELD_DOUBLE:
    case WH_FIELD_STRINGS:
    case WH_FIELD_REF:
    case WH_FIELD_REFS:
    default:
        return WH_OK;
    }
}

/* The times of a head. */
static enum wh_rc identity_times(struct sql_computing *c, const struct wh_head *h,
                                 struct sql_value *to, struct wh_err *err)
{
    int64_t version_ms = wh_version_at_ms(h->version.order);
    int64_t deleted_ms = h->deleted ? wh_version_at_ms(h->deleted_version.order) : 0;
    int64_t seen_ms = wh_head_last_seen_ms(h->first_seen_ms, h->last_seen_ms);
    int64_t changed_ms = wh_head_changed_ms(NULL, h->version);

    if (sql_people_time(c, deleted_ms, &to[I_DELETED_AT], err) != WH_OK ||
        sql_people_time(c, version_ms, &to[I_VERSION_AT], err) != WH_OK ||
        sql_people_time(c, changed_ms, &to[I_CHANGED_AT], err) != WH_OK ||
        sql_people_time(c, h->first_seen_ms, &to[I_FIRST_SEEN], err) != WH_OK ||
        sql_people_time(c, seen_ms, &to[I_LAST_SEEN], err) != WH_OK) {
        return err->rc;
    }
    return WH_OK;
}

/* Fills in the columns of FIELD_COLUMNS and IDENTITY_COLUMNS, which stand behind each other. */
static enum wh_rc entity_values(struct sql_computing *c, enum wh_kind kind,
                                const struct wh_entity_id *id, const struct sql_column *columns,
                                struct sql_value *to, struct wh_err *err)
{
    const struct wh_head *head = NULL;
    struct sql_value *identity = to + FIELDS_N;

    if (past_head(c->past, kind, id, &c->step, &head, err) != WH_OK || head == NULL) {
        return err->rc;
    }
    for (size_t i = 0; i < FIELDS_N && kind == WH_KIND_TEAM_MEMBER; i++) {
        if (field_value(c, head, columns[i].name, &to[i], err) != WH_OK) {
            return err->rc;
        }
    }
    identity[I_SYSTEM] = sql_value_of_text(head->source.system);
    identity[I_KIND] = sql_value_of_text(head->source.kind);
    identity[I_PROJECT] = sql_value_of_text(head->source.project);
    identity[I_ID] = sql_value_of_text(head->source.id);
    identity[I_IID] = sql_value_of_text(head->source.iid);
    identity[I_URL] = sql_value_of_text(head->source.url);
    identity[I_DELETED] = sql_value_of_int(head->deleted);
    identity[I_DELETED_REASON] =
        head->deleted ? sql_value_of_text(head->reason) : (struct sql_value){.type = SQL_NULL};
    return version_value(c, head->version, &identity[I_VERSION], err) == WH_OK
               ? identity_times(c, head, identity, err)
               : err->rc;
}

/* ---- team members ---- */

enum {
    T_ID,
    T_NAME,
    T_TITLE,
    T_TEAM,
    T_TYPE,
    T_STATUS,
    T_EMAILS,
    T_ACCOUNTS,
    T_SOURCE,
    T_USERNAME,
    T_STATE,
    T_EMAIL,
    T_INSTANCE,
    T_FIELDS,
    T_COLUMNS = T_FIELDS + FIELDS_N + IDENTITY_N,
};

static const struct sql_column member_columns[T_COLUMNS] = {
    {"id", "TEXT", SQL_SHAPE_PLAIN,
     "the person: id of the directory's row, else of the oldest account; = finds it by the id of "
     "any row or account"},
    {"name", "TEXT", SQL_SHAPE_PLAIN, "name, of the directory if there is one"},
    {"title", "TEXT", SQL_SHAPE_PLAIN, "job title, of the directory"},
    {"team", "TEXT", SQL_SHAPE_PLAIN, "team, of the directory"},
    {"type", "TEXT", SQL_SHAPE_PLAIN, "person, bot or shared"},
    {"status", "TEXT", SQL_SHAPE_PLAIN,
     "active, left (says the directory), blocked or deleted (all accounts are); NULL: not known"},
    {"emails", "TEXT", SQL_SHAPE_JSON, "addresses, of the directory and public ones of accounts"},
    {"accounts", "TEXT", SQL_SHAPE_JSON, "accounts as system:name, the oldest first"},
    {"source", "TEXT", SQL_SHAPE_PLAIN, "name of the import, else the system: gitlab"},
    {"username", "TEXT", SQL_SHAPE_PLAIN,
     "of the account in front, which this and what follows is of: an active one first, then the "
     "oldest"},
    {"state", "TEXT", SQL_SHAPE_PLAIN, "active, blocked, deactivated, ..."},
    {"email", "TEXT", SQL_SHAPE_PLAIN, "public mail address, where there is one"},
    {"instance", "TEXT", SQL_SHAPE_PLAIN, "base address of the source"},
    FIELD_COLUMNS,
    IDENTITY_COLUMNS,
};

static bool listed_before(const struct wh_slice *items, size_t n, struct wh_slice item)
{
    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(items[i], item)) {
            return true;
        }
    }
    return false;
}

static enum wh_rc json_list(struct sql_computing *c, const struct wh_slice *items, size_t n,
                            struct sql_value *ret, struct wh_err *err)
{
    struct wh_json_writer w;
    struct wh_buf out;
    enum wh_rc rc;

    wh_buf_init(&out, SQL_TEXT_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_array(&w);
    for (size_t i = 0; i < n; i++) {
        if (items[i].len) {
            wh_jw_str(&w, items[i]);
        }
    }
    wh_jw_end(&w);
    rc = wh_jw_finish(&w, err);
    if (rc == WH_OK) {
        rc = sql_people_text(c, wh_buf_slice(&out), ret, err);
    }
    wh_buf_done(&out);
    return rc;
}

/* Items of a list, none twice when they are folded alike. */
struct list {
    struct wh_slice *shown;
    struct wh_slice *folded;
    size_t n;
};

static enum wh_rc list_new(struct sql_computing *c, size_t n, struct list *ret, struct wh_err *err)
{
    void *memory = NULL;

    if (wh_arena_zalloc(&c->step, 2 * n + 1, sizeof(struct wh_slice), &memory, err) != WH_OK) {
        return err->rc;
    }
    *ret = (struct list){.shown = memory, .folded = (struct wh_slice *)memory + n};
    return WH_OK;
}

static void list_add(struct list *l, struct wh_slice shown, struct wh_slice folded)
{
    if (shown.len && !listed_before(l->folded, l->n, folded)) {
        l->shown[l->n] = shown;
        l->folded[l->n++] = folded;
    }
}

static const struct people_row *row_of(const struct people_book *b, const struct people_member *m,
                                       size_t i, const struct people_said **ret_said)
{
    size_t row = b->people.order[m->first + i] - b->in.n_accounts;

    *ret_said = &b->said[row];
    return &b->in.rows[row];
}

static enum wh_rc emails_value(struct sql_computing *c, const struct people_book *b,
                               const struct people_member *m, struct sql_value *ret,
                               struct wh_err *err)
{
    const struct people_said *said;
    struct list l = {0};
    size_t n = m->n_accounts;

    for (size_t i = 0; i < m->n_rows; i++) {
        n += row_of(b, m, i, &said)->n_emails;
    }
    if (list_new(c, n, &l, err) != WH_OK || l.shown == NULL) {
        return err->rc;
    }
    for (size_t i = 0; i < m->n_rows; i++) {
        const struct people_row *row = row_of(b, m, i, &said);

        for (size_t k = 0; k < row->n_emails; k++) {
            list_add(&l, said->emails[k], row->emails[k]);
        }
    }
    for (size_t i = 0; i < m->n_accounts; i++) {
        size_t node = b->people.order[m->first + m->n_rows + i];

        list_add(&l, b->shown[node].email, b->in.accounts[node].email);
    }
    return json_list(c, l.shown, l.n, ret, err);
}

static enum wh_rc account_text(struct sql_computing *c, const struct people_book *b, size_t node,
                               bool with_instance, struct wh_slice *ret, struct wh_err *err)
{
    const struct people_account *a = &b->in.accounts[node];
    struct wh_slice name = b->shown[node].username.len ? b->shown[node].username : a->number;
    struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init(&text, SQL_TEXT_MAX_BYTES);
    rc = with_instance && a->instance.len
             ? wh_buf_printf(&text, err, "%.*s:%.*s/%.*s", WH_SLICE_ARG(a->system),
                             WH_SLICE_ARG(a->instance), WH_SLICE_ARG(name))
             : wh_buf_printf(&text, err, "%.*s:%.*s", WH_SLICE_ARG(a->system), WH_SLICE_ARG(name));
    if (rc == WH_OK) {
        rc = wh_arena_dup(&c->step, wh_buf_slice(&text), ret, err);
    }
    wh_buf_done(&text);
    return rc;
}

static bool has_same_name(const struct people_book *b, size_t x, size_t y)
{
    return wh_slice_eq(b->in.accounts[x].username, b->in.accounts[y].username) &&
           wh_slice_eq(b->in.accounts[x].system, b->in.accounts[y].system);
}

/* system:name; with the host where another host of the system has the same name. */
static enum wh_rc accounts_value(struct sql_computing *c, const struct people_book *b,
                                 const struct people_member *m, struct sql_value *ret,
                                 struct wh_err *err)
{
    const size_t *nodes = &b->people.order[m->first + m->n_rows];
    struct list l = {0};

    if (list_new(c, m->n_accounts, &l, err) != WH_OK || l.shown == NULL) {
        return err->rc;
    }
    for (size_t i = 0; i < m->n_accounts; i++) {
        bool twice = false;

        for (size_t k = 0; k < m->n_accounts && !twice; k++) {
            twice = k != i && has_same_name(b, nodes[i], nodes[k]);
        }
        if (account_text(c, b, nodes[i], twice, &l.shown[l.n], err) != WH_OK) {
            return err->rc;
        }
        l.n++;
    }
    return json_list(c, l.shown, l.n, ret, err);
}

/* The first row that says it. */
static struct wh_slice said(const struct people_book *b, const struct people_member *m, bool title)
{
    for (size_t i = 0; i < m->n_rows; i++) {
        const struct people_said *s;
        struct wh_slice text;

        (void)row_of(b, m, i, &s);
        text = title ? s->title : s->team;
        if (text.len) {
            return text;
        }
    }
    return wh_slice("", 0);
}

static enum wh_rc face_values(struct sql_computing *c, const struct people_book *b,
                              const struct people_member *m, struct sql_value *row,
                              struct wh_err *err)
{
    size_t face = m->face;

    if (face == PEOPLE_NONE || b->shown[face].named) {
        return m->n_rows ? entity_values(c, WH_KIND_PERSON, &m->id, &member_columns[T_FIELDS],
                                         &row[T_FIELDS], err)
                         : WH_OK;
    }
    row[T_USERNAME] = sql_value_of_text(b->shown[face].username);
    row[T_STATE] = sql_value_of_text(b->shown[face].state);
    row[T_EMAIL] = sql_value_of_text(b->shown[face].email);
    row[T_INSTANCE] = sql_value_of_text(b->in.accounts[face].instance);
    return entity_values(c, WH_KIND_TEAM_MEMBER, &b->in.accounts[face].id,
                         &member_columns[T_FIELDS], &row[T_FIELDS], err);
}

static enum wh_rc add_member(struct sql_computing *c, const struct people_book *b,
                             const struct people_member *m, struct wh_err *err)
{
    struct sql_value row[T_COLUMNS] = {
        [T_NAME] = sql_value_of_text(people_book_name(b, m)),
        [T_TITLE] = sql_value_of_text(said(b, m, true)),
        [T_TEAM] = sql_value_of_text(said(b, m, false)),
        [T_TYPE] = sql_people_word(people_type_name(m->type)),
        [T_STATUS] = sql_people_word(people_state_name(m->state)),
    };
    const struct people_said *s;

    if (m->n_rows) {
        (void)row_of(b, m, 0, &s);
        row[T_SOURCE] = sql_value_of_text(s->source);
    } else {
        row[T_SOURCE] = sql_value_of_text(b->in.accounts[m->face].system);
    }
    if (sql_value_of_id(c, &m->id, &row[T_ID], err) != WH_OK ||
        emails_value(c, b, m, &row[T_EMAILS], err) != WH_OK ||
        accounts_value(c, b, m, &row[T_ACCOUNTS], err) != WH_OK ||
        face_values(c, b, m, row, err) != WH_OK) {
        return err->rc;
    }
    return sql_computed_add(c, row, err);
}

static enum wh_rc members_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    struct sql_people_reading *r = c->state;
    const struct people_member *m = r->m;

    if (m == NULL && !r->none && r->at < r->book->people.n_members) {
        m = &r->book->people.members[r->at++];
    }
    *ret_end = r->m || r->none || r->at >= r->book->people.n_members;
    return m ? add_member(c, r->book, m, err) : WH_OK;
}

static const char *const member_keys[] = {"id"};

const struct sql_computed_def sql_team_members = {
    .name = "team_members",
    .columns = member_columns,
    .n_columns = T_COLUMNS,
    .keys = member_keys,
    .n_keys = 1,
    .finds_more = true,
    .rows = 10000,
    .start = sql_people_start,
    .step = members_step,
};

/* ---- accounts ---- */

enum {
    A_ID,
    A_MEMBER,
    A_MEMBER_NAME,
    A_SYSTEM,
    A_INSTANCE,
    A_USERNAME,
    A_NAME,
    A_EMAIL,
    A_STATE,
    A_TYPE,
    A_RULE,
    A_EVIDENCE,
    A_FIELDS,
    A_COLUMNS = A_FIELDS + FIELDS_N + IDENTITY_N,
};

static const struct sql_column account_columns[A_COLUMNS] = {
    {"id", "TEXT", SQL_SHAPE_PLAIN, "the account; indexed"},
    {"team_member", "TEXT", SQL_SHAPE_PLAIN, "whose it is: team_members.id; indexed"},
    {"team_member_name", "TEXT", SQL_SHAPE_PLAIN, "their name"},
    {"system", "TEXT", SQL_SHAPE_PLAIN, "gitlab, github, ..."},
    {"instance", "TEXT", SQL_SHAPE_PLAIN, "base address of the source"},
    {"username", "TEXT", SQL_SHAPE_PLAIN, "user name"},
    {"name", "TEXT", SQL_SHAPE_PLAIN, "display name"},
    {"email", "TEXT", SQL_SHAPE_PLAIN, "public mail address, where there is one"},
    {"state", "TEXT", SQL_SHAPE_PLAIN,
     "active, blocked, deactivated, deleted, ...; NULL: not known, or named by a directory alone"},
    {"type", "TEXT", SQL_SHAPE_PLAIN, "person, bot or shared, as its team member is"},
    {"rule", "TEXT", SQL_SHAPE_PLAIN,
     "what joined it to the team member: decision, directory_id, account, email or username; "
     "NULL: nothing"},
    {"evidence", "TEXT", SQL_SHAPE_JSON,
     "what both have, the other account or row, its field and the revision that set it"},
    FIELD_COLUMNS,
    IDENTITY_COLUMNS,
};

/* The field of the other one that has the key. */
static const char *field_of(enum people_rule rule, bool row)
{
    switch (rule) {
    case PEOPLE_RULE_ACCOUNT:
        return "accounts";
    case PEOPLE_RULE_EMAIL:
        return row ? "emails" : "email";
    case PEOPLE_RULE_USERNAME:
        return "username";
    case PEOPLE_RULE_NONE:
    case PEOPLE_RULE_DECISION:
    case PEOPLE_RULE_DIRECTORY_ID:
    case PEOPLE_RULE_NAME:
    default:
        return NULL;
    }
}

static enum wh_rc write_revision(struct sql_computing *c, const struct people_book *b, size_t node,
                                 const char *field, struct wh_json_writer *w, struct wh_err *err)
{
    bool row = node >= b->in.n_accounts;
    enum wh_kind kind = row ? WH_KIND_PERSON : WH_KIND_TEAM_MEMBER;
    const struct wh_head *head = NULL;
    char text[SQL_VERSION_TEXT + 1];
    int i = wh_kind_field(wh_kind_def(kind), wh_slice_str(field));

    if (past_head(c->past, kind, people_node_id(&b->in, node), &c->step, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head && past_field(head, field)) {
        wh_jw_put_str(w, "field", wh_slice_str(field));
        wh_jw_put_str(w, "revision", wh_slice_str(sql_version_format(head->set[i], text)));
    }
    return WH_OK;
}

static enum wh_rc write_evidence(struct sql_computing *c, const struct people_book *b,
                                 const struct people_node *n, struct wh_json_writer *w,
                                 struct wh_err *err)
{
    bool row = n->with >= b->in.n_accounts;
    const char *field = field_of(n->rule, row);
    char id[WH_ENTITY_ID_TEXT + 1];
    enum wh_rc rc = WH_OK;

    wh_jw_object(w);
    wh_jw_put_str(w, "rule", wh_slice_str(people_rule_name(n->rule)));
    wh_jw_put_str(w, n->rule == PEOPLE_RULE_DECISION ? "decision" : "key", n->key);
    wh_jw_put_str(w, row ? "row" : "account",
                  wh_slice_str(wh_entity_id_format(people_node_id(&b->in, n->with), id)));
    wh_jw_put_str(w, "source",
                  row ? b->said[n->with - b->in.n_accounts].source
                      : b->in.accounts[n->with].instance);
    if (field) {
        rc = write_revision(c, b, n->with, field, w, err);
    }
    wh_jw_end(w);
    return rc;
}

static enum wh_rc evidence_value(struct sql_computing *c, const struct people_book *b,
                                 const struct people_node *n, struct sql_value *ret,
                                 struct wh_err *err)
{
    struct wh_json_writer w;
    struct wh_buf out;
    enum wh_rc rc;

    if (n->rule == PEOPLE_RULE_NONE) {
        return WH_OK;
    }
    wh_buf_init(&out, SQL_TEXT_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    rc = write_evidence(c, b, n, &w, err);
    rc = rc == WH_OK ? wh_jw_finish(&w, err) : rc;
    rc = rc == WH_OK ? sql_people_text(c, wh_buf_slice(&out), ret, err) : rc;
    wh_buf_done(&out);
    return rc;
}

static enum wh_rc add_account(struct sql_computing *c, const struct people_book *b, size_t node,
                              struct wh_err *err)
{
    const struct people_account *a = &b->in.accounts[node];
    const struct people_shown *s = &b->shown[node];
    const struct people_node *n = &b->people.nodes[node];
    const struct people_member *m = &b->people.members[n->member];
    struct sql_value row[A_COLUMNS] = {
        [A_MEMBER_NAME] = sql_value_of_text(people_book_name(b, m)),
        [A_SYSTEM] = sql_value_of_text(a->system),
        [A_INSTANCE] = sql_value_of_text(a->instance),
        [A_USERNAME] = sql_value_of_text(s->username),
        [A_NAME] = sql_value_of_text(s->name),
        [A_EMAIL] = sql_value_of_text(s->email),
        [A_STATE] =
            a->state == PEOPLE_DELETED ? sql_people_word("deleted") : sql_value_of_text(s->state),
        [A_TYPE] = sql_people_word(people_type_name(m->type)),
        [A_RULE] = sql_people_word(n->rule == PEOPLE_RULE_NONE ? NULL : people_rule_name(n->rule)),
    };

    if (sql_value_of_id(c, &a->id, &row[A_ID], err) != WH_OK ||
        sql_value_of_id(c, &m->id, &row[A_MEMBER], err) != WH_OK ||
        evidence_value(c, b, n, &row[A_EVIDENCE], err) != WH_OK ||
        (!s->named && entity_values(c, WH_KIND_TEAM_MEMBER, &a->id, &account_columns[A_FIELDS],
                                    &row[A_FIELDS], err) != WH_OK)) {
        return err->rc;
    }
    return sql_computed_add(c, row, err);
}

static enum wh_rc accounts_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    struct sql_people_reading *r = c->state;
    const struct people_book *b = r->book;
    size_t n = r->m ? r->m->n_accounts : b->in.n_accounts;
    size_t node = r->at;

    if (r->none || r->node != PEOPLE_NONE) {
        *ret_end = true;
        return r->none || r->node >= b->in.n_accounts ? WH_OK : add_account(c, b, r->node, err);
    }
    *ret_end = r->at >= n;
    if (*ret_end) {
        return WH_OK;
    }
    if (r->m) {
        node = b->people.order[r->m->first + r->m->n_rows + r->at];
    }
    r->at++;
    return add_account(c, b, node, err);
}

static const char *const account_keys[] = {"id", "team_member"};

const struct sql_computed_def sql_accounts = {
    .name = "accounts",
    .columns = account_columns,
    .n_columns = A_COLUMNS,
    .keys = account_keys,
    .n_keys = 2,
    .finds_more = true,
    .rows = 10000,
    .start = sql_people_start,
    .step = accounts_step,
};
