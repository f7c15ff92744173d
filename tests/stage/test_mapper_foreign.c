/* Raw events that another producer wrote with a schema of its own, by way of a registry. */
#include <string.h>

#include "common/avro/wire.h"
#include "common/base/be.h"
#include "common/event/messages.h"
#include "common/json/json_write.h"
#include "tests/lib/httpc_script.h"
#include "tests/lib/th_mapper.h"

enum { NEWER = 4711, INCOMPLETE = 4712, NOBODYS = 4713, NEXT_VERSION = 99 };

/* avro-c keeps a schema that names a type twice (generic.h). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:avro_schema_link\nleak:avro_schema_from_json\n";
}

#define RECORD(fields) "{'type':'record','name':'RawEvent','fields':[" fields "]}"
#define FIELD(name, type) "{'name':'" name "','type':" type "}"
#define TEXT(name) FIELD(name, "'string'")
#define TEXTS TEXT("instance") "," TEXT("origin") "," TEXT("kind") "," TEXT("object_id")
#define HEADER "{'type':'record','name':'Header','fields':[" TEXT("name") "," TEXT("value") "]}"
/* With ' for ". */
static const char newer_schema[] =
    RECORD(FIELD("note", "'double'") "," FIELD("payload", "'bytes'") "," TEXT(
        "connection") "," TEXTS
                      "," FIELD("project", "['null','string']") "," FIELD(
                          "observed_at",
                          "'int'") "," TEXT("delivery_id") "," FIELD("headers",
                                                                     "{'type':'array','items'"
                                                                     ":" HEADER "}"));
static const char incomplete_schema[] = RECORD(FIELD("payload", "'bytes'"));

struct fixture {
    struct th_mapper *s;
    struct th_script *registry;
    struct foreign *foreign;
    bool down;
};

static bool ends(struct wh_slice url, const char *end)
{
    size_t n = strlen(end);

    return url.len >= n && memcmp(url.ptr + url.len - n, end, n) == 0;
}

static void on_request(void *ctx, struct wh_slice url, struct wh_slice secret,
                       struct th_script_answer *answer)
{
    const struct fixture *f = ctx;
    struct wh_json_writer w;
    struct wh_err err;

    assert_true(wh_slice_starts(url, WH_LIT("http://registry/schemas/ids/")));
    assert_true(wh_slice_eq(secret, WH_LIT("t0ken")));
    answer->status = 404;
    if (f->down) {
        answer->rc = WH_E_NET;
        return;
    }
    wh_json_writer_init(&w, &answer->body);
    wh_jw_object(&w);
    if (ends(url, "/4711") || ends(url, "/4712")) {
        char text[2048];

        (void)snprintf(text, sizeof(text), "%s",
                       ends(url, "/4711") ? newer_schema : incomplete_schema);
        for (char *quote = strchr(text, '\''); quote; quote = strchr(quote, '\'')) {
            *quote = '"';
        }
        answer->status = 200;
        wh_jw_put_str(&w, "schema", wh_slice_str(text));
    } else {
        wh_jw_put_int(&w, "error_code", 40403);
    }
    wh_jw_end(&w);
    th_ok(wh_jw_finish(&w, &err), &err);
}

static int64_t now(void *ctx)
{
    return ((struct fixture *)ctx)->s->now_ms;
}

static int set_up(void **state)
{
    static struct fixture f;
    void *mapper;
    struct foreign_conf conf = {
        .registry_url = "http://registry", .token = "t0ken", .clock = {.now_ms = now, .ctx = &f}};
    struct mapper_conf mc;
    struct wh_err err;

    memset(&f, 0, sizeof(f));
    assert_int_equal(th_mapper_setup(&mapper), 0);
    f.s = mapper;
    f.registry = th_script_new(on_request, &f);
    assert_non_null(f.registry);
    conf.http = th_script_http(f.registry);
    th_ok(foreign_new(&conf, &f.foreign, &err), &err);
    f.s->foreign = f.foreign;
    mapper_conf_init(&mc);
    mc.breaker_retry_ms = 60000;
    th_mapper_start(f.s, &mc, 1000);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    void *mapper = f->s;

    th_mapper_stop(f->s);
    foreign_free(f->foreign);
    th_script_free(f->registry);
    return th_mapper_teardown(&mapper);
}

