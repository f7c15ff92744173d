/*
 * Our codec against avro-c, over every schema: what avro-c encodes of random values we decode, and
 * encode again to the same bytes; avro-c decodes our bytes and encodes the same. Then damaged
 * bytes: a clean error, and memory in proportion to the input.
 */
#include <avro.h>
#include <stdlib.h>
#include <string.h>

#include "common/avro/schemas.h"
#include "common/base/be.h"
#include "common/event/messages.h"
#include "common/event/observation.h"
#include "common/event/raw_event.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"

enum { ROUNDS = 60, RECORD_MAX_BYTES = 1 << 20, ARENA_MAX_BYTES = 8 << 20, ITEMS_MAX = 5 };

struct oracle {
    struct th_random random;
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
    const struct wh_schema_info *info;
    char *bytes; /* framed, as avro-c wrote them */
    size_t len;
};

static void must(int code)
{
    if (code != 0) {
        fail_msg("avro-c: %s", avro_strerror());
    }
}

static void oracle_init(struct oracle *o, const struct wh_schema_info *info, uint64_t seed)
{
    struct wh_slice text = wh_schema_text(info);

    *o = (struct oracle){.random = {seed * 2654435761u + 88172645463325252u}, .info = info};
    must(avro_schema_from_json_length(text.ptr, text.len, &o->schema));
    o->class = avro_generic_class_from_schema(o->schema);
    assert_non_null(o->class);
    must(avro_generic_value_new(o->class, &o->value));
    o->bytes = malloc(RECORD_MAX_BYTES);
    assert_non_null(o->bytes);
}

static void oracle_done(struct oracle *o)
{
    free(o->bytes);
    avro_value_decref(&o->value);
    avro_value_iface_decref(o->class);
    avro_schema_decref(o->schema);
}

/* ---- random values ---- */

static void random_text(struct th_random *r, char *out, size_t *ret_len)
{
    static const char *const pieces[] = {"", "a", "/", "\"", "\\", "\n", "ä", "€", "𝄞", "0", " "};
    size_t n = 0;
    unsigned count = th_random_below(r, 12);

    for (unsigned i = 0; i < count; i++) {
        const char *piece = pieces[th_random_below(r, sizeof(pieces) / sizeof(pieces[0]))];

        memcpy(out + n, piece, strlen(piece));
        n += strlen(piece);
    }
    out[n] = '\0';
    *ret_len = n;
}

static void set_text(avro_value_t *v, struct wh_slice text)
{
    char copy[128];

    assert_true(text.len < sizeof(copy));
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    /* avro-c counts the NUL. */
    must(avro_value_set_string_len(v, copy, text.len + 1));
}

static void random_uuid(struct th_random *r, avro_value_t *v)
{
    struct wh_entity_id id;
    char text[WH_ENTITY_ID_TEXT + 1];

    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        id.bytes[i] = (unsigned char)th_random_next(r);
    }
    set_text(v, wh_slice_str(wh_entity_id_format(&id, text)));
}

static int64_t random_long(struct th_random *r)
{
    static const int64_t edges[] = {0, 1, -1, 63, 64, -64, -65, INT64_MAX, INT64_MIN};
    unsigned pick = th_random_below(r, 2 * sizeof(edges) / sizeof(edges[0]));

    return pick < sizeof(edges) / sizeof(edges[0])
               ? edges[pick]
               : (int64_t)(th_random_next(r) >> th_random_below(r, 64));
}

static void fill(struct th_random *r, avro_value_t *v, bool uuid);

static void fill_bytes(struct th_random *r, avro_value_t *v)
{
    char bytes[32];
    size_t n = th_random_below(r, sizeof(bytes));

    for (size_t i = 0; i < n; i++) {
        bytes[i] = (char)th_random_next(r);
    }
    must(avro_value_set_bytes(v, bytes, n));
}

static void fill_array(struct th_random *r, avro_value_t *v, bool uuid)
{
    unsigned n = th_random_below(r, ITEMS_MAX);

    for (unsigned i = 0; i < n; i++) {
        avro_value_t item;

        must(avro_value_append(v, &item, NULL));
        fill(r, &item, uuid);
    }
}

static void fill_record(struct th_random *r, avro_value_t *v)
{
    size_t n = 0;

    must(avro_value_get_size(v, &n));
    for (size_t i = 0; i < n; i++) {
        avro_value_t field;
        const char *name;

        must(avro_value_get_by_index(v, i, &field, &name));
        if (strcmp(name, "origin") == 0) {
            enum wh_origin origin = (enum wh_origin)th_random_below(r, WH_ORIGIN_COUNT);

            set_text(&field, wh_slice_str(wh_origin_name(origin)));
        } else if (strcmp(name, "body") != 0) {
            fill(r, &field, strcmp(name, "entity_id") == 0);
        }
    }
}

