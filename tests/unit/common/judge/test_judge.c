/* A table of cases: a healthy pipeline, what is changed in it, and what must be said of it. */
#include "common/judge/judge.h"

#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

enum { NOW = 1764000000, PROCESSES = 6, FLOWS = 3, CONNECTIONS = 3, LETTERS = 2 };

#define S(n) ((int64_t)(n)*1000)
static const int64_t now_ms = S(NOW);

struct world {
    struct wh_seen_process processes[PROCESSES];
    struct wh_seen_flow flows[FLOWS];
    struct wh_seen_connection connections[CONNECTIONS];
    struct wh_seen_letters letters[LETTERS];
    struct wh_heartbeat_held held;
    struct wh_evidence e;
};

enum { FETCHER, INTAKE, MAPPER, SINK, SECOND_MAPPER };

static struct wh_seen_process alive(struct wh_slice stage, const char *process)
{
    return (struct wh_seen_process){.beat = {.stage = stage,
                                             .process = wh_slice_str(process),
                                             .at_ms = now_ms - S(1),
                                             .started_ms = now_ms - S(900),
                                             .ready = true},
                                    .seen_ms = now_ms - S(1)};
}

static struct wh_seen_flow flow(const char *topic, struct wh_slice stage)
{
    return (struct wh_seen_flow){.topic = wh_slice_str(topic),
                                 .connection = WH_LIT("gl"),
                                 .stage = stage,
                                 .advanced_ms = now_ms,
                                 .patience_ms = WH_JUDGE_PATIENCE_MS};
}

static void healthy_world(struct world *w)
{
    *w = (struct world){
        .processes = {alive(WH_LIT("fetcher"), "h-8701"), alive(WH_LIT("webhook-intake"), "h-8702"),
                      alive(WH_LIT("mapper"), "h-8703"), alive(WH_LIT("sink"), "h-8704")},
        .flows = {flow("raw.gl", WH_LIT("mapper")), flow("entities.gl", WH_LIT("sink"))},
        .connections = {{WH_LIT("gl"), WH_LIT("https://gl"), WH_LIT("enabled"), WH_LIT("")}}};
    w->e = (struct wh_evidence){.now_ms = now_ms,
                                .since_ms = now_ms - S(600),
                                .observer = WH_LIT("h-8704"),
                                .kafka_error = WH_LIT(""),
                                .processes = w->processes,
                                .n_processes = 4,
                                .flows = w->flows,
                                .n_flows = 2,
                                .connections = w->connections,
                                .n_connections = 1,
                                .letters = w->letters};
}

/* ---- what is changed ---- */

static void nothing(struct world *w)
{
    (void)w;
}

static void silent(struct world *w, int which, int64_t seconds)
{
    w->processes[which].seen_ms = now_ms - S(seconds);
    w->processes[which].beat.at_ms = now_ms - S(seconds);
}

static void silent_fetcher(struct world *w)
{
    silent(w, FETCHER, 16);
}
static void silent_intake(struct world *w)
{
    silent(w, INTAKE, 16);
}
static void silent_mapper(struct world *w)
{
    silent(w, MAPPER, 16);
    w->flows[0].lag_records = 7;
    w->flows[0].advanced_ms = now_ms - S(60);
}
static void nearly_silent_mapper(struct world *w)
{
    silent(w, MAPPER, 15);
}
static void silent_sink(struct world *w)
{
    silent(w, SINK, 16);
}

static void stopped_mapper(struct world *w)
{
    w->processes[MAPPER].beat.stopped = true;
}

static void never_a_mapper(struct world *w)
{
    w->processes[MAPPER] = w->processes[SINK];
    w->e.n_processes = 3;
}

static void young_observer(struct world *w)
{
    w->e.since_ms = now_ms - S(3);
    for (int i = 0; i < 4; i++) {
        w->processes[i].seen_ms = 0;
    }
}

static void old_observer_that_never_saw_the_mapper(struct world *w)
{
    w->processes[MAPPER].seen_ms = 0;
}

static void observer_that_did_not_look(struct world *w)
{
    w->e.since_ms = now_ms - S(1);
    for (int i = 0; i < 4; i++) {
        silent(w, i, 300);
    }
}

static void two_mappers(struct world *w)
{
    w->processes[SECOND_MAPPER] = alive(WH_LIT("mapper"), "other-8703");
    w->e.n_processes = 5;
}

static void one_of_two_mappers_lost(struct world *w)
{
    two_mappers(w);
    silent(w, SECOND_MAPPER, 100);
}

