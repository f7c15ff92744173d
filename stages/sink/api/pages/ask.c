/* Questions in plain words. */
#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/sink/api/pages/pages_priv.h"

enum { ANSWER_MAX_BYTES = 8 << 20, ID_BYTES = 16 };

/* Asks and keeps it. Gives the id of the conversation; empty: it was not understood. */
static enum wh_rc keep(struct api_job *job, struct wh_slice question, struct wh_slice conversation,
                       struct wh_slice *ret, struct wh_err *err)
{
    static const char member[] = "\"conversation\":\"";
    const struct api_arg args[] = {{WH_LIT("q"), question}, {WH_LIT("conversation"), conversation}};
    WH_AUTO(buf) struct wh_buf answer;
    const char *at;

    *ret = (struct wh_slice){NULL, 0};
    wh_buf_init(&answer, ANSWER_MAX_BYTES);
    if (api_capture(job, api_answer_ask_kept, args, conversation.len ? 2 : 1, &answer, err) !=
        WH_OK) {
        return err->rc;
    }
    at = strstr(wh_buf_str(&answer), member);
    if (job->part_status != 200 || at == NULL) {
        return WH_OK;
    }
    at += strlen(member);
    return wh_arena_dup(&job->arena, wh_slice(at, strnlen(at, ID_BYTES)), ret, err);
}

/* A follow-up: the question before begins the conversation when there is none. */
static enum wh_rc act(struct api_job *job, struct wh_err *err)
{
    struct wh_slice question = api_arg(&job->request, "q");
    struct wh_slice before = api_arg(&job->request, "before");
    struct wh_slice id = api_arg(&job->request, "conversation");
    WH_AUTO(buf) struct wh_buf path;

    wh_buf_init(&path, API_HEADER_MAX_BYTES);
    if (id.len == 0 && before.len && keep(job, before, id, &id, err) != WH_OK) {
        return err->rc;
    }
    if (keep(job, question, id, &id, err) != WH_OK) {
        return err->rc;
    }
    if (id.len) {
        return wh_buf_printf(&path, err, "/ask?conversation=%.*s", WH_SLICE_ARG(id)) == WH_OK
                   ? page_go(job, wh_buf_slice(&path), err)
                   : err->rc;
    }
    return wh_buf_append(&path, WH_LIT("/ask?q="), err) == WH_OK &&
                   wh_percent_encode(question, &path, err) == WH_OK
               ? page_go(job, wh_buf_slice(&path), err)
               : err->rc;
}

static const struct api_page pages[] = {
    {.path = "/ask",
     .file = "ask",
     .title = "Ask",
     .section = "/ask",
     .parts = {{.name = "answer", .answer = api_answer_ask, .needs = "q"},
               {.name = "again", .answer = api_answer_ask, .needs = "conversation"},
               {.name = "conversations", .answer = api_answer_conversations},
               {.name = "questions", .answer = api_answer_questions}},
     .act = act},
};

const struct page_area page_area_ask = PAGE_AREA(pages);
