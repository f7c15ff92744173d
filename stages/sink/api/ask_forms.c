/* Questions of the forms of a file (questions.h): understood, run as SQL through the same guard, and told. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/api/ask_priv.h"

enum {
    REFUSAL_MAX_BYTES = 1 << 20,
    RESULT_MAX_BYTES = 8 << 20,
    TEXT_MAX_BYTES = 1 << 20,
    HITS_MAX_BYTES = 1 << 20,
    SUGGESTIONS = 3
};

void ask_begin_refusal(struct asking *a, struct api_json *j, int status, const char *code,
                       const char *message)
{
    a->reading.job->status = (unsigned)status;
    wh_buf_init(&j->buf, REFUSAL_MAX_BYTES);
    wh_json_writer_init(&j->w, &j->buf);
    wh_jw_object(&j->w);
    wh_jw_put_bool(&j->w, "ok", false);
    wh_jw_put_str(&j->w, "error", wh_slice_str(message));
    wh_jw_put_str(&j->w, "code", wh_slice_str(code));
    wh_jw_put_int(&j->w, "status", status);
    wh_jw_put_str(&j->w, "question", a->question);
}

/* What the search finds of the words; nothing when it cannot. */
static void write_hits(struct asking *a, struct wh_json_writer *w)
{
    const struct api_arg args[] = {{WH_LIT("q"), a->question}, {WH_LIT("_size"), WH_LIT("3")}};
    WH_AUTO(buf) struct wh_buf found;
    struct wh_err ignored;

    wh_buf_init(&found, HITS_MAX_BYTES);
    if (api_capture(a->reading.job, api_answer_search, args, 2, &found, &ignored) == WH_OK &&
        a->reading.job->part_status == 200) {
        wh_jw_key(w, "search");
        wh_jw_raw(w, wh_buf_slice(&found));
    }
}

enum wh_rc ask_not_understood(struct asking *a, const char *why, struct wh_err *err)
{
    const struct questions *q = a->reading.job->api->questions;
    const char *examples[SUGGESTIONS];
    enum ask_form forms[ASK_FORMS];
    size_t n = questions_nearest(q, a->question, examples, SUGGESTIONS);
    size_t more = ask_nearest_forms(a->question, forms);
    struct api_json j;

    ask_begin_refusal(a, &j, ASK_STATUS_NOT_UNDERSTOOD, "not_understood", why);
    wh_jw_key(&j.w, "suggestions");
    wh_jw_array(&j.w);
    for (size_t i = 0; i < n; i++) {
        wh_jw_str(&j.w, wh_slice_str(examples[i]));
    }
    for (size_t i = 0; i < more && n + i < SUGGESTIONS; i++) {
        wh_jw_str(&j.w, wh_slice_str(ask_form_example(forms[i])));
    }
    wh_jw_end(&j.w);
    write_hits(a, &j.w);
    return api_json_end(&j, a->reading.job, err);
}

/* GET /api/v1/questions */
enum wh_rc api_answer_questions(struct api_job *job, struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    wh_jw_key(&j.w, "forms");
    wh_jw_array(&j.w);
    questions_write_forms(job->api->questions, &j.w);
    for (int i = 0; i < ASK_FORMS; i++) {
        wh_jw_object(&j.w);
        wh_jw_put_str(&j.w, "subject", WH_LIT("incident impact"));
        wh_jw_put_str(&j.w, "measure", wh_slice_str(ask_form_name((enum ask_form)i)));
        wh_jw_put_str(&j.w, "example", wh_slice_str(ask_form_example((enum ask_form)i)));
        wh_jw_end(&j.w);
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, job, err);
}

static enum wh_rc refuse_ambiguous(struct asking *a, const struct question *q, struct wh_err *err)
{
    struct api_json j;

    ask_begin_refusal(a, &j, ASK_STATUS_AMBIGUOUS, "ambiguous",
                      "several are called so; choose one, with choose=ID");
    wh_jw_key(&j.w, "choices");
    wh_jw_array(&j.w);
    for (size_t i = 0; i < q->n_choices; i++) {
        wh_jw_object(&j.w);
        wh_jw_put_str(&j.w, "kind", wh_slice_str(q->choices[i].kind));
        wh_jw_put_str(&j.w, "id", q->choices[i].id);
        wh_jw_put_str(&j.w, "name", q->choices[i].name);
        wh_jw_put_str(&j.w, "url", WH_LIT(""));
        wh_jw_end(&j.w);
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, a->reading.job, err);
}

/* ---- the answer ---- */

static enum wh_rc run(struct asking *a, const struct question *q, struct wh_buf *out,
                      struct wh_err *err)
{
    const struct api_request *request = &a->reading.job->request;
    struct api_arg args[4] = {{WH_LIT("sql"), q->sql}, {WH_LIT("_size"), WH_LIT("100")}};
    static const char *const past[] = {"as_of", "valid_at"};
    size_t n = 2;