static void one_of_two_mappers_replaced(struct world *w)
{
    one_of_two_mappers_lost(w);
    w->processes[MAPPER].beat.started_ms = now_ms - S(99);
}

static void one_of_two_mappers_lost_for_long(struct world *w)
{
    two_mappers(w);
    silent(w, SECOND_MAPPER, 3601);
}

static void not_ready(struct world *w)
{
    w->processes[SINK].beat.ready = false;
    w->processes[SINK].beat.reason = WH_LIT("the disk is full");
}

static void breaker(struct world *w)
{
    w->held = (struct wh_heartbeat_held){WH_LIT("gl"), WH_LIT("webhook"),
                                         WH_LIT("90 of the last 100 events failed"), now_ms - S(9)};
    w->processes[MAPPER].beat.held = &w->held;
    w->processes[MAPPER].beat.n_held = 1;
    w->processes[MAPPER].beat.ready = false;
    w->processes[MAPPER].beat.reason = WH_LIT("breaker");
}

static void stuck_for(struct world *w, int which, int64_t seconds)
{
    w->flows[which].lag_records = 5;
    w->flows[which].advanced_ms = now_ms - S(seconds);
}

static void stuck_mapper(struct world *w)
{
    stuck_for(w, 0, 21);
}
static void stuck_sink(struct world *w)
{
    stuck_for(w, 1, 21);
}
static void nearly_stuck_mapper(struct world *w)
{
    stuck_for(w, 0, 20);
}
static void busy_mapper(struct world *w)
{
    w->flows[0].lag_records = 100000;
    w->flows[0].lag_ms = S(3000);
}
static void breaker_and_its_records(struct world *w)
{
    breaker(w);
    stuck_mapper(w);
}
static void breaker_of_another_connection(struct world *w)
{
    breaker_and_its_records(w);
    w->held.connection = WH_LIT("other");
}
static void patient(struct world *w)
{
    stuck_for(w, 0, 4000);
    w->flows[0].patience_ms = 0;
}
static void unknown_lag(struct world *w)
{
    w->flows[1].lag_records = -1;
}

static void no_kafka(struct world *w)
{
    w->e.kafka_error = WH_LIT("no broker answers");
    for (int i = 0; i < 4; i++) {
        silent(w, i, 60);
    }
}

static void no_kafka_and_a_refused_token(struct world *w)
{
    no_kafka(w);
    w->connections[0].state = WH_LIT("need_reconnect");
}

static void state(struct world *w, struct wh_slice word)
{
    w->connections[0].state = word;
    w->connections[0].detail = WH_LIT("the detail");
}

static void first_sync(struct world *w)
{
    state(w, WH_LIT("processing"));
}
static void disconnected(struct world *w)
{
    state(w, WH_LIT("disabled"));
}
static void to_configure(struct world *w)
{
    state(w, WH_LIT("to_configure"));
}
static void degraded(struct world *w)
{
    state(w, WH_LIT("degraded"));
}
static void failing(struct world *w)
{
    state(w, WH_LIT("error"));
}
static void suspended(struct world *w)
{
    state(w, WH_LIT("suspended"));
}
static void refused(struct world *w)
{
    state(w, WH_LIT("need_reconnect"));
}
static void word_of_tomorrow(struct world *w)
{
    state(w, WH_LIT("hibernating"));
}
static void no_connection(struct world *w)
{
    w->e.n_connections = 0;
}

static void letters(struct world *w)
{
    w->letters[0] = (struct wh_seen_letters){WH_LIT("gl"), WH_LIT("mapper"), WH_LIT("poison"), 15};
    w->letters[1] = (struct wh_seen_letters){WH_LIT("gl"), WH_LIT("sink"), WH_LIT("poison"), 0};
    w->e.n_letters = 2;
}

/* The document still says that all is well, but reads have stood still for an hour. */
static void hanging_reads(struct world *w)
{
    static struct wh_streams all;

    all = (struct wh_streams){.connection = WH_LIT("gl"),
                              .at_ms = now_ms - S(3600),
                              .started_ms = now_ms - S(9000),
                              .interval_ms = S(300),
                              .succeeded_ms = now_ms - S(3600),
                              .n = 1};
    all.list[0] = (struct wh_stream){.name = WH_LIT("issues"),
                                     .read_by = WH_LIT("rest"),
                                     .projects = 1,
                                     .last_success_ms = now_ms - S(3600)};
    w->connections[0].streams = &all;
}

static void hanging_reads_of_a_dead_fetcher(struct world *w)
{
    hanging_reads(w);
    silent_fetcher(w);
}

