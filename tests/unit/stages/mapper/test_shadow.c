/* What another view file would change, by a consumer that reads from memory. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/mapper/shadow.h"
#include "tests/lib/th_map.h"
#include "tests/lib/th_tmp.h"

enum { RECORDS_MAX = 16 };

struct source {
    struct wh_consumer base;
    struct wh_buf records[RECORDS_MAX];
    int64_t n;
    int64_t at;
};

static enum wh_rc source_assign(struct wh_consumer *c, const struct wh_bus_partition *parts,
                                size_t n, struct wh_err *err)
{
    (void)parts, (void)n, (void)err;
    ((struct source *)c)->at = 0;
    return WH_OK;
}

static enum wh_rc source_poll(struct wh_consumer *c, int timeout_ms, size_t max,
                              struct wh_bus_msg *out, size_t *ret_n, struct wh_err *err)
{
    struct source *s = (struct source *)c;

    (void)timeout_ms, (void)err;
    for (*ret_n = 0; *ret_n < max && s->at < s->n; s->at++) {
        out[(*ret_n)++] = (struct wh_bus_msg){
            .topic = "raw", .offset = s->at, .value = wh_buf_slice(&s->records[s->at])};
    }
    return WH_OK;
}

static const struct wh_consumer_ops source_ops = {.assign = source_assign, .poll = source_poll};

static void put(struct source *s, const char *kind, const char *payload)
{
    const struct wh_raw_event e = {.connection = WH_LIT("c"),
                                   .instance = WH_LIT(TH_MAP_INSTANCE),
                                   .origin = WH_ORIGIN_REST,
                                   .kind = wh_slice_str(kind),
                                   .project = WH_LIT("14"),
                                   .observed_at_ms = TH_MAP_OBSERVED,
                                   .payload = wh_slice_str(payload)};
    struct wh_err err;

    wh_buf_init(&s->records[s->n], 1 << 16);
    th_ok(wh_raw_event_encode(&e, &s->records[s->n++], &err), &err);
}

/* The report on what the text of a view file would change. */
static void report_of(struct source *s, const char *views, struct wh_buf *out)
{
    const struct wh_bus_partition begin = {"raw", 0, WH_OFFSET_BEGINNING};
    const struct wh_bus_partition end = {"raw", 0, s->n};
    struct mapper_views *before;
    struct mapper_views *after;
    char *dir = th_tmp_new();
    char path[512];
    struct wh_err err;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/view.json", dir);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(views, f) >= 0);
    assert_int_equal(fclose(f), 0);
    th_ok(mapper_views_load(NULL, &before, &err), &err);
    th_ok(mapper_views_load_over(NULL, path, &after, &err), &err);
    wh_buf_reset(out);
    th_ok(shadow_run(&(struct shadow_conf){.before = before,
                                           .after = after,
                                           .consumer = &s->base,
                                           .begins = &begin,
                                           .ends = &end,
                                           .n = 1,
                                           .max_bytes = 1 << 20,
                                           .max_depth = 64},
                     out, &err),
          &err);
    mapper_views_free(before);
    mapper_views_free(after);
    th_tmp_remove(dir);
}

static void says(const struct wh_buf *report, const char *part)
{
    if (strstr(wh_buf_str(report), part) == NULL) {
        fail_msg("'%s' is not in: %s", part, wh_buf_str(report));
    }
}

#define ISSUE(id, at, title)                                                                       \
    "{\"id\":" id ",\"title\":\"" title "\",\"labels\":[],\"description\":\"d\",\"updated_at\":"   \
    "\"2026-11-" at "T00:00:00Z\",\"web_url\":\"https://gitlab.example.com/a/b/-/issues/" id "\"}"

static int setup(void **state)
{
    struct source *s = wh_mem_zalloc(1, sizeof(*s));

    assert_non_null(s);
    s->base.ops = &source_ops;
    /* Of issue 2 the older event comes last. */
    put(s, "issue", ISSUE("1", "01", "fix: a"));
    put(s, "issue", ISSUE("2", "03", "plain"));
    put(s, "issue", ISSUE("2", "02", "fix: b"));
    put(s, "issue", "{\"id\":");
    put(s, "user", "{\"id\":7,\"name\":\"n\"}");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct source *s = *state;

    for (int64_t i = 0; i < s->n; i++) {
        wh_buf_done(&s->records[i]);
    }
    wh_mem_free(s);
    return 0;
}

/* What only an older event says differently is no change of the entity. */
static void test_changed(void **state)
{
    WH_AUTO(buf) struct wh_buf report;

    wh_buf_init(&report, 1 << 20);
    report_of(*state,
              "{\"edition\":4,\"categories\":{\"work_item\":[{\"category\":\"repair\",\"title\":"
              "[\"fix:*\"]}]}}",
              &report);
    says(&report, "\"records\":5");
    says(&report, "\"before\":{\"edition\":0,\"dead_letters\":1}");
    says(&report, "\"after\":{\"edition\":4,\"dead_letters\":1}");
    says(&report, "\"entities\":{\"changed\":1,\"added\":0,\"removed\":0,\"not_compared\":0}");
    says(&report, "\"url\":\"https://gitlab.example.com/a/b/-/issues/1\",\"before\":\"fix, title\","
                  "\"after\":\"repair, title\"");
}

static void test_nothing(void **state)
{
    WH_AUTO(buf) struct wh_buf report;

    wh_buf_init(&report, 1 << 20);
    report_of(*state, "{\"edition\":9}", &report);
    says(&report,
         "\"entities\":{\"changed\":0,\"added\":0,\"removed\":0,\"not_compared\":0},\"fields\":[]");
}

/* A kind that is ignored: its entities would be gone. */
static void test_removed(void **state)
{
    WH_AUTO(buf) struct wh_buf report;

    wh_buf_init(&report, 1 << 20);
    report_of(*state, "{\"ignore\":[{\"origin\":[\"rest\"],\"kind\":[\"user\"]}]}", &report);
    says(&report,
         "\"entities\":{\"changed\":0,\"added\":0,\"removed\":1,\"not_compared\":0},\"fields\":[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
