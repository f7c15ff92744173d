/* The mixed corpus: what a busy GitLab sends, most of it about pipelines and their jobs. */
#include "tests/bench/bench.h"

#include <inttypes.h>
#include <stdio.h>

#define PERSON                                                                                     \
    "{\"id\":%" PRIu64 ",\"name\":\"Person %" PRIu64 "\",\"username\":\"p%" PRIu64                 \
    "\",\"avatar_url\":\"https://gitlab.example.com/uploads/-/system/user/avatar/%" PRIu64         \
    "/avatar.png\",\"email\":\"[REDACTED]\"}"
#define PROJECT                                                                                    \
    "{\"id\":7,\"name\":\"Shop\",\"description\":\"All that customers see and buy.\",\"web_url\":" \
    "\"https://gitlab.example.com/acme/shop\",\"avatar_url\":null,\"git_ssh_url\":"                \
    "\"git@gitlab.example.com:acme/shop.git\",\"git_http_url\":"                                   \
    "\"https://gitlab.example.com/acme/shop.git\",\"namespace\":\"Acme\",\"visibility_level\":0,"  \
    "\"path_with_namespace\":\"acme/shop\",\"default_branch\":\"main\",\"ci_config_path\":null}"
#define SHA "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
#define COMMIT                                                                                     \
    "{\"id\":\"" SHA "\",\"message\":\"Retry once\\n\",\"title\":\"Retry once\",\"timestamp\":"    \
    "\"2026-11-01T09:58:00+00:00\",\"url\":\"https://gitlab.example.com/acme/shop/-/commit/" SHA   \
    "\",\"author\":{\"name\":\"Ann\",\"email\":\"[REDACTED]\"}}"
#define RUNNER                                                                                     \
    "{\"id\":380987,\"description\":\"shared-runners-manager-6.gitlab.example.com\","              \
    "\"runner_type\":\"instance_type\",\"active\":true,\"is_shared\":true,\"tags\":[\"linux\","    \
    "\"docker\",\"shared-runner\"]}"

enum { JOBS = 2, STEPS = 2 * JOBS + 1 };

static size_t printed(int n)
{
    return n > 0 ? (size_t)n : 0;
}

/* Job j of a pipeline starts in step 2j and ends in step 2j + 1. */
static const char *job_status(uint64_t step, uint64_t job)
{
    return step < 2 * job ? "created" : step == 2 * job ? "running" : "success";
}

static size_t build(char *to, size_t room, uint64_t id, uint64_t step, uint64_t job)
{
    static const char *const stages[] = {"build", "test"};
    uint64_t person = id % 500 + 1;
    char started[48] = "null";
    char finished[48] = "null";

    if (step >= 2 * job) {
        (void)snprintf(started, sizeof(started), "\"2026-11-02 10:%02u:00 UTC\"",
                       (unsigned)(2 * job));
    }
    if (step > 2 * job) {
        (void)snprintf(finished, sizeof(finished), "\"2026-11-02 10:%02u:50 UTC\"",
                       (unsigned)(2 * job + 1));
    }
    return printed(
        snprintf(to, room,
                 "{\"id\":%" PRIu64 ",\"stage\":\"%s\",\"name\":\"%s-linux\",\"status\":\"%s\","
                 "\"created_at\":\"2026-11-02 10:00:00 UTC\",\"started_at\":%s,\"finished_at\":%s,"
                 "\"duration\":%s,\"queued_duration\":1.25,\"failure_reason\":null,\"when\":"
                 "\"on_success\",\"manual\":false,\"allow_failure\":false,\"user\":" PERSON
                 ",\"runner\":" RUNNER
                 ",\"artifacts_file\":{\"filename\":null,\"size\":null},\"environment\":null}",
                 id * 10 + job, stages[job % 2], stages[job % 2], job_status(step, job), started,
                 finished, step > 2 * job ? "110.5" : "null", person, person, person, person));
}

/* A pipeline is seen in STEPS steps: each changes one of its jobs. */
static size_t pipeline_body(char *out, size_t room, uint64_t id, uint64_t step)
{
    uint64_t person = id % 500 + 1;
    bool over = step == STEPS - 1;
    size_t len = printed(snprintf(
        out, room,
        "{\"object_kind\":\"pipeline\",\"object_attributes\":{\"id\":%" PRIu64 ",\"iid\":%" PRIu64
        ",\"name\":null,\"ref\":\"topic-%" PRIu64 "\",\"tag\":false,\"sha\":\"" SHA
        "\",\"before_sha\":\"" SHA "\",\"source\":\"push\",\"status\":\"%s\",\"detailed_status\":"
        "\"%s\",\"stages\":[\"build\",\"test\"],\"created_at\":\"2026-11-02 10:00:00 UTC\","
        "\"finished_at\":%s,\"duration\":%s,\"queued_duration\":3,\"protected_ref\":false,"
        "\"variables\":[],\"url\":\"https://gitlab.example.com/acme/shop/-/pipelines/%" PRIu64
        "\"},\"merge_request\":null,\"user\":" PERSON ",\"project\":" PROJECT ",\"commit\":" COMMIT
        ",\"builds\":[",
        id, id, id, over ? "success" : "running", over ? "passed" : "running",
        over ? "\"2026-11-02 10:04:00 UTC\"" : "null", over ? "230" : "null", id, person, person,
        person, person));

    for (uint64_t job = 0; job < JOBS; job++) {
        if (job) {
            out[len++] = ',';
        }
        len += build(out + len, room - len, id, step, job);
    }
    return len + printed(snprintf(out + len, room - len, "]}"));
}