static void hanging_reads_of_a_disconnected_one(struct world *w)
{
    hanging_reads(w);
    disconnected(w);
}

/* ---- the table ---- */

#define OK WH_VERDICT_HEALTHY
#define BAD WH_VERDICT_NOT_HEALTHY
#define OPEN WH_VERDICT_UNKNOWN

static const struct {
    const char *name;
    void (*change)(struct world *w);
    enum wh_verdict verdict;
    size_t n;            /* findings */
    const char *subject; /* of the first one */
    const char *text;    /* part of it */
    const char *advice;  /* part of it */
} cases[] = {
    {"all is well", nothing, OK, 0, NULL, NULL, NULL},
    {"silent fetcher", silent_fetcher, BAD, 1, "fetcher", "h-8701 has been silent", "start it"},
    {"silent intake", silent_intake, BAD, 1, "webhook-intake", "h-8702 has been silent", "start"},
    {"silent mapper", silent_mapper, BAD, 1, "mapper", "hangs; 7 records wait", "doctor"},
    {"nearly silent mapper", nearly_silent_mapper, OK, 0, NULL, NULL, NULL},
    {"silent sink", silent_sink, BAD, 1, "sink", "it has stored nothing", "doctor"},
    {"stopped mapper", stopped_mapper, BAD, 1, "mapper", "it was stopped at 2025-", "start it"},
    {"never a mapper", never_a_mapper, OPEN, 1, "mapper", "no heartbeat of it has ever", "start"},
    {"young observer", young_observer, OPEN, 4, "fetcher", "no heartbeat of it has come yet", ""},
    {"a mapper that was gone before", old_observer_that_never_saw_the_mapper, BAD, 1, "mapper",
     "silent", ""},
    {"an observer that did not look", observer_that_did_not_look, OK, 0, NULL, NULL, NULL},
    {"two mappers", two_mappers, OK, 0, NULL, NULL, NULL},
    {"one of two mappers", one_of_two_mappers_lost, BAD, 1, "mapper", "other-8703", "start it"},
    {"replaced mapper", one_of_two_mappers_replaced, OK, 0, NULL, NULL, NULL},
    {"long lost mapper", one_of_two_mappers_lost_for_long, OK, 0, NULL, NULL, NULL},
    {"not ready", not_ready, BAD, 1, "sink", "not ready: the disk is full", "log"},
    {"breaker", breaker, BAD, 1, "mapper", "breaker is open for gl, webhook since 2025-", "sql"},
    {"stuck mapper", stuck_mapper, BAD, 1, "mapper", "5 records of raw.gl wait, and none", "log"},
    {"breaker and its records", breaker_and_its_records, BAD, 1, "mapper", "breaker", "sql"},
    {"breaker of another connection", breaker_of_another_connection, BAD, 2, "mapper",
     "open for other", "sql"},
    {"stuck sink", stuck_sink, BAD, 1, "sink", "5 records of entities.gl", "log"},
    {"nearly stuck", nearly_stuck_mapper, OK, 0, NULL, NULL, NULL},
    {"busy", busy_mapper, OK, 0, NULL, NULL, NULL},
    {"patient", patient, OK, 0, NULL, NULL, NULL},
    {"unknown lag", unknown_lag, OPEN, 1, "sink", "behind in entities.gl is not known", "doctor"},
    {"no Kafka", no_kafka, OPEN, 1, "kafka", "no broker answers", "start the broker"},
    {"no Kafka, no token", no_kafka_and_a_refused_token, BAD, 2, "connection gl", "need_reconnect",
     "`wellhead connect https://gl`"},
    {"first sync", first_sync, OK, 1, "connection gl", "first sync is under way", ""},
    {"disconnected", disconnected, OK, 1, "connection gl", "disconnected: nothing", ""},
    {"to configure", to_configure, OK, 1, "connection gl", "not connected yet", ""},
    {"degraded", degraded, BAD, 1, "connection gl", "degraded: the detail", "`wellhead status`"},
    {"failing", failing, BAD, 1, "connection gl", "error: the detail", "`wellhead status`"},
    {"hanging reads", hanging_reads, BAD, 1, "connection gl",
     "error: issues was read last at 2025-", "`wellhead status`"},
    {"hanging reads of a dead fetcher", hanging_reads_of_a_dead_fetcher, BAD, 1, "fetcher",
     "silent", "start it"},
    {"hanging reads of a disconnected one", hanging_reads_of_a_disconnected_one, OK, 1,
     "connection gl", "disconnected: nothing", ""},
    {"suspended", suspended, BAD, 1, "connection gl", "suspended: the detail", ""},
    {"refused", refused, BAD, 1, "connection gl", "need_reconnect",
     "`wellhead connect https://gl`"},
    {"a word of tomorrow", word_of_tomorrow, BAD, 1, "connection gl", "hibernating", ""},
    {"no connection", no_connection, OK, 1, "connections", "none yet", "`wellhead connect URL`"},
    {"dead letters", letters, OK, 1, "connection gl", "15 dead letters of the mapper (poison)",
     "`wellhead replay gl --dead-letters --execute`"},
};

