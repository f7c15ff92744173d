#include "tests/bench/bench.h"

#include <inttypes.h>
#include <stdio.h>

#define AVATAR "https://gitlab.example.com/uploads/-/system/user/avatar/%" PRIu64 "/avatar.png"
#define PERSON                                                                                     \
    "{\"id\":%" PRIu64 ",\"name\":\"Person %" PRIu64 "\",\"username\":\"p%" PRIu64                 \
    "\",\"avatar_url\":\"" AVATAR "\"}"
#define PROJECT                                                                                    \
    "{\"id\":7,\"name\":\"Shop\",\"description\":\"All that customers see and buy.\",\"web_url\":" \
    "\"https://gitlab.example.com/acme/shop\",\"avatar_url\":null,\"git_ssh_url\":"                \
    "\"git@gitlab.example.com:acme/shop.git\",\"git_http_url\":"                                   \
    "\"https://gitlab.example.com/acme/shop.git\",\"namespace\":\"Acme\",\"visibility_level\":0,"  \
    "\"path_with_namespace\":\"acme/shop\",\"default_branch\":\"main\",\"ci_config_path\":null,"   \
    "\"homepage\":\"https://gitlab.example.com/acme/shop\",\"url\":"                               \
    "\"git@gitlab.example.com:acme/shop.git\",\"ssh_url\":"                                        \
    "\"git@gitlab.example.com:acme/shop.git\",\"http_url\":"                                       \
    "\"https://gitlab.example.com/acme/shop.git\"}"
#define LABEL(id, title)                                                                           \
    "{\"id\":" id ",\"title\":\"" title "\",\"color\":\"#ffffff\",\"project_id\":7,"               \
    "\"created_at\":\"2025-03-03 17:15:43 UTC\",\"updated_at\":\"2025-03-03 17:15:43 UTC\","       \
    "\"template\":false,\"description\":\"What concerns the " title "\",\"type\":\"ProjectLabel\"" \
    ",\"group_id\":null}"

uint64_t bench_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

size_t bench_pad(char *to, size_t n, uint64_t *seed)
{
    static const char *const words[] = {"deploy ", "the ",     "cache ",   "rollback ", "customer ",
                                        "retry ",  "timeout ", "invoice ", "region ",   "queue "};
    size_t len = 0;

    while (len < n) {
        const char *word = words[bench_random(seed) % (sizeof(words) / sizeof(words[0]))];

        for (; *word && len < n; word++) {
            to[len++] = *word;
        }
    }
    return len;
}

/* Most descriptions are short, some fill pages: the fourth power of an even distribution. */
static size_t description_length(uint64_t *seed, size_t max)
{
    double part = (double)(bench_random(seed) % 1000) / 1000.0;

    return (size_t)(part * part * part * part * (double)max);
}

static size_t opening(char *to, size_t room, uint64_t id)
{
    uint64_t person = id % 500 + 1;
    int n = snprintf(
        to, room,
        "{\"object_kind\":\"merge_request\",\"event_type\":\"merge_request\",\"user\":" PERSON
        ",\"project\":" PROJECT ",\"object_attributes\":{\"assignee_id\":3,\"author_id\":%" PRIu64
        ",\"created_at\":\"2026-11-01 10:00:00 UTC\",\"description\":\"",
        person, person, person, person, person);

    return n > 0 ? (size_t)n : 0;
}