static void fill(struct th_random *r, avro_value_t *v, bool uuid)
{
    char text[128];
    double number;
    uint64_t bits;
    size_t len;

    switch (avro_value_get_type(v)) {
    case AVRO_STRING:
        random_text(r, text, &len);
        if (uuid) {
            random_uuid(r, v);
        } else {
            set_text(v, wh_slice(text, len));
        }
        break;
    case AVRO_BYTES:
        fill_bytes(r, v);
        break;
    case AVRO_INT32:
        must(avro_value_set_int(v, (int32_t)random_long(r)));
        break;
    case AVRO_INT64:
        must(avro_value_set_long(v, random_long(r)));
        break;
    case AVRO_DOUBLE:
        bits = th_random_next(r);
        memcpy(&number, &bits, sizeof(number));
        must(avro_value_set_double(v, number));
        break;
    case AVRO_BOOLEAN:
        must(avro_value_set_boolean(v, (int)th_random_below(r, 2)));
        break;
    case AVRO_ARRAY:
        fill_array(r, v, uuid);
        break;
    case AVRO_RECORD:
        fill_record(r, v);
        break;
    case AVRO_FLOAT:
    case AVRO_NULL:
    case AVRO_ENUM:
    case AVRO_FIXED:
    case AVRO_MAP:
    case AVRO_UNION:
    case AVRO_LINK:
    default:
        fail_msg("a type that our schemas do not use: %d", (int)avro_value_get_type(v));
    }
}

static void field_of(avro_value_t *record, const char *name, avro_value_t *ret)
{
    must(avro_value_get_by_name(record, name, ret, NULL));
}

/* Kinds are appended as fields are; a version has those that have fields in it. */
static unsigned kinds_at(int version)
{
    unsigned n = 1;

    while (n < WH_KIND_COUNT && wh_kind_fields_at(wh_kind_def((enum wh_kind)n), version) > 0) {
        n++;
    }
    return n;
}

/* An observation's parts depend on each other: kind, branch of the body, which fields are shown. */
static void fill_observation(struct th_random *r, int version, avro_value_t *record)
{
    unsigned kind = 1 + th_random_below(r, kinds_at(version) - 1);
    const struct wh_kind_def *def = wh_kind_def((enum wh_kind)kind);
    unsigned n_fields = wh_kind_fields_at(def, version);
    bool gone = th_random_below(r, 8) == 0;
    uint64_t present = 0;
    avro_value_t field;
    avro_value_t body;

    field_of(record, "kind", &field);
    set_text(&field, wh_slice_str(def->name));
    field_of(record, "change", &field);
    set_text(&field, gone ? WH_LIT("delete") : WH_LIT("upsert"));
    field_of(record, "body", &field);
    must(avro_value_set_branch(&field, gone ? 0 : (int)kind, &body));
    if (!gone) {
        size_t n = 0;

        must(avro_value_get_size(&body, &n));
        assert_int_equal(n, n_fields);
    }
    for (unsigned i = 0; !gone && i < n_fields; i++) {
        avro_value_t slot;
        avro_value_t value;
        const char *name;
        bool shown = th_random_below(r, 2) == 0;
        bool null = !shown || th_random_below(r, 5) == 0;

        must(avro_value_get_by_index(&body, i, &slot, &name));
        assert_string_equal(name, def->fields[i].name);
        present |= (uint64_t)shown << i;
        must(avro_value_set_branch(&slot, null ? 0 : 1, &value));
        if (!null) {
            fill(r, &value,
                 def->fields[i].type == WH_FIELD_REF || def->fields[i].type == WH_FIELD_REFS);
        }
    }
    field_of(record, "present", &field);
    must(avro_value_set_long(&field, (int64_t)present));
}

/* avro-c's bytes of its value, in our frame. */
static void oracle_write(struct oracle *o)
{
    avro_writer_t writer =
        avro_writer_memory(o->bytes + WH_FRAME_BYTES, RECORD_MAX_BYTES - WH_FRAME_BYTES);

    assert_non_null(writer);
    must(avro_value_write(writer, &o->value));
    o->bytes[0] = 0;
    wh_be_put32(o->bytes + 1, (uint32_t)o->info->id);
    o->len = WH_FRAME_BYTES + (size_t)avro_writer_tell(writer);
    avro_writer_free(writer);
}

