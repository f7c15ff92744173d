/* GET /api/v1/ask?q=QUESTION: a question, now or in the past, by the forms of a file or about incidents. */
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/api/ask_priv.h"
#include "stages/sink/ask/answer.h"

enum { CHOICES_MAX = 20, NAME_TIMEOUT_MS = 2000 };

/* ---- the request ---- */

static enum wh_rc read_zone(struct asking *a, struct wh_err *err)
{
    const struct sink_api *api = a->reading.job->api;
    struct wh_slice name = api_arg(&a->reading.job->request, "zone");

    a->conf.zone = api->zone;
    a->conf.zone_name = wh_slice_str(api->deps.conf.zone ? api->deps.conf.zone : "UTC");
    if (name.ptr) {
        a->conf.zone_name = name;
        return wh_zone_find(name, &a->conf.zone, err);
    }
    return WH_OK;
}

static enum wh_rc read_request(struct asking *a, struct wh_err *err)
{
    struct wh_slice now = api_arg(&a->reading.job->request, "now");
    struct wh_instant at = {.ms = wh_clock_now_ms(&a->reading.job->api->deps.clock)};

    if (now.ptr && wh_time_parse(now, &at, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID, "now must be a time, as in 2026-11-24T10:00:00Z");
    }
    a->conf.now_ms = at.ms;
    a->question = api_arg(&a->reading.job->request, "q");
    if (a->question.len == 0 && api_arg(&a->reading.job->request, "conversation").len == 0) {
        return wh_fail(err, WH_E_INVALID, "no question: GET ?q=which customers were impacted ...");
    }
    return read_zone(a, err) == WH_OK
               ? api_arg_when(&a->reading.job->request, &a->reading.when, err)
               : err->rc;
}

/* ---- what is no answer ---- */

static void write_choice(struct wh_json_writer *w, const char *kind,
                         const struct wh_entity_id *entity, struct wh_slice name,
                         struct wh_slice url)
{
    char id[WH_ENTITY_ID_TEXT + 1];

    wh_jw_object(w);
    wh_jw_put_str(w, "kind", wh_slice_str(kind));
    wh_jw_put_str(w, "id", wh_slice_str(wh_entity_id_format(entity, id)));
    wh_jw_put_str(w, "name", name);
    wh_jw_put_str(w, "url", url);
    wh_jw_end(w);
}

static enum wh_rc ambiguous(struct asking *a, const struct ask_answer *answer, struct wh_err *err)
{
    const struct impact_choice *incident = answer->incident_choices;
    const struct ask_name *name = answer->choices;
    struct api_json j;

    ask_begin_refusal(a, &j, ASK_STATUS_AMBIGUOUS, "ambiguous",
                      name ? "several services or customers are called so; choose one"
                           : "several incidents have that number; choose one");
    wh_jw_key(&j.w, "choices");
    wh_jw_array(&j.w);
    for (int i = 0; name && i < CHOICES_MAX; i++, name = name->next) {
        write_choice(&j.w, wh_kind_def(name->kind)->name, &name->id, name->name, WH_LIT(""));
    }
    for (int i = 0; incident && i < CHOICES_MAX; i++, incident = incident->next) {
        write_choice(&j.w, "incident", &incident->incident->id,
                     past_string(incident->incident, "title"), incident->incident->source.url);
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, a->reading.job, err);
}

/* ---- the answer ---- */

static enum wh_rc write_incidents(struct asking *a, const struct ask_answer *answer,
                                  struct wh_json_writer *w, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    wh_jw_key(w, "incidents");
    wh_jw_array(w);
    for (const struct ask_incident *i = answer->incidents; rc == WH_OK && i; i = i->next) {
        wh_jw_object(w);
        rc = impact_write(a->reading.past, i->report, &a->reading.arena, w, err);
        rc = rc == WH_OK ? api_put_completeness(a->reading.job, a->reading.snap, a->reading.when,
                                                i->head, w, err)
                         : rc;
        wh_jw_end(w);
    }
    wh_jw_end(w);
    return rc;
}