    for (size_t i = 0; i < 2; i++) {
        struct wh_slice value = api_arg(request, past[i]);

        if (value.ptr) {
            args[n++] = (struct api_arg){wh_slice_str(past[i]), value};
        }
    }
    return api_capture(a->reading.job, api_answer_sql, args, n, out, err);
}

static void write_notes(const struct question *q, struct wh_json_writer *w)
{
    wh_jw_key(w, "notes");
    wh_jw_array(w);
    for (size_t i = 0; i < q->n_notes; i++) {
        wh_jw_str(w, q->notes[i]);
    }
    wh_jw_end(w);
}

static enum wh_rc write_answer(struct asking *a, const struct question *q,
                               const struct question_conf *conf, struct wh_slice result,
                               struct wh_slice text, struct wh_err *err)
{
    struct api_json j;

    if (ask_conversation_keep(a, q->restated, q->frame, NULL, err) != WH_OK) {
        return err->rc;
    }
    api_json_begin(&j);
    wh_jw_put_str(&j.w, "question", a->question);
    ask_conversation_write(a, &j.w);
    api_write_when(&j.w, a->reading.when);
    wh_jw_key(&j.w, "understood");
    wh_jw_object(&j.w);
    question_write(q, conf, &j.w);
    wh_jw_end(&j.w);
    wh_jw_put_str(&j.w, "answer", text);
    write_notes(q, &j.w);
    wh_jw_key(&j.w, "result");
    wh_jw_raw(&j.w, result);
    wh_jw_put_str(&j.w, "sql", q->sql);
    if (q->rows_sql.len) {
        wh_jw_put_str(&j.w, "rows_sql", q->rows_sql);
    }
    return api_json_end(&j, a->reading.job, err);
}

static enum wh_rc answer(struct asking *a, const struct question *q,
                         const struct question_conf *conf, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf result;
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&result, RESULT_MAX_BYTES);
    wh_buf_init(&text, TEXT_MAX_BYTES);
    if (run(a, q, &result, err) != WH_OK ||
        question_tell(q, conf, wh_buf_slice(&result), &text, err) != WH_OK) {
        return err->rc;
    }
    return write_answer(a, q, conf, wh_buf_slice(&result), wh_buf_slice(&text), err);
}

enum wh_rc ask_answer_forms(struct asking *a, struct wh_err *err)
{
    return a->by_forms.n_choices ? refuse_ambiguous(a, &a->by_forms, err)
                                 : answer(a, &a->by_forms, &a->forms_conf, err);
}

static bool may_be_of_incidents(const struct asking *a)
{
    struct ask_understood unused;
    struct wh_err ignored;

    return a->by_forms.after_incidents && ask_names_incidents(a->question) &&
           ask_understand(a->question, a->conf.now_ms, a->conf.zone, &unused, &ignored) == WH_OK;
}

/* A follow-up to a question about what incidents hit. */
static bool follows_incident(struct asking *a)
{
    const struct ask_understood before = a->incident_before;
    struct wh_err ignored;

    return a->has_incident_before &&
           (a->question.len == 0 ||
            ask_understand_after(a->question, a->conf.now_ms, a->conf.zone, &before,
                                 &a->incident_before, &ignored) == WH_OK);
}

/* As a follow-up when there is a question before, else on its own. */
static enum wh_rc read_by_forms(struct asking *a, bool *ret_about, struct wh_err *err)
{
    struct api_job *job = a->reading.job;
    enum wh_rc rc = WH_E_INVALID;

    if (a->before && a->question.len == 0) {
        return question_of_frame(a->before, &a->forms_conf, &job->arena, &a->by_forms, err);
    }
    if (a->before) {
        rc = questions_read(job->api->questions, a->question, a->before, &a->forms_conf,
                            &job->arena, &a->by_forms, ret_about, err);
    }
    return rc == WH_E_INVALID
               ? questions_read(job->api->questions, a->question, NULL, &a->forms_conf, &job->arena,
                                &a->by_forms, ret_about, err)
               : rc;
}

enum wh_rc ask_by_forms(struct asking *a, bool *ret_answered, struct wh_err *err)
{
    bool about = false;
    enum wh_rc rc;

    *ret_answered = false;
    a->follows_incident = follows_incident(a);
    if (a->follows_incident) {
        return WH_OK;
    }
    rc = read_by_forms(a, &about, err);
    *ret_answered = true;
    if (rc == WH_E_INVALID) {
        *ret_answered = about && !ask_names_incidents(a->question);
        (void)snprintf(a->why, sizeof(a->why), "%s", about ? err->msg : "");
        return *ret_answered ? ask_not_understood(a, a->why, err) : WH_OK;
    }
    if (rc == WH_OK && may_be_of_incidents(a)) {
        a->has_forms = true;
        *ret_answered = false;
        return WH_OK;
    }
    return rc == WH_OK ? ask_answer_forms(a, err) : rc;
}