static void oracle_next(struct oracle *o)
{
    must(avro_value_reset(&o->value));
    fill(&o->random, &o->value, false);
    if (o->info->schema == WH_SCHEMA_OBSERVATION) {
        fill_observation(&o->random, o->info->version, &o->value);
    }
    oracle_write(o);
}

/* ---- ours ---- */

static enum wh_rc document_again(enum wh_document_schema schema, struct wh_slice bytes,
                                 struct wh_buf *out, struct wh_err *err)
{
    struct wh_document d;

    return wh_document_decode(bytes, &d, err) != WH_OK ? err->rc
                                                       : wh_document_encode(schema, &d, out, err);
}

/* Decodes and encodes again. */
static enum wh_rc again(enum wh_schema schema, struct wh_slice bytes, struct wh_arena *arena,
                        struct wh_buf *out, struct wh_err *err)
{
    struct wh_raw_event e;
    struct wh_observation o;
    struct wh_dead_letter d;
    struct wh_reread q;

    switch (schema) {
    case WH_SCHEMA_RAW_EVENT:
        return wh_raw_event_decode(bytes, arena, &e, err) != WH_OK
                   ? err->rc
                   : wh_raw_event_encode(&e, out, err);
    case WH_SCHEMA_OBSERVATION:
        return wh_observation_decode(bytes, arena, &o, err) != WH_OK
                   ? err->rc
                   : wh_observation_encode(&o, out, err);
    case WH_SCHEMA_DEAD_LETTER:
        return wh_dead_letter_decode(bytes, &d, err) != WH_OK ? err->rc
                                                              : wh_dead_letter_encode(&d, out, err);
    case WH_SCHEMA_REREAD:
        return wh_reread_decode(bytes, &q, err) != WH_OK ? err->rc : wh_reread_encode(&q, out, err);
    case WH_SCHEMA_CONNECTION:
        return document_again(WH_DOCUMENT_CONNECTION, bytes, out, err);
    case WH_SCHEMA_FETCH_STATE:
        return document_again(WH_DOCUMENT_FETCH_STATE, bytes, out, err);
    case WH_SCHEMA_RUN:
        return document_again(WH_DOCUMENT_RUN, bytes, out, err);
    case WH_SCHEMA_HEALTH:
        return document_again(WH_DOCUMENT_HEALTH, bytes, out, err);
    case WH_SCHEMA_DECISION:
        return document_again(WH_DOCUMENT_DECISION, bytes, out, err);
    case WH_SCHEMA_COUNT:
    default:
        return wh_fail(err, WH_E_INTERNAL, "a schema that this test does not know");
    }
}

static void same_bytes(const struct oracle *o, const struct wh_buf *ours)
{
    if (ours->len != o->len || memcmp(ours->ptr, o->bytes, o->len) != 0) {
        char *json = NULL;

        (void)avro_value_to_json(&o->value, 1, &json);
        fail_msg("%s: other bytes than avro-c's for %s", o->info->name, json ? json : "?");
    }
}

/* An older version's record is written in the newest form: what was added is null or empty. */
static void same_but_newer(const struct oracle *o, const struct wh_buf *ours)
{
    size_t old = WH_FRAME_BYTES;

    for (size_t i = WH_FRAME_BYTES; i < ours->len; i++) {
        if (old < o->len && ours->ptr[i] == o->bytes[old]) {
            old++;
        } else {
            assert_int_equal(ours->ptr[i], 0);
        }
    }
    assert_int_equal(old, o->len);
}

static void test_both_agree(void **state)
{
    size_t n = 0;
    const struct wh_schema_info *list = wh_schemas(&n);
    struct wh_arena arena;
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_arena_init(&arena, 65536, ARENA_MAX_BYTES);
    wh_buf_init(&out, RECORD_MAX_BYTES);
    for (size_t s = 0; s < n; s++) {
        struct oracle o;

        oracle_init(&o, &list[s], s + 1);
        for (unsigned i = 0; i < ROUNDS; i++) {
            oracle_next(&o);
            wh_arena_reset(&arena);
            wh_buf_reset(&out);
            th_ok(again(o.info->schema, wh_slice(o.bytes, o.len), &arena, &out, &err), &err);
            if (o.info == wh_schema_current(o.info->schema)) {
                same_bytes(&o, &out);
            } else {
                same_but_newer(&o, &out);
            }
        }
        oracle_done(&o);
    }
    wh_buf_done(&out);
    wh_arena_done(&arena);
}

