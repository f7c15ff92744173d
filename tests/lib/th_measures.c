#include "tests/lib/th_measures.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"

enum { PROJECTS = 3, SERVICES = 3, CUSTOMERS = 4, MINUTES = 120 * 24 * 60 };

static const int64_t begin_ms = INT64_C(1769904000000); /* 2026-02-01 */

struct filling {
    struct wh_buf json;
    struct th_random random;
    unsigned id;
};

#define PUT(f, ...)                                                                                \
    do {                                                                                           \
        struct wh_err put_err;                                                                     \
        th_ok(wh_buf_printf(&(f)->json, &put_err, __VA_ARGS__), &put_err);                         \
    } while (0)

static unsigned below(struct filling *f, unsigned n)
{
    return th_random_below(&f->random, n);
}

static const char *one_of(struct filling *f, const char *const *list, unsigned n)
{
    return list[below(f, n)];
}

static void put_time(struct filling *f, const char *name, unsigned minute)
{
    char text[WH_TIME_TEXT_MAX];

    PUT(f, ",\"%s\":\"%s\"", name, wh_time_format(begin_ms + (int64_t)minute * 60000, text));
}

static void begin(struct filling *f, const char *kind)
{
    PUT(f,
        "%s{\"kind\":\"%s\",\"id\":\"%u\",\"at\":\"2026-06-01\",\"url\":\"https://gitlab.test/%u\"",
        f->json.len ? "," : "[", kind, f->id, f->id);
    f->id++;
}

static void end(struct filling *f)
{
    PUT(f, "}");
}

/* ---- what there is before anything happens ---- */

static void put_company(struct filling *f)
{
    for (unsigned i = 0; i < PROJECTS; i++) {
        PUT(f,
            "%s{\"kind\":\"project\",\"id\":\"%u\",\"at\":\"2026-02-01\",\"path\":\"shop/p%u\","
            "\"default_branch\":\"main\"}",
            f->json.len ? "," : "[", i, i);
        PUT(f,
            ",{\"kind\":\"team_member\",\"id\":\"%u\",\"at\":\"2026-02-01\",\"name\":\"Person "
            "%u\"}",
            i, i);
    }
    for (unsigned i = 0; i < SERVICES; i++) {
        PUT(f,
            ",{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S%u\",\"at\":\"2026-02-01\","
            "\"name\":\"Service %u\"}",
            i, i);
        PUT(f,
            ",{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"o%u\",\"at\":\"2026-02-"
            "01\","
            "\"service\":\"S%u\",\"project\":\"shop/p%u\"}",
            i, i, i);
    }
    for (unsigned i = 0; i < CUSTOMERS; i++) {
        PUT(f,
            ",{\"kind\":\"customer\",\"source\":\"crm\",\"id\":\"C%u\",\"at\":\"2026-02-01\","
            "\"name\":\"Customer %u\",\"segment\":\"%s\"}",
            i, i, i % 2 ? "small" : "enterprise");
        PUT(f,
            ",{\"kind\":\"service_customer\",\"source\":\"crm\",\"id\":\"u%u\",\"at\":\"2026-02-"
            "01\","
            "\"service\":\"S%u\",\"customer\":\"C%u\"}",
            i, i % SERVICES, i);
        PUT(f,
            ",{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k%u\",\"at\":\"2026-02-01\","
            "\"customer\":\"C%u\",\"amount_minor\":%u,\"currency\":\"%s\",\"period\":\"month\"}",
            i, i, 1000 + i, i % 2 ? "USD" : "EUR");
    }
}

/* ---- what happens ---- */

