/*
 * Pipelines that are not final: one listing of the project's jobs shows which of them must be read
 * again, and whatever that listing cannot show is read again as well.
 */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/th_reader.h"

enum { PIPELINES = 3, JOBS = 4, OTHERS_MAX = 1000 };

struct job {
    const char *state;
    int64_t id;
};

struct pipeline {
    unsigned rev; /* of its row */
    struct job jobs[JOBS];
};

struct world {
    struct th_reader reader;
    struct pipeline pipelines[PIPELINES + 1]; /* by id, from 1 */
    unsigned others;       /* open jobs of pipelines that are not listed, newer than all */
    unsigned jobs_answer;  /* of the listing of jobs; 0: 200 */
    unsigned bad_pipeline; /* whose jobs are not served */
    unsigned listings;     /* of jobs: its pages */
    unsigned follow_ups;
    int seconds;
};

static void add(struct th_script_answer *a, bool first, const char *text)
{
    struct wh_err err;

    th_ok(wh_buf_append(&a->body, wh_slice_str(first ? "[" : ","), &err), &err);
    th_ok(wh_buf_append(&a->body, wh_slice_str(text), &err), &err);
}

/* The duration of a job that runs is another one in each answer. */
static void add_job(struct world *w, struct th_script_answer *a, const struct job *job,
                    unsigned pipeline)
{
    char text[128];

    (void)snprintf(text, sizeof(text),
                   "{\"id\":%d,\"status\":\"%s\",\"duration\":%d,\"pipeline\":{\"id\":%u}}",
                   (int)job->id, job->state, w->seconds++, pipeline);
    add(a, a->body.len == 0, text);
}

static void end(struct th_script_answer *a)
{
    struct wh_err err;

    th_ok(wh_buf_append(&a->body, a->body.len ? WH_LIT("]") : WH_LIT("[]"), &err), &err);
}

static void list_pipelines(const struct world *w, struct th_script_answer *a)
{
    char text[64];

    for (unsigned id = 1; id <= PIPELINES; id++) {
        (void)snprintf(text, sizeof(text), "{\"id\":%u,\"rev\":%u}", id, w->pipelines[id].rev);
        add(a, id == 1, text);
    }
    end(a);
}

static bool open(const struct job *job)
{
    return job->id && strcmp(job->state, "success") != 0;
}

/* The newest first, a hundred on a page. */
static void list_jobs(struct world *w, unsigned page, struct th_script_answer *a)
{
    unsigned skip = (page - 1) * 100;
    unsigned room = 100;

    for (unsigned i = 0; i < w->others && room > 0; i++) {
        if (skip > 0) {
            skip--;
        } else {
            add_job(w, a, &(struct job){"created", 100000 - i}, 99);
            room--;
        }
    }
    for (int64_t id = JOBS * (PIPELINES + 1) * 10; id > 0 && room > 0; id--) {
        for (unsigned p = 1; p <= PIPELINES; p++) {
            for (unsigned j = 0; j < JOBS; j++) {
                const struct job *job = &w->pipelines[p].jobs[j];

                if (job->id == id && open(job)) {
                    add_job(w, a, job, p);
                }
            }
        }
    }
    end(a);
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct world *w = ctx;
    const char *at = memmem(url.ptr, url.len, "/pipelines/", 11);
    const char *page = memmem(url.ptr, url.len, "&page=", 6);
    struct wh_err err;

    (void)secret;
    a->status = 200;
    if (memmem(url.ptr, url.len, "/7/jobs?scope%5B%5D=created&", 28)) {
        w->listings++;
        a->status = w->jobs_answer ? w->jobs_answer : 200;
        list_jobs(w, page ? (unsigned)strtoul(page + 6, NULL, 10) : 1, a);
    } else if (at == NULL) {
        list_pipelines(w, a);
    } else {
        unsigned long id = strtoul(at + 11, NULL, 10);

        w->follow_ups++;
        if (memmem(url.ptr, url.len, "/jobs?", 6) == NULL) {
            th_ok(wh_buf_printf(&a->body, &err, "{\"id\":%lu}", id), &err);
            return;
        }
        a->status = id == w->bad_pipeline ? 500 : 200;
        for (unsigned j = 0; j < JOBS; j++) {
            if (w->pipelines[id].jobs[j].id) {
                add_job(w, a, &w->pipelines[id].jobs[j], (unsigned)id);
            }
        }
        end(a);
    }
}

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){.pipelines = {[1] = {.jobs = {{"success", 11}, {"running", 12}}},
                                     [2] = {.jobs = {{"running", 21}, {"created", 22}}},
                                     [3] = {.jobs = {{"manual", 31}, {"created", 32}}}}};
    th_reader_open(&w.reader, gitlab, &w);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    th_reader_close(&((struct world *)*state)->reader);
    return 0;
}