static void frame(struct wh_buf *out, int32_t id)
{
    unsigned char bytes[5] = {0};
    struct wh_err err;

    wh_buf_reset(out);
    wh_be_put32(bytes + 1, (uint32_t)id);
    th_ok(wh_buf_append(out, wh_slice(bytes, sizeof(bytes)), &err), &err);
}

/* Issue `id`, as the newer schema has it. */
static void put_newer(struct fixture *f, unsigned id)
{
    struct wh_buf *out = &f->s->value;
    struct wh_avro_writer w;
    struct wh_err err;
    char json[128];

    frame(out, NEWER);
    (void)snprintf(json, sizeof(json), "{\"id\":%u," TH_MAPPER_AT "}", id);
    wh_avro_writer_init(&w, out, &err);
    wh_avro_write_double(&w, 0.5);
    wh_avro_write_bytes(&w, wh_slice_str(json));
    wh_avro_write_bytes(&w, WH_LIT("c1"));
    wh_avro_write_bytes(&w, WH_LIT("https://gitlab.example.com"));
    wh_avro_write_bytes(&w, WH_LIT("import"));
    wh_avro_write_bytes(&w, WH_LIT("issue"));
    wh_avro_write_bytes(&w, WH_LIT("9"));
    wh_avro_write_long(&w, 1);
    wh_avro_write_bytes(&w, WH_LIT("14"));
    wh_avro_write_long(&w, 1700000000);
    wh_avro_write_bytes(&w, WH_LIT("d"));
    wh_avro_write_long(&w, 0);
    assert_int_equal(w.rc, WH_OK);
    th_mapper_put_bytes(f->s, "c1", wh_buf_slice(out));
}

static void put_id(struct fixture *f, int32_t id)
{
    struct wh_err err;

    frame(&f->s->value, id);
    th_ok(wh_buf_append(&f->s->value, WH_LIT("\2x"), &err), &err);
    th_mapper_put_bytes(f->s, "c1", wh_buf_slice(&f->s->value));
}

static void letter_says(const struct fixture *f, size_t index, const char *part)
{
    const struct wh_bus_header *headers;
    struct wh_dead_letter d;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    assert_true(wh_bus_mem_get(f->s->bus, "wellhead.dead-letter.c1", index, &msg, &headers, &n));
    th_ok(wh_dead_letter_decode(msg.value, &d, &err), &err);
    if (memmem(d.text.ptr, d.text.len, part, strlen(part)) == NULL) {
        fail_msg("'%s' is not in: %.*s", part, WH_SLICE_ARG(d.text));
    }
    assert_int_equal(d.value.ptr[0], 0);
}

static size_t letters(const struct fixture *f)
{
    return wh_bus_mem_count(f->s->bus, "wellhead.dead-letter.c1");
}

static bool is_held(const struct fixture *f)
{
    struct wh_heartbeat h = {0};

    mapper_held(f->s->mapper, &h);
    return h.n_held != 0;
}

/* ---- cases ---- */

static void a_newer_event_is_mapped(void **state)
{
    struct fixture *f = *state;

    put_newer(f, 5);
    put_newer(f, 6);
    th_mapper_run(f->s, 1);
    assert_int_equal(th_script_waiting(f->registry), 1);
    assert_false(th_mapper_has_issue(f->s, "c1", 5));
    th_script_answer_one(f->registry, 0);
    th_mapper_run(f->s, 20);
    assert_true(th_mapper_has_issue(f->s, "c1", 5));
    assert_true(th_mapper_has_issue(f->s, "c1", 6));
    assert_int_equal(th_script_started(f->registry), 1);
    assert_int_equal(th_mapper_committed(f->s, "c1"), 2);
    assert_int_equal(letters(f), 0);
    assert_false(is_held(f));
}

