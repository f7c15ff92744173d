#include "tests/lib/th_facts.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

enum { RECORDS_MAX = 4096, JSON_MAX_BYTES = 8 << 20, JSON_DEPTH = 8 };

void th_facts_init_on(struct th_facts *f, struct wh_store *store)
{
    struct wh_err err;

    *f = (struct th_facts){.store = store, .keep_store = true, .now_ms = INT64_C(1780000000000)};
    f->parser = wh_json_parser_new(JSON_MAX_BYTES, JSON_DEPTH);
    assert_non_null(f->parser);
    th_ok(sink_apply_new(f->store, RECORDS_MAX, &f->apply, &err), &err);
}

void th_facts_init(struct th_facts *f)
{
    th_facts_init_on(f, th_sink_store());
    f->keep_store = false;
}

void th_facts_done(struct th_facts *f)
{
    sink_apply_free(f->apply);
    wh_json_parser_free(f->parser);
    if (!f->keep_store) {
        wh_store_free(f->store);
    }
}

static struct wh_slice member(struct wh_json_val fact, const char *key)
{
    struct wh_json_val v;

    return wh_json_get(fact, wh_slice_str(key), &v) ? wh_json_string(v)
                                                    : (struct wh_slice){NULL, 0};
}

static struct wh_slice text_in(struct wh_arena *arena, struct wh_slice a, struct wh_slice b)
{
    char text[512];
    struct wh_slice copy;
    struct wh_err err;

    (void)snprintf(text, sizeof(text), "%.*s%.*s", WH_SLICE_ARG(a), WH_SLICE_ARG(b));
    th_ok(wh_arena_dup(arena, wh_slice_str(text), &copy, &err), &err);
    return copy;
}

struct wh_entity_id th_facts_id(const char *source, const char *source_kind, const char *id)
{
    char instance[256] = TH_FACTS_INSTANCE;

    if (source) {
        (void)snprintf(instance, sizeof(instance), "import:%s", source);
    }
    return wh_entity_id_make(wh_slice_str(instance), wh_slice_str(source_kind), wh_slice_str(id));
}

/* KIND:ID */
static struct wh_entity_id reference(struct wh_slice text)
{
    const char *colon = memchr(text.ptr, ':', text.len);
    size_t n = colon ? (size_t)(colon - text.ptr) : 0;

    assert_non_null(colon);
    return wh_entity_id_make(WH_LIT(TH_FACTS_INSTANCE), wh_slice(text.ptr, n),
                             wh_slice_from(text, n + 1));
}

static int id_cmp(const void *a, const void *b)
{
    return wh_entity_id_cmp(a, b);
}

static void list_value(struct wh_arena *arena, enum wh_field_type type, struct wh_json_val v,
                       struct wh_value *ret)
{
    struct wh_json_iter it = wh_json_iter(v);
    struct wh_json_val item;
    void *memory = NULL;
    struct wh_err err;
    size_t n = 0;

    th_ok(wh_arena_zalloc(arena, 64, sizeof(struct wh_slice), &memory, &err), &err);
    while (wh_json_next(&it, NULL, &item)) {
        assert_true(n < 64);
        if (type == WH_FIELD_REFS) {
            ((struct wh_entity_id *)memory)[n++] = reference(wh_json_string(item));
        } else {
            th_ok(
                wh_arena_dup(arena, wh_json_string(item), &((struct wh_slice *)memory)[n++], &err),
                &err);
        }
    }
    if (type == WH_FIELD_REFS) {
        qsort(memory, n, sizeof(struct wh_entity_id), id_cmp);
        ret->u.refs.items = memory;
        ret->u.refs.n = n;
    } else {
        ret->u.strs.items = memory;
        ret->u.strs.n = n;
    }
}

static int64_t time_of(struct wh_slice text)
{
    struct wh_instant at = {0, false};
    struct wh_err err;

    th_ok(wh_time_parse(text, &at, &err), &err);
    return at.ms;
}

static void value_of(struct wh_arena *arena, enum wh_field_type type, struct wh_json_val v,
                     struct wh_value *ret)
{
    struct wh_err err;

    *ret = (struct wh_value){.is_null = wh_json_type(v) == WH_JSON_NULL};
    if (ret->is_null) {
        return;
    }
    switch (type) {
    case WH_FIELD_STRING:
        th_ok(wh_arena_dup(arena, wh_json_string(v), &ret->u.str, &err), &err);
        break;
    case WH_FIELD_LONG:
        ret->u.i = wh_json_int(v);
        break;
    case WH_FIELD_TIME:
        ret->u.i = time_of(wh_json_string(v));
        break;
    case WH_FIELD_DOUBLE:
        ret->u.num = wh_json_double(v);
        break;
    case WH_FIELD_BOOL:
        ret->u.b = wh_json_bool(v);
        break;
    case WH_FIELD_REF:
        ret->u.ref = reference(wh_json_string(v));
        break;
    case WH_FIELD_STRINGS:
    case WH_FIELD_REFS:
        list_value(arena, type, v, ret);
        break;
    }
}