static void put_item(struct filling *f, const char *type)
{
    static const char *const labels[] = {"[]", "[\"bug\"]", "[\"bug\",\"ui\"]", "[\"ui\"]"};
    unsigned created = below(f, MINUTES);
    unsigned ended = created + below(f, 20 * 24 * 60);
    bool merges = strcmp(type, "merge_request") == 0;
    unsigned fate = below(f, 4);

    begin(f, "work_item");
    PUT(f, ",\"type\":\"%s\",\"title\":\"Item %u\",\"labels\":%s", type, f->id,
        one_of(f, labels, 4));
    PUT(f, ",\"categories\":[\"%s\",\"label\"]", below(f, 2) ? "fix" : "feature");
    put_time(f, "created_at", created);
    put_time(f, "updated_at", ended);
    if (below(f, 5)) {
        PUT(f, ",\"project\":\"project:%u\",\"author\":\"user:%u\"", below(f, PROJECTS),
            below(f, PROJECTS));
    }
    if (merges) {
        PUT(f, ",\"target_branch\":\"%s\"", below(f, 4) ? "main" : "next");
    }
    if (fate == 0) {
        PUT(f, ",\"state\":\"opened\"");
    } else if (fate > 1 && merges) {
        PUT(f, ",\"state\":\"merged\"");
        put_time(f, "merged_at", ended);
    } else {
        PUT(f, ",\"state\":\"closed\"");
        put_time(f, "closed_at", ended);
    }
    if (strcmp(type, "incident") == 0) {
        PUT(f, ",\"severity\":\"%s\",\"label_services\":[\"S%u\"]",
            below(f, 2) ? "high" : "unknown", below(f, SERVICES + 1));
    }
    end(f);
}

static void put_note(struct filling *f, unsigned of)
{
    begin(f, "note");
    PUT(f, ",\"system\":%s,\"author\":\"user:%u\",\"work_item\":\"merge_request:%u\"",
        below(f, 3) ? "false" : "true", below(f, PROJECTS), of);
    put_time(f, "created_at", below(f, MINUTES));
    end(f);
}

static void put_run(struct filling *f, const char *kind)
{
    static const char *const statuses[] = {"success", "success", "failed", "canceled", "running"};
    static const char *const branches[] = {"main", "topic", "refs/merge-requests/1/head"};
    const char *status = one_of(f, statuses, 5);
    unsigned created = below(f, MINUTES);
    unsigned seconds = below(f, 7200);
    bool deploys = strcmp(kind, "deployment") == 0;

    begin(f, kind);
    PUT(f, ",\"status\":\"%s\",\"ref\":\"%s\",\"project\":\"project:%u\"", status,
        one_of(f, branches, 3), below(f, PROJECTS));
    put_time(f, "created_at", created);
    if (strcmp(status, "running") != 0) {
        put_time(f, "finished_at", created + seconds / 60);
        if (!deploys) {
            PUT(f, ",\"duration\":%u", seconds);
        }
    }
    if (deploys) {
        PUT(f, ",\"environment_name\":\"%s\"", below(f, 2) ? "production" : "staging");
    } else if (strcmp(kind, "job") == 0) {
        PUT(f, ",\"name\":\"job %u\",\"stage\":\"test\"", below(f, 3));
    } else {
        PUT(f, ",\"source\":\"%s\"", below(f, 2) ? "push" : "schedule");
    }
    end(f);
}

static void put_all(struct th_facts *facts, struct filling *f)
{
    PUT(f, "]");
    th_facts_put(facts, wh_buf_str(&f->json));
    wh_buf_reset(&f->json);
}

void th_measures_fill(struct th_facts *facts, unsigned n, uint64_t seed)
{
    struct filling f = {.random = {seed}, .id = 100};

    wh_buf_init(&f.json, 8 << 20);
    put_company(&f);
    put_all(facts, &f);
    for (unsigned i = 0; i < n; i++) {
        unsigned merge_request = f.id;

        put_item(&f, "merge_request");
        put_note(&f, merge_request);
        put_item(&f, "issue");
        put_run(&f, "build_record");
        put_run(&f, "job");
        put_run(&f, "deployment");
        if (i % 4 == 0) {
            put_item(&f, "incident");
        }
    }
    put_all(facts, &f);
    wh_buf_done(&f.json);
}