/* What we encode of records of our own making, avro-c reads to its last byte and writes the same.
 */
static void test_avro_c_reads_ours(void **state)
{
    enum { OBSERVATIONS = 300 };
    struct th_encoded *list = th_observations_new(7, OBSERVATIONS, 40, 1700000000000);
    struct oracle o;

    (void)state;
    oracle_init(&o, wh_schema_current(WH_SCHEMA_OBSERVATION), 1);
    for (size_t i = 0; i < OBSERVATIONS; i++) {
        struct wh_buf ours = {.ptr = list[i].bytes, .len = list[i].len};
        avro_reader_t reader = avro_reader_memory(list[i].bytes + WH_FRAME_BYTES,
                                                  (int64_t)(list[i].len - WH_FRAME_BYTES));

        assert_non_null(reader);
        must(avro_value_reset(&o.value));
        must(avro_value_read(reader, &o.value));
        avro_reader_free(reader);
        oracle_write(&o);
        same_bytes(&o, &ours);
    }
    oracle_done(&o);
    th_observations_free(list, OBSERVATIONS);
}

/* ---- damage ---- */

static void try_damaged(const struct oracle *o, const char *bytes, size_t n, bool must_fail)
{
    /* As many bytes as there are, so that ASan sees a read behind them. */
    char *exact = malloc(n ? n : 1);
    struct wh_arena arena;
    struct wh_buf out;
    struct wh_err err = {0};
    enum wh_rc rc;

    assert_non_null(exact);
    memcpy(exact, bytes, n);
    wh_arena_init(&arena, 4096, ARENA_MAX_BYTES);
    wh_buf_init(&out, RECORD_MAX_BYTES);
    rc = again(o->info->schema, wh_slice(exact, n), &arena, &out, &err);
    if (must_fail) {
        assert_int_not_equal(rc, WH_OK);
    }
    if (rc != WH_OK) {
        assert_int_equal(rc, err.rc);
        assert_true(rc == WH_E_UNKNOWN_SCHEMA || wh_rc_class(rc) == WH_CLASS_POISON);
        assert_true(err.msg[0] != '\0');
    }
    assert_true(arena.used_bytes <= 64 * n + 8192);
    wh_buf_done(&out);
    wh_arena_done(&arena);
    free(exact);
}

static void test_truncated(void **state)
{
    size_t n = 0;
    const struct wh_schema_info *list = wh_schemas(&n);

    (void)state;
    for (size_t s = 0; s < n; s++) {
        struct oracle o;

        oracle_init(&o, &list[s], s + 100);
        oracle_next(&o);
        for (size_t len = 0; len < o.len; len++) {
            try_damaged(&o, o.bytes, len, true);
        }
        oracle_done(&o);
    }
}

static void test_damaged(void **state)
{
    enum { DAMAGES = 300, VALUES = 4 };
    static const char extremes[] = {0, 1, 2, (char)0xFF, 0x7F, (char)0x80, (char)0xFE};
    size_t n = 0;
    const struct wh_schema_info *list = wh_schemas(&n);

    (void)state;
    for (size_t s = 0; s < n; s++) {
        struct oracle o;

        oracle_init(&o, &list[s], s + 200);
        for (unsigned i = 0; i < DAMAGES; i++) {
            if (i % (DAMAGES / VALUES) == 0) {
                oracle_next(&o);
            }
            for (unsigned hits = 1 + th_random_below(&o.random, 3); hits > 0; hits--) {
                size_t at = th_random_below(&o.random, (unsigned)o.len);

                o.bytes[at] = extremes[th_random_below(&o.random, sizeof(extremes))];
            }
            try_damaged(&o, o.bytes, o.len, false);
        }
        oracle_done(&o);
    }
}

/* Lengths and counts that a sender makes up: none of them is believed. */
static void test_made_up_sizes(void **state)
{
    static const char huge[] = "\0\0\0\0\1\xFE\xFF\xFF\xFF\x0F";
    static const char negative[] = "\0\0\0\0\1\x01";
    static const char endless[] = "\0\0\0\0\1\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    struct oracle o;

    (void)state;
    oracle_init(&o, wh_schema_current(WH_SCHEMA_RAW_EVENT), 1);
    try_damaged(&o, huge, sizeof(huge) - 1, true);
    try_damaged(&o, negative, sizeof(negative) - 1, true);
    try_damaged(&o, endless, sizeof(endless) - 1, true);
    oracle_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_agree),    cmocka_unit_test(test_avro_c_reads_ours),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_made_up_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