static size_t attributes(char *to, size_t room, uint64_t id, uint64_t revision)
{
    int n = snprintf(
        to, room,
        "\",\"draft\":false,\"head_pipeline_id\":null,\"id\":%" PRIu64 ",\"iid\":%" PRIu64
        ",\"last_edited_at\":null,\"last_edited_by_id\":null,\"merge_commit_sha\":null,"
        "\"merge_error\":null,\"merge_params\":{\"force_remove_source_branch\":\"1\"},"
        "\"merge_status\":\"can_be_merged\",\"merge_user_id\":null,"
        "\"merge_when_pipeline_succeeds\":false,\"milestone_id\":null,\"source_branch\":\"topic-"
        "%" PRIu64 "\",\"source_project_id\":7,\"state_id\":1,\"target_branch\":\"main\",\"target_"
        "project_id\":7,"
        "\"time_estimate\":0,\"title\":\"Change number %" PRIu64
        "\",\"updated_at\":\"2026-11-02 %02u:%02u:%02u UTC\",\"updated_by_id\":null,"
        "\"prepared_at\":\"2026-11-01 10:00:04 UTC\",\"assignee_ids\":[3],"
        "\"blocking_discussions_resolved\":true,\"detailed_merge_status\":\"mergeable\","
        "\"first_contribution\":false,\"human_time_change\":null,\"human_time_estimate\":null,"
        "\"human_total_time_spent\":null,\"labels\":[" LABEL("206", "api") "," LABEL(
            "205",
            "bug") "],"
                   "\"last_commit\":{\"id\":\"da1560886d4f094c3e6c9ef40349f7d38b5d27d7\","
                   "\"message\":"
                   "\"Retry once\",\"title\":\"Retry "
                   "once\",\"timestamp\":\"2026-11-01T09:58:00+00:00\",\"url\":"
                   "\"https://gitlab.example.com/acme/shop/-/commit/"
                   "da1560886d4f094c3e6c9ef40349f7d38b5d27d7\","
                   "\"author\":{\"name\":\"Ann\",\"email\":\"[REDACTED]\"}},\"reviewer_ids\":[4,5],"
                   "\"source\":" PROJECT ",\"state\":\"%s\",\"system\":false,\"target\":" PROJECT
                   ",\"time_change\":0,\"total_time_spent\":0,\"url\":"
                   "\"https://gitlab.example.com/acme/shop/-/merge_requests/%" PRIu64
                   "\",\"work_in_progress\":false,\"approval_rules\":[],\"action\":\"update\"}",
        id, id, id, id, (unsigned)(revision / 3600 % 24), (unsigned)(revision / 60 % 60),
        (unsigned)(revision % 60), revision % 3 == 2 ? "merged" : "opened", id);

    return n > 0 ? (size_t)n : 0;
}

static size_t closing(char *to, size_t room)
{
    int n = snprintf(
        to, room,
        ",\"labels\":[" LABEL("206", "api") "," LABEL(
            "205",
            "bug") "],"
                   "\"changes\":{\"updated_at\":{\"previous\":\"2026-11-01 10:00:00 "
                   "UTC\",\"current\":"
                   "\"2026-11-02 10:00:00 UTC\"}},"
                   "\"repository\":{\"name\":\"Shop\",\"url\":\"git@gitlab.example.com:acme/"
                   "shop.git\","
                   "\"description\":\"\",\"homepage\":\"https://gitlab.example.com/acme/shop\"},"
                   "\"assignees\":[" PERSON "],\"reviewers\":[" PERSON "," PERSON "]}",
        UINT64_C(3), UINT64_C(3), UINT64_C(3), UINT64_C(3), UINT64_C(4), UINT64_C(4), UINT64_C(4),
        UINT64_C(4), UINT64_C(5), UINT64_C(5), UINT64_C(5), UINT64_C(5));

    return n > 0 ? (size_t)n : 0;
}

size_t bench_body(char out[BENCH_BODY_MAX], uint64_t id, uint64_t revision, size_t text_max)
{
    /* An object keeps its description: most events change a state or a label. */
    uint64_t own = id * UINT64_C(0x9E3779B97F4A7C15) | 1;
    size_t len = opening(out, BENCH_BODY_MAX, id);

    (void)bench_random(&own);
    len += bench_pad(out + len, description_length(&own, text_max), &own);
    len += attributes(out + len, BENCH_BODY_MAX - len, id, revision);
    return len + closing(out + len, BENCH_BODY_MAX - len);
}