/* One more run: so many rows of pipelines were published, follow-ups requested, and pages of jobs
 * listed. */
static void reads(struct world *w, unsigned rows, unsigned follow_ups, unsigned listings)
{
    uint64_t before = w->reader.count.rows;

    w->follow_ups = 0;
    w->listings = 0;
    th_reader_read(&w->reader, "pipelines_running");
    assert_int_equal(w->reader.result.outcome, LISTING_ENDED);
    assert_int_equal(w->reader.count.rows - before, rows);
    assert_int_equal(w->follow_ups, follow_ups);
    assert_int_equal(w->listings, listings);
}

static void unchanged_pipelines_cost_one_listing(void **state)
{
    struct world *w = *state;

    reads(w, 3, 6, 0);
    reads(w, 0, 0, 1);
    reads(w, 0, 0, 1);
    /* Another reader does not remember them. */
    th_reader_die(&w->reader);
    th_reader_born(&w->reader);
    reads(w, 3, 6, 0);
    reads(w, 0, 0, 1);
}

static void changed_pipelines_are_read_again(void **state)
{
    struct world *w = *state;

    reads(w, 3, 6, 0);
    w->pipelines[2].rev++;
    reads(w, 1, 2, 1);
    for (unsigned id = 1; id <= PIPELINES; id++) {
        w->pipelines[id].rev++;
    }
    reads(w, 3, 6, 0);
}

static void changed_jobs_are_read_again(void **state)
{
    struct world *w = *state;

    reads(w, 3, 6, 0);
    w->pipelines[1].jobs[1].state = "success";
    reads(w, 0, 2, 1);
    reads(w, 0, 0, 1);
    w->pipelines[1].jobs[2] = (struct job){"pending", 91};
    w->pipelines[2].jobs[1].state = "running";
    reads(w, 0, 4, 1);
    reads(w, 0, 0, 1);
    w->reader.from_ms = 1;
    reads(w, 3, 6, 0);
}

/* Other jobs fill the pages of the listing. */
static void a_long_listing_of_jobs_is_left(void **state)
{
    struct world *w = *state;

    reads(w, 3, 6, 0);
    w->others = 150;
    reads(w, 0, 0, 2);
    w->others = OTHERS_MAX;
    reads(w, 0, 6, 3);
}

static void without_the_listing_all_are_read(void **state)
{
    struct world *w = *state;

    reads(w, 3, 6, 0);
    w->jobs_answer = 403;
    reads(w, 0, 6, 1);
    w->jobs_answer = 400;
    reads(w, 0, 6, 1);
    w->jobs_answer = 0;
    reads(w, 0, 0, 1);
}

static void what_failed_is_read_again(void **state)
{
    struct world *w = *state;

    w->bad_pipeline = 2;
    th_reader_read(&w->reader, "pipelines_running");
    assert_int_equal(w->reader.result.unread, 1);
    w->bad_pipeline = 0;
    reads(w, 1, 2, 1);
    reads(w, 0, 0, 1);
    w->pipelines[2].jobs[0].state = "success";
    w->bad_pipeline = 2;
    th_reader_read(&w->reader, "pipelines_running");
    assert_int_equal(w->reader.result.unread, 1);
    w->bad_pipeline = 0;
    reads(w, 0, 2, 1);
    reads(w, 0, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unchanged_pipelines_cost_one_listing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_pipelines_are_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_jobs_are_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_listing_of_jobs_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_the_listing_all_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_failed_is_read_again, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
