#include "tests/gitlab/text.h"

#include <stdio.h>

#include "common/base/mem.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

enum { PARAGRAPHS = 256, PARAGRAPH_MAX = 400 };

struct gl_text {
    char *bytes;
    size_t start[PARAGRAPHS + 1];
};

static const char *const verbs[] = {
    "Add",   "Fix",   "Remove",  "Speed up", "Document", "Refactor", "Rework", "Guard",
    "Cache", "Retry", "Migrate", "Simplify", "Upgrade",  "Split",    "Test",   "Localise"};
static const char *const things[] = {
    "invoice export",   "login form",        "search index",
    "rate limiter",     "payment webhook",   "audit trail",
    "nightly backup",   "user import",       "\\\"quick view\\\" panel",
    "caf\u00e9 menu",   "mobile navigation", "feature flags",
    "order history",    "e-mail templates",  "\u00fcbersicht page",
    "cold start",       "database pool",     "image resizing",
    "session handling", "price rules"};
static const char *const whys[] = {
    "for large tenants", "after the outage",   "on slow networks",       "in the admin area",
    "for the API",       "when Kafka is away", "before the 4.2 release", "without locks",
    "per region",        "with \u2713 checks", "behind a flag",          "for auditors"};
static const char *const first_names[] = {
    "Grace", "Ada",   "Linus", "Wei",        "Amina", "Jos\u00e9", "Ines",      "Kofi",
    "Yuki",  "Priya", "Olga",  "Tom\u00e1s", "Noor",  "Astrid",    "Se\u00e1n", "Mei"};
static const char *const first_ascii[] = {"grace", "ada",    "linus", "wei",   "amina", "jose",
                                          "ines",  "kofi",   "yuki",  "priya", "olga",  "tomas",
                                          "noor",  "astrid", "sean",  "mei"};
static const char *const last_names[] = {"Okafor", "Lind",    "Haas",   "Tanaka", "Silva",  "Novak",
                                         "Mensah", "Fischer", "Costa",  "Iyer",   "Dubois", "Berg",
                                         "Rossi",  "Kim",     "Moreau", "Adeyemi"};
static const char *const last_ascii[] = {"okafor", "lind",    "haas",   "tanaka", "silva",  "novak",
                                         "mensah", "fischer", "costa",  "iyer",   "dubois", "berg",
                                         "rossi",  "kim",     "moreau", "adeyemi"};
static const char *const project_names[] = {"Web Shop",   "Billing",       "Identity",
                                            "Mobile App", "Data Platform", "Infrastructure",
                                            "Search",     "Docs"};
static const char *const project_paths[] = {"web-shop",   "billing",       "identity",
                                            "mobile-app", "data-platform", "infrastructure",
                                            "search",     "docs"};
static const char *const labels[GL_LABELS] = {
    "backend",      "frontend",   "bug",       "feature",      "security",
    "performance",  "P::1",       "P::2",      "team::orders", "team::platform",
    "needs review", "regression", "tech debt", "gr\u00fcn"};
static const char *const words[] = {
    "the",   "request", "queue",  "reader",  "we",       "should", "keep",  "until", "a",
    "later", "batch",   "commit", "returns", "customer", "sees",   "error", "while", "page",
    "loads", "index",   "grows",  "under",   "load",     "and",    "retry", "stays", "short",
    "with",  "no",      "loss",   "of",      "order",    "per",    "key",   "so",    "that"};

static struct wh_slice finish(const char *to, int n, size_t max)
{
    return wh_slice(to, n < 0 ? 0 : (size_t)n >= max ? max - 1 : (size_t)n);
}