static void every_case_has_its_words(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct wh_findings f;
        struct world w;

        healthy_world(&w);
        cases[i].change(&w);
        wh_judge(&w.e, &f);
        if (f.n != cases[i].n || wh_findings_verdict(&f) != cases[i].verdict) {
            fail_msg("%s: %zu findings, %s; first: %s", cases[i].name, f.n,
                     wh_verdict_name(wh_findings_verdict(&f)), f.n ? f.list[0].text : "");
        }
        if (f.n > 0 && (strcmp(f.list[0].subject, cases[i].subject) != 0 ||
                        strstr(f.list[0].text, cases[i].text) == NULL ||
                        strstr(f.list[0].advice, cases[i].advice) == NULL)) {
            fail_msg("%s: '%s: %s; %s'", cases[i].name, f.list[0].subject, f.list[0].text,
                     f.list[0].advice);
        }
    }
}

static void the_worst_come_first_and_stay(void **unused)
{
    static struct wh_findings f;

    (void)unused;
    for (int i = 0; i < WH_FINDINGS_MAX; i++) {
        wh_findings_add(&f, WH_SEVERITY_NOTE, "n", "a note", "");
    }
    wh_findings_add(&f, WH_SEVERITY_WARNING, "w", "a warning", "");
    assert_int_equal(wh_findings_verdict(&f), OK);
    wh_findings_add(&f, WH_SEVERITY_UNKNOWN, "u", "open", "");
    assert_int_equal(wh_findings_verdict(&f), OPEN);
    wh_findings_add(&f, WH_SEVERITY_ERROR, "e", "an error", "");
    wh_findings_add(&f, WH_SEVERITY_ERROR, "e2", "another error", "");
    wh_findings_add(&f, WH_SEVERITY_NOTE, "n", "one note more", "");
    assert_int_equal(wh_findings_verdict(&f), BAD);
    assert_int_equal(f.n, WH_FINDINGS_MAX);
    assert_int_equal(f.left_out, 5);
    assert_string_equal(f.list[0].subject, "e");
    assert_string_equal(f.list[1].subject, "e2");
    assert_string_equal(f.list[2].subject, "u");
    assert_string_equal(f.list[3].subject, "w");
}

static void json_has_an_unknown_of_its_own(void **unused)
{
    static const struct {
        enum wh_severity severity;
        const char *begin;
    } lines[] = {
        {WH_SEVERITY_NOTE, "{\"healthy\":true,\"verdict\":\"healthy\",\"findings\":[{\"severity\":"
                           "\"note\",\"subject\":\"a\",\"text\":\"b\",\"advice\":\"c\"}]}"},
        {WH_SEVERITY_UNKNOWN, "{\"healthy\":null,\"verdict\":\"unknown\","},
        {WH_SEVERITY_ERROR, "{\"healthy\":false,\"verdict\":\"not healthy\","},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        WH_AUTO(buf) struct wh_buf out;
        static struct wh_findings f;
        struct wh_json_writer w;
        struct wh_err err;

        memset(&f, 0, sizeof(f));
        wh_buf_init(&out, 4096);
        wh_json_writer_init(&w, &out);
        wh_findings_add(&f, lines[i].severity, "a", "b", "c");
        wh_jw_object(&w);
        wh_findings_write(&f, &w);
        wh_jw_end(&w);
        th_ok(wh_jw_finish(&w, &err), &err);
        assert_memory_equal(wh_buf_str(&out), lines[i].begin, strlen(lines[i].begin));
        assert_int_equal(wh_severity_parse(wh_slice_str(wh_severity_name(lines[i].severity))),
                         lines[i].severity);
    }
    assert_int_equal(wh_severity_parse(WH_LIT("catastrophe")), WH_SEVERITY_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_has_its_words),
        cmocka_unit_test(the_worst_come_first_and_stay),
        cmocka_unit_test(json_has_an_unknown_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
