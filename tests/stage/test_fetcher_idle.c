/*
 * What a run costs when nothing has changed: the requests of the whole fetcher, counted against the
 * GitLab stand-in with twelve projects.
 */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/gitlab/model.h"
#include "tests/golden/world.h"

/* Of twelve projects with 15 streams each, and that of the projects. */
enum { LISTINGS = 12 * 15 + 1, FIRST_RUN = 2429, IDLE_RUN = 198 };

static const struct gl_sizes sizes = {.projects = 12,
                                      .users = 8,
                                      .mrs = 120,
                                      .issues = 120,
                                      .pipelines = 240,
                                      .deployments = 12,
                                      .releases = 2};

static size_t noted(const struct world *w)
{
    return wh_buf_slice(transcript_text(w->transcript)).len;
}

/* How many requests were noted from `from` on. */
static unsigned requests(const struct world *w, size_t from)
{
    struct wh_slice text = wh_slice_from(wh_buf_slice(transcript_text(w->transcript)), from);
    const char *at;
    unsigned n = 0;

    while (text.len && (at = memmem(text.ptr, text.len, " GET ", 5)) != NULL) {
        text = wh_slice_from(text, (size_t)(at - text.ptr) + 1);
        n++;
    }
    return n;
}

/* Requests of the next run. */
static unsigned next_run(struct world *w)
{
    size_t from = noted(w);

    world_run_for(w, 10 * MINUTE);
    return requests(w, from);
}

static void an_idle_run_costs_its_listings(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 1, &sizes);
    world_connect(&w);
    world_run_for(&w, 5 * MINUTE);
    assert_in_range(requests(&w, 0), 1, FIRST_RUN);
    world_control(&w, "/control/mutate", "{\"count\":600}");
    (void)next_run(&w);
    assert_in_range(next_run(&w), LISTINGS, IDLE_RUN);
    assert_in_range(next_run(&w), LISTINGS, IDLE_RUN);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_run_costs_its_listings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
