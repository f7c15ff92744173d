/* Conversations: GET /api/v1/conversations lists them, GET and DELETE .../ID; POST /api/v1/ask keeps what was asked. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "stages/sink/api/ask_priv.h"
#include "stages/sink/past/past.h"

enum {
    PATH_BYTES = 1024,
    DEPTH_MAX = 12,
    TURNS_MAX = 50,
    LIST_MAX_BYTES = 4 << 20,
    TEXT_MAX_BYTES = 2000
};

static enum wh_rc folder_of(const struct api_job *job, char ret[PATH_BYTES], struct wh_err *err)
{
    int n = snprintf(ret, PATH_BYTES, "%s/conversations", job->api->deps.conf.data_path);

    return n > 0 && n < PATH_BYTES
               ? WH_OK
               : wh_fail(err, WH_E_TOO_LARGE, "the path of the data folder is too long");
}

/* ---- reading ---- */

static enum ask_form form_of(struct wh_slice name)
{
    for (int i = 0; i < ASK_FORMS; i++) {
        if (wh_slice_eq(name, wh_slice_str(ask_form_name((enum ask_form)i)))) {
            return (enum ask_form)i;
        }
    }
    return ASK_INCIDENTS;
}

static const char *severity_of(struct wh_slice name)
{
    static const char *const known[] = {"critical", "high", "medium", "low"};

    for (size_t i = 0; i < 4; i++) {
        if (wh_slice_eq(name, wh_slice_str(known[i]))) {
            return known[i];
        }
    }
    return NULL;
}

static void read_incident(struct wh_json_val v, struct ask_understood *ret)
{
    struct wh_json_iter it = wh_json_get_iter(v, "terms");
    struct wh_json_val term;
    struct wh_slice key;

    *ret = (struct ask_understood){.form = form_of(wh_json_get_str(v, "form")),
                                   .has_time = wh_json_get_flag(v, "has_time"),
                                   .from_ms = wh_json_get_int(v, "from_ms", INT64_MIN),
                                   .to_ms = wh_json_get_int(v, "to_ms", INT64_MAX),
                                   .first_day = wh_json_get_int(v, "first_day", 0),
                                   .last_day = wh_json_get_int(v, "last_day", 0),
                                   .reference = wh_json_get_str(v, "reference"),
                                   .severity = severity_of(wh_json_get_str(v, "severity"))};
    while (ret->n_terms < ASK_TERMS_MAX && wh_json_next(&it, &key, &term)) {
        ret->terms[ret->n_terms++] = (struct ask_term){wh_json_string(term), ASK_OF_ANY};
    }
}

static enum wh_rc read_document(struct asking *a, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    char folder[PATH_BYTES];
    struct wh_json_val v;

    wh_buf_init(&text, CONVERSATION_MAX_BYTES);
    a->parser = wh_json_parser_new(CONVERSATION_MAX_BYTES, DEPTH_MAX);
    if (a->parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a conversation");
    }
    if (folder_of(a->reading.job, folder, err) != WH_OK ||
        conversations_load(folder, &a->id, &text, err) != WH_OK ||
        wh_json_parse(a->parser, wh_buf_slice(&text), &a->document, err) != WH_OK) {
        return err->rc;
    }
    if (wh_json_get(a->document, WH_LIT("frame"), &v) &&
        question_frame_read(a->reading.job->api->questions, v, &a->forms_conf,
                            &a->reading.job->arena, &a->before, err) != WH_OK) {
        return err->rc;
    }
    a->has_incident_before = wh_json_get(a->document, WH_LIT("incident"), &v);
    if (a->has_incident_before) {
        read_incident(v, &a->incident_before);
    }
    return WH_OK;
}

enum wh_rc ask_conversation_read(struct asking *a, struct wh_err *err)
{
    struct wh_slice id = api_arg(&a->reading.job->request, "conversation");

    a->has_id = a->keeps || id.len;
    if (id.len == 0) {
        return a->keeps ? conversation_id_new(&a->id, err) : WH_OK;
    }
    return conversation_id_parse(id, &a->id, err) == WH_OK ? read_document(a, err) : err->rc;
}

void ask_conversation_done(struct asking *a)
{
    wh_json_parser_free(a->parser);
    a->parser = NULL;
}

/* ---- keeping ---- */

static void write_turn(struct wh_json_writer *w, struct wh_slice question, struct wh_slice restated,
                       struct wh_slice at)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "question", question);
    wh_jw_put_str(w, "restated", restated);
    wh_jw_put_str(w, "at", at);
    wh_jw_end(w);
}

/* The newest turns that there is room for. */
static void write_turns(const struct asking *a, struct wh_slice restated, struct wh_slice at,
                        struct wh_json_writer *w)
{
    struct wh_json_iter it;
    struct wh_json_val turn;
    struct wh_slice key;
    size_t n = 0;

