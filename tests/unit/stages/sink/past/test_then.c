/*
 * The reader of the past: at any time, everything that it finds, and the order in which it finds it, is what
 * it finds in a store that was given only what had been stored by then.
 */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/sink/past/past.h"
#include "tests/lib/th_past.h"

enum {
    OBSERVATIONS = 150,
    ENTITIES = 22,
    SEEDS = 3,
    STEP = 5 * TH_PAST_AT_ONCE,
    TEXT_MAX_BYTES = 8 << 20,
    ARENA_MAX_BYTES = 64 << 20,
};

struct reader {
    struct past *past;
    struct wh_arena arena;
    struct wh_buf text; /* all that it found */
};

static void reader_init(struct reader *r, struct wh_store *store,
                        const struct wh_history_when *when)
{
    const struct past_conf conf = {.store = store, .when = when};
    struct wh_err err;

    wh_arena_init(&r->arena, 1 << 16, ARENA_MAX_BYTES);
    wh_buf_init(&r->text, TEXT_MAX_BYTES);
    th_ok(past_new(&conf, &r->past, &err), &err);
}

static void reader_done(struct reader *r)
{
    past_free(r->past);
    wh_arena_done(&r->arena);
    wh_buf_done(&r->text);
}

static void say(struct reader *r, const char *what, struct wh_slice text)
{
    struct wh_err err;

    th_ok(wh_buf_printf(&r->text, &err, "%s %.*s\n", what, WH_SLICE_ARG(text)), &err);
}

/*
 * Names of these follow from several fields, which random observations show one without the other. A real one
 * shows the type of a work item with its labels, and all columns of a row.
 */
static bool has_names_of_one_observation(const struct past_found *found)
{
    return found->kind != WH_KIND_WORK_ITEM && found->kind != WH_KIND_SERVICE_OWNERSHIP;
}

static void say_all(struct reader *r, const char *what, struct past_scan *scan)
{
    struct past_found found;
    struct wh_err err;
    bool more = true;

    while (more) {
        char id[WH_ENTITY_ID_TEXT + 1];

        th_ok(past_next(scan, &found, &more, &err), &err);
        if (more && (found.name.len == 0 || has_names_of_one_observation(&found))) {
            th_ok(wh_buf_printf(&r->text, &err, "%s: %d %s %u %llx.%llx %.*s\n", what,
                                (int)found.kind, wh_entity_id_format(&found.id, id), found.field,
                                (unsigned long long)found.version.order,
                                (unsigned long long)found.version.tie, WH_SLICE_ARG(found.name)),
                  &err);
        }
    }
    past_scan_free(scan);
}

/* ---- everything that can be asked ---- */

static void ask_of_head(struct reader *r, enum wh_kind kind, const struct wh_entity_id *id)
{
    const struct wh_head *head = NULL;
    struct past_found found;
    struct wh_slice text;
    struct wh_err err;
    bool there = false;

    th_ok(past_head(r->past, kind, id, &r->arena, &head, &err), &err);
    if (head == NULL) {
        return;
    }
    th_ok(past_text(r->past, head, "title", &r->arena, &text, &err), &err);
    say(r, head->deleted ? "deleted" : "live", text);
    say(r, "name", past_string(head, "name"));
    if (head->source.url.len) {
        th_ok(past_by_url(r->past, head->source.url, &found, &there, &err), &err);
        say(r, there ? "found" : "lost", head->source.url);
    }
}

static void ask_of_kind(struct reader *r, enum wh_kind kind, const struct wh_entity_id *project)
{
    struct past_scan *scan = NULL;
    struct wh_err err;

    if (wh_kind_field(wh_kind_def(kind), WH_LIT("project")) >= 0) {
        th_ok(past_of_project(r->past, kind, project, &scan, &err), &err);
        say_all(r, "of project", scan);
    }
}

