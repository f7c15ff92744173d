#include "tests/bench/bench.h"

#include <inttypes.h>
#include <stdio.h>

enum { PAD_MIN = 800, PAD_MAX = 7200 };

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

size_t bench_body(char out[BENCH_BODY_MAX], uint64_t id, uint64_t revision)
{
    /* An object keeps its description: most events change a state or a label. */
    uint64_t own = id * UINT64_C(0x9E3779B97F4A7C15) | 1;
    size_t want = PAD_MIN + (size_t)(bench_random(&own) % (PAD_MAX - PAD_MIN));
    unsigned minute = (unsigned)(revision / 60 % 60);
    unsigned second = (unsigned)(revision % 60);
    int n = snprintf(
        out, BENCH_BODY_MAX,
        "{\"object_kind\":\"merge_request\",\"event_type\":\"merge_request\",\"user\":{\"id\":"
        "%" PRIu64 ",\"name\":\"Person %" PRIu64 "\",\"username\":\"p%" PRIu64
        "\",\"avatar_url\":\"https://gitlab.example.com/a.png\",\"email\":\"[REDACTED]\"},"
        "\"project\":{\"id\":%" PRIu64 ",\"name\":\"Shop\",\"description\":\"\",\"web_url\":"
        "\"https://gitlab.example.com/acme/shop\",\"path_with_namespace\":\"acme/shop\","
        "\"default_branch\":\"main\",\"visibility_level\":0},\"object_attributes\":{\"id\":%" PRIu64
        ",\"iid\":%" PRIu64 ",\"target_branch\":\"main\",\"source_branch\":\"topic-%" PRIu64
        "\",\"source_project_id\":7,\"author_id\":%" PRIu64
        ",\"assignee_ids\":[3],\"reviewer_ids\":[4,5],\"title\":\"Change number %" PRIu64
        "\",\"created_at\":\"2026-11-01 10:00:00 UTC\",\"updated_at\":\"2026-11-02 %02u:%02u:%02u "
        "UTC\",\"state\":\"%s\",\"merge_status\":\"can_be_merged\",\"detailed_merge_status\":"
        "\"mergeable\",\"target_project_id\":7,\"draft\":false,\"url\":"
        "\"https://gitlab.example.com/acme/shop/-/merge_requests/%" PRIu64
        "\",\"last_commit\":{\"id\":\"da1560886d4f094c3e6c9ef40349f7d38b5d27d7\",\"message\":\"m\"}"
        ","
        "\"action\":\"update\",\"description\":\"",
        id % 500 + 1, id % 500 + 1, id % 500 + 1, id % 50 + 1, id, id, id, id % 500 + 1, id,
        (unsigned)(revision / 3600 % 24), minute, second, revision % 3 == 2 ? "merged" : "opened",
        id);
    static const char tail[] = "\"},\"labels\":[{\"id\":1,\"title\":\"api\",\"color\":\"#fff\"},{"
                               "\"id\":2,\"title\":\"bug\"}],"
                               "\"changes\":{\"updated_at\":{\"previous\":\"a\",\"current\":\"b\"}}"
                               ",\"assignees\":[{\"id\":3,"
                               "\"name\":\"Ann\",\"username\":\"ann\",\"avatar_url\":null}],"
                               "\"reviewers\":[{\"id\":4,\"name\":"
                               "\"Bo\",\"username\":\"bo\",\"avatar_url\":null}]}";
    size_t len = n > 0 ? (size_t)n : 0;

    len += bench_pad(out + len, want, &own);
    for (size_t i = 0; i < sizeof(tail) - 1; i++) {
        out[len++] = tail[i];
    }
    return len;
}