static size_t job_body(char *out, size_t room, uint64_t id, uint64_t step)
{
    uint64_t person = id % 500 + 1;
    uint64_t job = step / 2 % JOBS;

    return printed(snprintf(
        out, room,
        "{\"object_kind\":\"build\",\"ref\":\"topic-%" PRIu64
        "\",\"tag\":false,\"before_sha\":\"" SHA "\",\"sha\":\"" SHA
        "\",\"retries_count\":0,\"build_id\":%" PRIu64 ",\"build_name\":"
        "\"build-linux\",\"build_stage\":\"build\",\"build_status\":\"%s\",\"build_created_at\":"
        "\"2026-11-02 10:00:00 UTC\",\"build_started_at\":\"2026-11-02 10:%02u:00 UTC\","
        "\"build_finished_at\":null,\"build_duration\":12.5,\"build_queued_duration\":1.25,"
        "\"build_allow_failure\":false,\"build_failure_reason\":\"unknown_failure\","
        "\"pipeline_id\":%" PRIu64 ",\"runner\":" RUNNER
        ",\"project_id\":7,\"project_name\":\"Acme / Shop\",\"user\":" PERSON
        ",\"commit\":{\"id\":%" PRIu64 ",\"name\":null,\"sha\":\"" SHA
        "\",\"message\":\"Retry once\","
        "\"author_name\":\"Ann\",\"author_email\":\"[REDACTED]\",\"status\":\"running\","
        "\"duration\":"
        "null,\"started_at\":\"2026-11-02 10:00:10 "
        "UTC\",\"finished_at\":null},\"repository\":{\"name\":"
        "\"Shop\",\"url\":\"git@gitlab.example.com:acme/"
        "shop.git\",\"description\":\"\",\"homepage\":"
        "\"https://gitlab.example.com/acme/shop\",\"git_http_url\":"
        "\"https://gitlab.example.com/acme/shop.git\",\"visibility_level\":0},\"project\":" PROJECT
        ",\"environment\":null}",
        id, id * 10 + job, step % 2 ? "success" : "running", (unsigned)(2 * job), id, person,
        person, person, person, id));
}

static size_t note_body(char *out, size_t room, uint64_t id, uint64_t revision)
{
    uint64_t seed = (id * 31 + revision) | 1;
    uint64_t person = id % 500 + 1;
    size_t len = printed(
        snprintf(out, room,
                 "{\"object_kind\":\"note\",\"event_type\":\"note\",\"user\":" PERSON
                 ",\"project_id\":7,\"project\":" PROJECT ",\"object_attributes\":{\"id\":%" PRIu64
                 ",\"internal\":false,\"note\":\"",
                 person, person, person, person, id * 100 + revision));

    len += bench_pad(out + len, 40 + bench_random(&seed) % 400, &seed);
    return len +
           printed(snprintf(out + len, room - len,
                            "\",\"noteable_type\":\"MergeRequest\",\"author_id\":%" PRIu64
                            ",\"created_at\":\"2026-11-02 10:00:00 UTC\",\"updated_at\":"
                            "\"2026-11-02 10:00:00 "
                            "UTC\",\"project_id\":7,\"attachment\":null,\"line_code\":null,"
                            "\"commit_id\":\"\",\"noteable_id\":%" PRIu64
                            ",\"system\":false,\"st_diff\":null,\"action\":\"create\",\"url\":"
                            "\"https://gitlab.example.com/acme/shop/-/merge_requests/%" PRIu64
                            "#note_%" PRIu64 "\"},\"repository\":{\"name\":\"Shop\",\"homepage\":"
                            "\"https://gitlab.example.com/acme/shop\"}}",
                            person, id, id, id * 100 + revision));
}

/* Of ten events five are pipelines, two are jobs, two are merge requests, and one is a comment. */
size_t bench_mixed(char out[BENCH_BODY_MAX], uint64_t i, uint64_t objects,
                   struct bench_event *ret_event)
{
    uint64_t id = i % objects + 1;
    uint64_t revision = i / objects;

    ret_event->id = id;
    switch (id % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        ret_event->kind = "pipeline";
        return pipeline_body(out, BENCH_BODY_MAX, id, revision % STEPS);
    case 5:
    case 6:
        ret_event->kind = "build";
        ret_event->id = id * 10 + revision / 2 % JOBS;
        return job_body(out, BENCH_BODY_MAX, id, revision % STEPS);
    case 7:
        ret_event->kind = "note";
        ret_event->id = id * 100 + revision;
        return note_body(out, BENCH_BODY_MAX, id, revision);
    default:
        ret_event->kind = "merge_request";
        return bench_body(out, id, revision, BENCH_TEXT_USUAL);
    }
}