static void ask_of_values(struct reader *r, enum wh_kind kind)
{
    struct past_scan *scan = NULL;
    struct wh_err err;

    if (wh_kind_field(wh_kind_def(kind), WH_LIT("created_at")) >= 0) {
        th_ok(past_by_time(r->past, kind, "created_at", 0, 5, &scan, &err), &err);
        say_all(r, "created", scan);
        th_ok(past_by_time(r->past, kind, "created_at", 1, 1, &scan, &err), &err);
        say_all(r, "created at 1", scan);
    }
    if (wh_kind_field(wh_kind_def(kind), WH_LIT("sha")) >= 0) {
        th_ok(past_by_commit(r->past, kind, "sha", WH_LIT("value-1"), &scan, &err), &err);
        say_all(r, "commit", scan);
    }
}

static void ask_of_names(struct reader *r, bool mentions)
{
    static const char *const names[] = {"service:value-1-0", "customer:value-2-0",
                                        "email:value-1-0", "label:label-1-0", "service:label-0-0"};
    struct past_scan *scan = NULL;
    struct wh_err err;

    th_ok(past_names(r->past, mentions, WH_LIT(""), &scan, &err), &err);
    say_all(r, "names", scan);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct wh_slice name = wh_slice_str(names[i]);

        th_ok(mentions ? past_mentioners(r->past, name, &scan, &err)
                       : past_claimants(r->past, name, &scan, &err),
              &err);
        say_all(r, names[i], scan);
    }
}

static void ask_everything(struct reader *r, const struct th_encoded *list)
{
    struct past_scan *scan = NULL;
    struct wh_err err;

    for (size_t i = 0; i < OBSERVATIONS; i++) {
        const struct wh_entity_id *id = &list[i].id;

        th_ok(past_links_from(r->past, id, &scan, &err), &err);
        say_all(r, "links from", scan);
        th_ok(past_links_to(r->past, id, &scan, &err), &err);
        say_all(r, "links to", scan);
        for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
            ask_of_head(r, (enum wh_kind)k, id);
            ask_of_kind(r, (enum wh_kind)k, id);
        }
        wh_arena_reset(&r->arena);
    }
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        th_ok(past_each(r->past, (enum wh_kind)k, &scan, &err), &err);
        say_all(r, "each", scan);
        ask_of_values(r, (enum wh_kind)k);
    }
    ask_of_names(r, false);
    ask_of_names(r, true);
}

static void same(const struct reader *got, const struct reader *want, int64_t at_ms, uint64_t seed)
{
    const char *a = wh_buf_str(&got->text);
    const char *b = wh_buf_str(&want->text);
    size_t line = 0;

    for (size_t i = 0; a[i] || b[i]; i++) {
        if (a[i] != b[i]) {
            fail_msg("seed %llu at %lld:\n%.300s\nwant\n%.300s", (unsigned long long)seed,
                     (long long)at_ms, a + line, b + line);
        }
        line = a[i] == '\n' ? i + 1 : line;
    }
}

static void everything_is_found_as_it_was(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct th_encoded *list = th_observations_new(seed, OBSERVATIONS, ENTITIES, 0);
        struct wh_store *all = th_past_store(list, OBSERVATIONS);

        for (size_t n = STEP; n <= OBSERVATIONS; n += STEP) {
            const struct wh_history_when when = {(int64_t)(n / TH_PAST_AT_ONCE) - 1, INT64_MAX};
            struct wh_store *then = th_past_store(list, n);
            struct reader got;
            struct reader want;

            reader_init(&got, all, &when);
            reader_init(&want, then, NULL);
            ask_everything(&got, list);
            ask_everything(&want, list);
            same(&got, &want, when.stored_ms, seed);
            reader_done(&got);
            reader_done(&want);
            wh_store_free(then);
        }
        wh_store_free(all);
        th_observations_free(list, OBSERVATIONS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_found_as_it_was),
    };

    return cmocka_run_group_tests_name("sink/past/then", tests, NULL, NULL);
}