    wh_jw_key(w, "turns");
    wh_jw_array(w);
    it = a->parser ? wh_json_get_iter(a->document, "turns") : (struct wh_json_iter){0};
    while (a->parser && wh_json_next(&it, &key, &turn)) {
        n++;
    }
    it = a->parser ? wh_json_get_iter(a->document, "turns") : (struct wh_json_iter){0};
    while (a->parser && wh_json_next(&it, &key, &turn)) {
        if (n-- < TURNS_MAX) {
            write_turn(w, wh_json_get_str(turn, "question"), wh_json_get_str(turn, "restated"),
                       wh_json_get_str(turn, "at"));
        }
    }
    write_turn(w, a->question, restated, at);
    wh_jw_end(w);
}

/* One incident is kept by its id, so that the next question means the same one whatever happens to it. */
static void write_incident(const struct ask_answer *answer, struct wh_json_writer *w)
{
    const struct ask_understood *u = &answer->understood;
    char id[WH_ENTITY_ID_TEXT + 1];
    bool one = answer->n_incidents == 1;

    wh_jw_key(w, "incident");
    wh_jw_object(w);
    wh_jw_put_str(w, "form", wh_slice_str(ask_form_name(u->form)));
    if (one) {
        wh_jw_put_str(w, "reference",
                      wh_slice_str(wh_entity_id_format(&answer->incidents->head->id, id)));
    } else {
        wh_jw_put_str(w, "reference", u->reference);
        wh_jw_put_bool(w, "has_time", u->has_time);
        wh_jw_put_int(w, "from_ms", u->from_ms);
        wh_jw_put_int(w, "to_ms", u->to_ms);
        wh_jw_put_int(w, "first_day", u->first_day);
        wh_jw_put_int(w, "last_day", u->last_day);
        wh_jw_put_str(w, "severity", wh_slice_str(u->severity ? u->severity : ""));
        wh_jw_key(w, "terms");
        wh_jw_array(w);
        for (size_t i = 0; i < u->n_terms; i++) {
            wh_jw_str(w, u->terms[i].text);
        }
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

enum wh_rc ask_conversation_keep(struct asking *a, struct wh_slice restated,
                                 const struct question_frame *frame,
                                 const struct ask_answer *incidents, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text = {0};
    struct wh_json_writer w;
    char folder[PATH_BYTES];
    char now[WH_TIME_TEXT_MAX];
    struct wh_slice at =
        wh_slice_str(wh_time_format(wh_clock_now_ms(&a->reading.job->api->deps.clock), now));

    if (!a->keeps) {
        return WH_OK;
    }
    restated.len = restated.len < TEXT_MAX_BYTES ? restated.len : TEXT_MAX_BYTES;
    wh_buf_init(&text, CONVERSATION_MAX_BYTES);
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "id", wh_slice_str(a->id.text));
    wh_jw_put_str(&w, "created_at", a->parser ? wh_json_get_str(a->document, "created_at") : at);
    wh_jw_put_str(&w, "updated_at", at);
    write_turns(a, restated, at, &w);
    if (frame) {
        wh_jw_key(&w, "frame");
        question_frame_write(frame, &w);
    }
    if (incidents) {
        write_incident(incidents, &w);
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    return folder_of(a->reading.job, folder, err) == WH_OK
               ? conversations_save(folder, &a->id, wh_buf_slice(&text), err)
               : err->rc;
}

void ask_conversation_write(const struct asking *a, struct wh_json_writer *w)
{
    if (a->has_id) {
        wh_jw_put_str(w, "conversation", wh_slice_str(a->id.text));
    }
}

/* ---- the routes ---- */

enum wh_rc api_answer_conversations(struct api_job *job, struct wh_err *err)
{
    struct conversation_id ids[CONVERSATIONS_MAX];
    char folder[PATH_BYTES];
    struct api_json j;
    size_t n;

    if (folder_of(job, folder, err) != WH_OK) {
        return err->rc;
    }
    n = conversations_list(folder, ids);
    api_json_begin(&j);
    wh_jw_key(&j.w, "rows");
    wh_jw_array(&j.w);
    for (size_t i = 0; i < n; i++) {
        WH_AUTO(buf) struct wh_buf text;
        struct wh_err ignored;

        wh_buf_init(&text, CONVERSATION_MAX_BYTES);
        if (conversations_load(folder, &ids[i], &text, &ignored) == WH_OK) {
            wh_jw_raw(&j.w, wh_buf_slice(&text));
        }
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, job, err);
}

enum wh_rc api_answer_conversation(struct api_job *job, struct wh_err *err)
{
    bool deletes = wh_slice_eq(job->request.method, WH_LIT("DELETE"));
    WH_AUTO(buf) struct wh_buf text;
    struct conversation_id id;
    char folder[PATH_BYTES];
    struct api_json j;

    wh_buf_init(&text, CONVERSATION_MAX_BYTES);
    if (folder_of(job, folder, err) != WH_OK || conversation_id_parse(job->id, &id, err) != WH_OK ||
        (deletes ? conversations_remove(folder, &id, err)
                 : conversations_load(folder, &id, &text, err)) != WH_OK) {
        return err->rc;
    }
    api_json_begin(&j);
    wh_jw_put_str(&j.w, "conversation", wh_slice_str(id.text));
    if (deletes) {
        wh_jw_put_bool(&j.w, "deleted", true);
    } else {
        wh_jw_key(&j.w, "document");
        wh_jw_raw(&j.w, wh_buf_slice(&text));
    }
    return api_json_end(&j, job, err);
}