static void write_nearest(const struct ask_answer *answer, struct wh_json_writer *w)
{
    const struct ask_incident *near[] = {answer->before, answer->after};
    char id[WH_ENTITY_ID_TEXT + 1];
    char time[WH_TIME_TEXT_MAX];

    wh_jw_key(w, "nearest");
    wh_jw_array(w);
    for (size_t i = 0; i < 2; i++) {
        if (near[i] == NULL) {
            continue;
        }
        wh_jw_object(w);
        wh_jw_put_str(w, "where", wh_slice_str(i == 0 ? "before" : "after"));
        wh_jw_put_str(w, "id", wh_slice_str(wh_entity_id_format(&near[i]->head->id, id)));
        wh_jw_put_str(w, "url", near[i]->head->source.url);
        wh_jw_put_str(w, "title", past_string(near[i]->head, "title"));
        wh_jw_put_str(w, "severity", near[i]->facts.severity.text);
        wh_jw_put_str(w, "started_at",
                      wh_slice_str(wh_time_format(near[i]->facts.started.ms, time)));
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_notes(const struct ask_answer *answer, struct wh_json_writer *w)
{
    wh_jw_key(w, "notes");
    wh_jw_array(w);
    if (answer->n_title) {
        wh_jw_str(w, WH_LIT("nobody is called like the words that were looked for in titles"));
    }
    wh_jw_end(w);
}

static struct wh_slice first_line(struct wh_slice text)
{
    const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;

    return end ? wh_slice(text.ptr, (size_t)(end - text.ptr)) : text;
}

static enum wh_rc write_answer(struct asking *a, const struct ask_answer *answer,
                               struct wh_err *err)
{
    struct api_json j;
    enum wh_rc rc;

    if (ask_conversation_keep(a, first_line(answer->text), a->has_forms ? a->by_forms.frame : NULL,
                              answer, err) != WH_OK) {
        return err->rc;
    }
    api_json_begin(&j);
    wh_jw_put_str(&j.w, "question", a->question);
    ask_conversation_write(a, &j.w);
    api_write_when(&j.w, a->reading.when);
    wh_jw_key(&j.w, "understood");
    ask_write_understood(answer, &a->conf, &j.w);
    wh_jw_put_str(&j.w, "answer", answer->text);
    write_notes(answer, &j.w);
    rc = write_incidents(a, answer, &j.w, err);
    write_nearest(answer, &j.w);
    wh_jw_put_bool(&j.w, "truncated", answer->cut);
    wh_jw_put_str(&j.w, "sql", answer->sql);
    if (rc != WH_OK) {
        wh_buf_done(&j.buf);
        return rc;
    }
    return api_json_end(&j, a->reading.job, err);
}

/* Is it understood as a question about incidents, apart from its names? */
static bool is_of_incidents(const struct asking *a)
{
    struct ask_understood unused;
    struct wh_err ignored;

    return ask_understand(a->question, a->conf.now_ms, a->conf.zone, &unused, &ignored) == WH_OK;
}

static enum wh_rc answer(void *ctx, struct wh_err *err)
{
    struct asking *a = ctx;
    struct ask_answer found;
    enum wh_rc rc =
        ask_answer(a->reading.past, a->question, a->follows_incident ? &a->incident_before : NULL,
                   &a->conf, &a->reading.arena, &found, err);

    if (a->has_forms && (rc == WH_E_INVALID || (rc == WH_OK && found.n_title))) {
        return ask_answer_forms(a, err);
    }
    if (rc == WH_E_INVALID) {
        return ask_not_understood(a, a->why[0] && !is_of_incidents(a) ? a->why : err->msg, err);
    }
    /* Words that no form takes are no title of an incident in a question about something else. */
    if (rc == WH_OK && a->why[0] && found.n_title && a->by_forms.about &&
        strcmp(a->by_forms.about, "incidents") != 0) {
        return ask_not_understood(a, a->why, err);
    }
    if (rc != WH_OK) {
        return rc;
    }
    return found.choices || found.incident_choices ? ambiguous(a, &found, err)
                                                   : write_answer(a, &found, err);
}

static enum wh_rc answer_in(struct asking *a, struct wh_err *err)
{
    bool answered = false;

    if (ask_conversation_read(a, err) != WH_OK || ask_by_forms(a, &answered, err) != WH_OK) {
        return err->rc;
    }
    return answered ? WH_OK : api_read_state(&a->reading, answer, a, err);
}

static enum wh_rc answer_job(struct api_job *job, bool keeps, struct wh_err *err)
{
    struct asking a = {.reading = {.job = job}, .keeps = keeps};
    enum wh_rc rc;

    if (read_request(&a, err) != WH_OK) {
        return err->rc;
    }
    a.forms_conf = (struct question_conf){.engine = job->api->engine,
                                          .when = &a.reading.when,
                                          .canceled = &job->canceled,
                                          .timeout_ms = NAME_TIMEOUT_MS,
                                          .zone = a.conf.zone,
                                          .zone_name = a.conf.zone_name,
                                          .now_ms = a.conf.now_ms,
                                          .chosen = api_arg(&job->request, "choose")};
    rc = answer_in(&a, err);
    ask_conversation_done(&a);
    return rc;
}

enum wh_rc api_answer_ask(struct api_job *job, struct wh_err *err)
{
    return answer_job(job, wh_slice_eq(job->request.method, WH_LIT("POST")), err);
}

enum wh_rc api_answer_ask_kept(struct api_job *job, struct wh_err *err)
{
    return answer_job(job, true, err);
}