static size_t make_paragraph(char *to, uint64_t seed)
{
    static const char *const heads[] = {"", "## What does this do?\\n\\n", "- [x] ", "> ",
                                        "```\\n"};
    size_t kind = seed % 16 < 12 ? 0 : seed % 16 - 11;
    unsigned n_words = 18 + (unsigned)(seed >> 8 & 15);
    int n = snprintf(to, PARAGRAPH_MAX, "%s", heads[kind]);

    for (unsigned i = 0; i < n_words && n >= 0 && n < PARAGRAPH_MAX - 40; i++) {
        seed = gl_mix(seed);
        n += snprintf(to + n, PARAGRAPH_MAX - (size_t)n, "%s%s", i ? " " : "",
                      words[seed % COUNT(words)]);
    }
    n += snprintf(to + n, PARAGRAPH_MAX - (size_t)n, "%s.\\n\\n", kind == 4 ? "\\n```" : "");
    return n < 0 ? 0 : (size_t)n;
}

struct gl_text *gl_text_new(uint64_t seed)
{
    struct gl_text *text = wh_mem_zalloc(1, sizeof(*text));

    if (text == NULL) {
        return NULL;
    }
    text->bytes = wh_mem_alloc((size_t)PARAGRAPHS * PARAGRAPH_MAX);
    if (text->bytes == NULL) {
        wh_mem_free(text);
        return NULL;
    }
    for (unsigned i = 0; i < PARAGRAPHS; i++) {
        size_t n = make_paragraph(text->bytes + text->start[i], gl_mix(seed ^ i));

        text->start[i + 1] = text->start[i] + n;
    }
    return text;
}

void gl_text_free(struct gl_text *text)
{
    if (text) {
        wh_mem_free(text->bytes);
        wh_mem_free(text);
    }
}

struct wh_slice gl_text_body(const struct gl_text *text, uint64_t seed, unsigned paragraphs)
{
    size_t from = gl_mix(seed) % (PARAGRAPHS - paragraphs);

    return wh_slice(text->bytes + text->start[from],
                    text->start[from + paragraphs] - text->start[from]);
}

struct wh_slice gl_title(char to[GL_TITLE_MAX], uint64_t seed, uint32_t rev)
{
    char tail[32] = "";
    uint64_t h = gl_mix(seed);

    if (rev > 0) {
        (void)snprintf(tail, sizeof(tail), ", take %u", rev + 1);
    }
    return finish(to,
                  snprintf(to, GL_TITLE_MAX, "%s %s %s%s", verbs[h % COUNT(verbs)],
                           things[(h >> 8) % COUNT(things)], whys[(h >> 20) % COUNT(whys)], tail),
                  GL_TITLE_MAX);
}

struct wh_slice gl_person(char to[GL_TITLE_MAX], uint64_t seed)
{
    return finish(
        to, snprintf(to, GL_TITLE_MAX, "%s %s", first_names[seed % 16], last_names[seed / 16 % 16]),
        GL_TITLE_MAX);
}

struct wh_slice gl_username(char to[GL_TITLE_MAX], uint64_t seed, size_t n)
{
    return finish(to,
                  snprintf(to, GL_TITLE_MAX, "%s.%s%zu", first_ascii[seed % 16],
                           last_ascii[seed / 16 % 16], n),
                  GL_TITLE_MAX);
}

struct wh_slice gl_project_name(char to[GL_TITLE_MAX], size_t n)
{
    size_t round = n / COUNT(project_names);

    return finish(
        to,
        round ? snprintf(to, GL_TITLE_MAX, "%s %zu|%s-%zu", project_names[n % COUNT(project_names)],
                         round + 1, project_paths[n % COUNT(project_paths)], round + 1)
              : snprintf(to, GL_TITLE_MAX, "%s|%s", project_names[n % COUNT(project_names)],
                         project_paths[n % COUNT(project_paths)]),
        GL_TITLE_MAX);
}

struct wh_slice gl_branch(char to[GL_BRANCH_MAX], uint64_t seed, int64_t iid)
{
    static const char *const stems[] = {"fix-login", "export-csv", "retry-queue", "tidy-index",
                                        "new-menu",  "faster-ci",  "audit-log",   "dark-mode"};

    return finish(
        to,
        snprintf(to, GL_BRANCH_MAX, "%lld-%s", (long long)iid, stems[gl_mix(seed) % COUNT(stems)]),
        GL_BRANCH_MAX);
}

struct wh_slice gl_label(unsigned n)
{
    return wh_slice_str(labels[n % GL_LABELS]);
}