static bool says_what(struct wh_slice key)
{
    static const char *const names[] = {"kind", "source", "id",         "at",
                                        "url",  "iid",    "project_id", "delete"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (wh_slice_eq(key, wh_slice_str(names[i]))) {
            return true;
        }
    }
    return false;
}

static void body_of(struct wh_arena *arena, struct wh_json_val fact, struct wh_body *body)
{
    struct wh_json_iter it = wh_json_iter(fact);
    struct wh_json_val v;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &v)) {
        int field = wh_kind_field(body->def, key);

        if (says_what(key)) {
            continue;
        }
        if (field < 0) {
            fail_msg("%s has no field %.*s", body->def->name, WH_SLICE_ARG(key));
        }
        value_of(arena, body->def->fields[field].type, v, &body->values[field]);
        body->present |= UINT64_C(1) << field;
    }
}

/* The source's word for the kind. */
static struct wh_slice source_kind(const struct wh_kind_def *def, struct wh_json_val fact)
{
    if (def->kind == WH_KIND_WORK_ITEM) {
        return wh_slice_eq(member(fact, "type"), WH_LIT("merge_request")) ? WH_LIT("merge_request")
                                                                          : WH_LIT("issue");
    }
    if (def->kind == WH_KIND_BUILD_RECORD) {
        return WH_LIT("pipeline");
    }
    return def->kind == WH_KIND_TEAM_MEMBER ? WH_LIT("user") : wh_slice_str(def->name);
}

static void source_of(struct wh_arena *arena, struct wh_json_val fact, struct wh_observation *o)
{
    struct wh_slice source = member(fact, "source");
    const struct wh_slice none = {NULL, 0};

    o->source.system = source.ptr ? WH_LIT("import") : WH_LIT("gitlab");
    o->source.instance =
        source.ptr ? text_in(arena, WH_LIT("import:"), source) : WH_LIT(TH_FACTS_INSTANCE);
    o->source.kind = source_kind(o->body.def, fact);
    o->source.id = text_in(arena, member(fact, "id"), none);
    o->source.url = text_in(arena, member(fact, "url"), none);
    o->source.iid = text_in(arena, member(fact, "iid"), none);
    o->source.project = text_in(arena, member(fact, "project_id"), none);
    o->id = wh_entity_id_make(o->source.instance, o->source.kind, o->source.id);
}

static void put_fact(struct th_facts *f, struct wh_json_val fact)
{
    struct wh_arena *arena = sink_apply_arena(f->apply);
    struct wh_observation *o;
    struct wh_history_result result;
    enum wh_origin origin = member(fact, "source").ptr ? WH_ORIGIN_IMPORT : WH_ORIGIN_REST;
    struct wh_buf scratch;
    void *memory = NULL;
    struct wh_err err;

    th_ok(wh_arena_zalloc(arena, 1, sizeof(*o), &memory, &err), &err);
    o = memory;
    o->body.def = wh_kind_by_name(member(fact, "kind"));
    assert_non_null(o->body.def);
    source_of(arena, fact, o);
    o->reason = text_in(arena, member(fact, "delete"), (struct wh_slice){NULL, 0});
    o->change = o->reason.len ? WH_CHANGE_DELETE : WH_CHANGE_UPSERT;
    if (o->change == WH_CHANGE_UPSERT) {
        body_of(arena, fact, &o->body);
    }
    o->version.order =
        wh_version_order((struct wh_instant){time_of(member(fact, "at")), true}, 0, origin);
    o->provenance =
        (struct wh_provenance){.origin = origin,
                               .delivery_id = WH_LIT("d"),
                               .observed_at_ms = f->now_ms,
                               .topic = origin == WH_ORIGIN_IMPORT ? WH_LIT("wellhead.raw.import")
                                                                   : WH_LIT("wellhead.raw.gitlab"),
                               .offset = f->offset++,
                               .view = WH_LIT("test@1")};
    wh_buf_init(&scratch, 1 << 20);
    th_ok(wh_observation_tie(o, &scratch, &o->version.tie, &err), &err);
    wh_buf_done(&scratch);
    th_ok(sink_apply_observation(f->apply, o, f->now_ms, &result, &err), &err);
}

static void commit(struct th_facts *f)
{
    struct wh_err err;

    th_ok(sink_apply_seal(f->apply, &err), &err);
    th_ok(sink_apply_commit(f->apply, false, &err), &err);
}

static struct wh_json_val read_facts(struct th_facts *f, const char *json)
{
    struct wh_json_val facts;
    struct wh_err err;

    th_ok(wh_json_parse(f->parser, wh_slice_str(json), &facts, &err), &err);
    return facts;
}

void th_facts_put(struct th_facts *f, const char *json)
{
    struct wh_json_val facts = read_facts(f, json);
    struct wh_json_iter it = wh_json_iter(facts);
    struct wh_json_val fact;

    sink_apply_begin(f->apply);
    if (wh_json_type(facts) != WH_JSON_ARRAY) {
        put_fact(f, facts);
    }
    while (wh_json_type(facts) == WH_JSON_ARRAY && wh_json_next(&it, NULL, &fact)) {
        put_fact(f, fact);
    }
    commit(f);
}