static void what_cannot_be_resolved_is_a_dead_letter(void **state)
{
    struct fixture *f = *state;

    put_id(f, INCOMPLETE);
    put_id(f, NOBODYS);
    put_id(f, NEWER);
    th_mapper_put_issue(f->s, "c1", WH_ORIGIN_REST, 7);
    for (int i = 0; i < 3; i++) {
        th_mapper_run(f->s, 1);
        th_script_answer_one(f->registry, 0);
    }
    th_mapper_run(f->s, 20);
    assert_int_equal(letters(f), 3);
    letter_says(f, 0, "RawEvent cannot be read as wellhead.RawEvent: Reader field");
    letter_says(f, 1, "the registry has no schema id 4713");
    letter_says(f, 2, "schema id 4711: ");
    assert_true(th_mapper_has_issue(f->s, "c1", 7));
    assert_int_equal(th_mapper_committed(f->s, "c1"), 4);
}

/* A newer version of ours is not in everybody's registry. */
static void the_next_version_of_ours_waits(void **state)
{
    struct fixture *f = *state;

    put_id(f, NEXT_VERSION);
    th_mapper_put_issue(f->s, "c1", WH_ORIGIN_REST, 7);
    th_mapper_run(f->s, 1);
    th_script_answer_one(f->registry, 0);
    th_mapper_run(f->s, 20);
    assert_int_equal(letters(f), 0);
    assert_true(is_held(f));
    assert_true(th_mapper_has_issue(f->s, "c1", 7));
    assert_int_equal(th_mapper_committed(f->s, "c1"), WH_OFFSET_STORED);
}

static void a_registry_that_is_away_holds_only_these(void **state)
{
    struct fixture *f = *state;

    f->down = true;
    put_newer(f, 5);
    th_mapper_put_issue(f->s, "c1", WH_ORIGIN_REST, 7);
    th_mapper_put_issue(f->s, "c2", WH_ORIGIN_REST, 8);
    th_mapper_run(f->s, 1);
    th_script_answer_one(f->registry, 0);
    th_mapper_run(f->s, 10);
    assert_true(is_held(f));
    assert_true(th_mapper_has_issue(f->s, "c1", 7));
    assert_true(th_mapper_has_issue(f->s, "c2", 8));
    assert_int_equal(letters(f), 0);
    /* While the stream is held nothing is asked for it. */
    put_newer(f, 6);
    put_id(f, NOBODYS);
    th_mapper_run(f->s, 200);
    assert_int_equal(th_script_started(f->registry), 1);
    f->down = false;
    for (int i = 0; i < 800 && !th_mapper_has_issue(f->s, "c1", 6); i++) {
        th_mapper_run(f->s, 1);
        if (th_script_waiting(f->registry)) {
            th_script_answer_one(f->registry, 0);
        }
    }
    assert_true(th_mapper_has_issue(f->s, "c1", 5));
    assert_true(th_mapper_has_issue(f->s, "c1", 6));
}

/* The mapper waits half a second at most. */
static void a_registry_that_hangs_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;

    put_newer(f, 5);
    th_mapper_put_issue(f->s, "c2", WH_ORIGIN_REST, 8);
    th_mapper_run(f->s, 3);
    assert_false(is_held(f));
    th_mapper_run(f->s, 5);
    assert_true(is_held(f));
    assert_true(th_mapper_has_issue(f->s, "c2", 8));
    assert_int_equal(th_script_started(f->registry), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_newer_event_is_mapped),
        T(what_cannot_be_resolved_is_a_dead_letter),
        T(the_next_version_of_ours_waits),
        T(a_registry_that_is_away_holds_only_these),
        T(a_registry_that_hangs_does_not_stop_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