void th_facts_put_singly(struct th_facts *f, const char *json, size_t most)
{
    struct wh_json_iter it = wh_json_iter(read_facts(f, json));
    struct wh_json_val fact;

    while (most-- > 0 && wh_json_next(&it, NULL, &fact)) {
        sink_apply_begin(f->apply);
        put_fact(f, fact);
        commit(f);
        f->now_ms += 1000;
    }
}

const char th_story[] =
    "["
    "{\"kind\":\"project\",\"id\":\"9\",\"at\":\"2026-05-01\",\"path\":\"shop/web\"},"
    "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S1\",\"at\":\"2026-05-01\","
    "\"name\":\"Checkout API\",\"aliases\":[\"co\"],\"labels\":[\"team::pay\"]},"
    "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S2\",\"at\":\"2026-05-01\","
    "\"name\":\"Search\"},"
    "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S3\",\"at\":\"2026-05-01\","
    "\"name\":\"Web\"},"
    "{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"1\",\"at\":\"2026-05-01\","
    "\"service\":\"web\",\"project\":\"shop/web\"},"
    "{\"kind\":\"customer\",\"source\":\"crm\",\"id\":\"C1\",\"at\":\"2026-05-01\","
    "\"name\":\"Acme\",\"aliases\":[\"Acme Inc\"]},"
    "{\"kind\":\"customer\",\"source\":\"crm\",\"id\":\"C2\",\"at\":\"2026-05-01\","
    "\"name\":\"Globex\"},"
    "{\"kind\":\"service_customer\",\"source\":\"crm\",\"id\":\"u1\",\"at\":\"2026-05-01\","
    "\"service\":\"checkout-api\",\"customer\":\"acme inc\",\"since\":\"2026-05-12\"},"
    "{\"kind\":\"service_customer\",\"source\":\"crm\",\"id\":\"u2\",\"at\":\"2026-05-01\","
    "\"service\":\"S1\",\"customer\":\"C2\",\"until\":\"2026-05-12\"},"
    "{\"kind\":\"service_customer\",\"source\":\"crm\",\"id\":\"u3\",\"at\":\"2026-05-01\","
    "\"service\":\"search\",\"customer\":\"C1\"},"
    "{\"kind\":\"service_customer\",\"source\":\"crm\",\"id\":\"u4\",\"at\":\"2026-05-01\","
    "\"service\":\"search\",\"customer\":\"C2\",\"until\":\"2026-05-11\"},"
    "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k1\",\"at\":\"2026-05-01\","
    "\"customer\":\"acme\",\"amount_minor\":1000,\"currency\":\"EUR\",\"period\":\"month\"},"
    "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k2\",\"at\":\"2026-05-01\","
    "\"customer\":\"C1\",\"amount_minor\":1206,\"currency\":\"eur\",\"period\":\"year\","
    "\"service\":\"co\"},"
    "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k3\",\"at\":\"2026-05-01\","
    "\"customer\":\"C1\",\"amount_minor\":300,\"currency\":\"USD\",\"period\":\"quarter\","
    "\"service\":\"Search\",\"ends_on\":\"2026-05-12\"},"
    "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k4\",\"at\":\"2026-05-01\","
    "\"customer\":\"C1\",\"amount_minor\":77,\"currency\":\"GBP\",\"period\":\"month\","
    "\"ends_on\":\"2026-05-11\"},"
    "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k5\",\"at\":\"2026-05-01\","
    "\"customer\":\"C1\",\"amount_minor\":99,\"currency\":\"CHF\",\"period\":\"once\"},"
    "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-13\",\"type\":\"incident\","
    "\"title\":\"Payments fail\",\"severity\":\"unknown\",\"stated_severity\":\"high\","
    "\"created_at\":\"2026-05-12T22:30:00Z\",\"stated_started_at\":\"2026-05-12T22:10:00Z\","
    "\"closed_at\":\"2026-05-13T01:00:00Z\",\"state\":\"closed\",\"project\":\"project:9\","
    "\"url\":\"https://gitlab.test/shop/web/-/issues/1\",\"iid\":\"1\",\"project_id\":\"9\","
    "\"label_services\":[\"checkout_api\"],"
    "\"labels\":[\"service::checkout_api\",\"team::pay\"],"
    "\"stated_services\":[\"Search\",\"Printer\"]},"
    "{\"kind\":\"work_item\",\"id\":\"2\",\"at\":\"2026-05-13\",\"type\":\"issue\","
    "\"title\":\"Add a test\",\"state\":\"opened\",\"url\":\"https://gitlab.test/2\","
    "\"follow_up_label\":\"follow-up\","
    "\"mentions\":[\"https://gitlab.test/shop/web/-/issues/1\"],\"relates_to\":[\"issue:1\"]},"
    "{\"kind\":\"work_item\",\"id\":\"3\",\"at\":\"2026-05-13\",\"type\":\"task\","
    "\"title\":\"Call them\",\"state\":\"closed\",\"url\":\"https://gitlab.test/3\","
    "\"parent\":\"issue:1\"}"
    "]";
