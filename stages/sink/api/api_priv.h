/*
 * api_priv.h - what the files of this room share.
 *
 * A request is copied and answered on a thread of its lane (a job): the loop never waits for the
 * store, and a read of one entity never waits for a query (lane.h).
 * The answer is written to a spool: at most 1 MiB in memory, a longer answer in an unlinked file. So
 * its status is known before the first byte is sent, and a slow reader costs no memory.
 *
 *   loop:  copy the request -> queue ... -> send, or stream from the file
 *   lane:                      answer
 *
 * An answer without a bound (more rows than sql_rows) has a lane of its own and is sent while it is
 * made (flow.h). The queries' lane only finds out that it has none, and submits the job again.
 */
#ifndef WH_SINK_API_PRIV_H
#define WH_SINK_API_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/gzip.h"
#include "common/json/json_write.h"
#include "common/run/token_file.h"
#include "stages/sink/api/api.h"
#include "stages/sink/api/flow.h"
#include "stages/sink/api/lane.h"
#include "stages/sink/backup/backups.h"
#include "stages/sink/calls/calls.h"
#include "stages/sink/store/head_at.h"
#include "stages/sink/store/keyspace.h"
#include "stages/sink/measures/measures.h"
#include "stages/sink/people/book.h"
#include "stages/sink/questions/questions.h"
#include "stages/sink/sql/sql.h"
#include "stages/sink/views/views.h"
#include "stages/sink/tokens/grants.h"
#include "stages/sink/tokens/own_token.h"

/* ---- spool.c: a long answer ---- */

struct api_spool {
    struct wh_buf memory;
    int fd; /* -1 as long as memory is enough */
    int64_t in_file;
    const char *folder;
    struct api_flow *flow; /* takes all bytes when it is set */
    bool gzip;             /* the client reads it; long answers are compressed */
    bool compressed;       /* this one is */
    struct wh_gzip *compressor;
    int64_t taken; /* bytes before compression */
};

void api_spool_init(struct api_spool *out, const char *folder);
void api_spool_done(struct api_spool *out);
/* The bytes to send: after the end, and without a flow. */
int64_t api_spool_bytes(const struct api_spool *out);
WH_MUST_CHECK enum wh_rc api_spool_write(struct api_spool *out, struct wh_slice bytes,
                                         struct wh_err *err);
/* After the last write. */
WH_MUST_CHECK enum wh_rc api_spool_end(struct api_spool *out, struct wh_err *err);
/* Reads back from `from` on; *ret_n 0 at the end. */
WH_MUST_CHECK enum wh_rc api_spool_read(const struct api_spool *out, int64_t from, char *to,
                                        size_t max, size_t *ret_n, struct wh_err *err);

/* ---- requests ---- */

struct api_arg {
    struct wh_slice name;
    struct wh_slice value;
};

/* A copy in the job's arena. */
struct api_request {
    struct wh_slice method;
    struct wh_slice path;
    struct wh_slice query; /* as it came */
    struct wh_slice accept;
    struct wh_slice last_event; /* the field Last-Event-ID */
    struct wh_slice body;
    bool trailers; /* the client reads trailers (TE: trailers) */
    const struct api_arg *args;
    size_t n_args;
};

/* ptr NULL when absent. */
struct wh_slice api_arg(const struct api_request *request, const char *name);
/* Whole number of an argument within limits; otherwise is given when it is absent. */
WH_MUST_CHECK enum wh_rc api_arg_int(const struct api_request *request, const char *name,
                                     int64_t min, int64_t max, int64_t otherwise, int64_t *ret,
                                     struct wh_err *err);

/* The time that is asked about: as_of and valid_at, each now when it is absent. */
WH_MUST_CHECK enum wh_rc api_arg_when(const struct api_request *request,
                                      struct wh_history_when *ret, struct wh_err *err);
/* The same from texts; a ptr of NULL is now. */
WH_MUST_CHECK enum wh_rc api_read_when(struct wh_slice as_of, struct wh_slice valid_at,
                                       struct wh_history_when *ret, struct wh_err *err);
/*
 * A time as requests have them: an instant, a day of the zone (its begin), or relative to now: now, today, yesterday,
 * -7d, -24h, -30min, -4w; *ret_moves then. False: it is none.
 */
bool api_time_of(struct wh_zone zone, int64_t now_ms, struct wh_slice text, bool *ret_moves,
                 int64_t *ret_ms);
/* Members "as_of" and "valid_at" of an answer about the past; none of one about the present. */
void api_write_when(struct wh_json_writer *w, struct wh_history_when when);

struct api_job;
struct api_page;

/* What of a page is asked for. */
enum api_twin { API_TWIN_HTML, API_TWIN_JSON, API_TWIN_CSV };

/*
 * Queries may take as long as their limit; reads are a few keys of the store; streams also last as long
 * as their readers take; live streams end only when their readers go.
 */
enum api_lane_of { API_QUERIES, API_READS, API_STREAMS, API_LIVE, API_LANES };
enum { API_LIVE_MAX = 16 }; /* live streams at a time */

/* How many requests of a sort may come at once now, and when that was counted. */
struct api_room {
    double left;
    int64_t at_ns;
};

struct sink_api {
    struct sink_api_deps deps;
    struct sql_engine *engine;
    struct questions *questions; /* forms of questions */
    struct wh_zone zone;         /* of the workspace */
    struct own_token *token;
    struct measures *measures;
    char chart_key[65];                   /* signs addresses of charts */
    char search_token[WH_TOKEN_TEXT + 1]; /* may only search; empty: there is none */
    bool draining;
    struct api_lane *lanes[API_LANES];
    struct api_at_once *at_once;
    struct page_sessions *sessions;
    struct views *views;
    struct sink_backups *backups; /* NULL: none are made */
    struct grants *grants;
    struct calls *calls;
    struct api_room agent_room;  /* for calls of /mcp */
    struct api_room client_room; /* for registrations of agents */
    struct api_room token_room;  /* for their tokens */
    struct wh_wake *flow_wake;
    struct api_job *streams; /* jobs with a flow */
    struct wh_counter *sql_results[WH_RC_COUNT];
};

enum { API_HEADER_MAX_BYTES = 2048, API_REASON_BYTES = 200 };

struct api_job {
    struct sink_api *api;
    struct wh_http_req *http; /* NULL when the reader is gone; the loop's thread alone */
    struct api_task task;
    int64_t submitted_ns;
    enum wh_rc (*answer)(struct api_job *job, struct wh_err *err);
    bool wants_flow; /* set by answer, which then has written nothing: the answer has no bound */
    bool live;       /* set with wants_flow: the answer goes on until the reader goes (changes.c) */
    struct wh_arena arena;
    struct api_request request;
    size_t
        n_given; /* arguments that addresses of a list repeat; further ones are a page's own. 0: all */
    bool limited;                /* the reader may not see what is confidential */
    struct wh_slice id;          /* of the path, when the route has one */
    const struct api_page *page; /* NULL: the request is not for a page */
    enum api_twin twin;
    struct grants_agent agent; /* who called /mcp */
    atomic_bool canceled;
    /* The answer. */
    struct api_spool out;
    const char *content_type;
    unsigned status;                     /* 0: 200 */
    int64_t part_rows;                   /* of that answer, when it has rows */
    unsigned part_status;                /* of the answer that api_capture took last */
    char link[API_HEADER_MAX_BYTES];     /* value of a Link header, or empty */
    char location[API_HEADER_MAX_BYTES]; /* value of a Location header, or empty */
    struct wh_err err;                   /* rc WH_OK when it was answered */
    bool has_rows;                 /* the answer is rows, and says whether they are complete */
    const char *cut;               /* why rows are missing; NULL: none are */
    char reason[API_REASON_BYTES]; /* value of a Wellhead-Reason field */
    int64_t sent;
    /* A job with a flow; the loop's thread alone. */
    struct api_job *prev;
    struct api_job *next;
    bool task_over; /* the lane has ended */
    bool replying;  /* the server reads the flow */
};

/* ---- jobs.c ---- */

/* A job with a copy of the request; NULL with *err when it cannot be taken on. */
struct api_job *api_job_new(struct sink_api *api, struct wh_http_req *req, struct wh_err *err);
void api_job_free(struct api_job *job);
/* Hands the job to a lane, which calls job->answer; a full lane is replied to at once. */
void api_job_submit(struct api_job *job, enum api_lane_of lane);
/* Replies with the job's answer, or with job->err, and frees the job. ctx is the job. */
void api_job_settle(void *ctx);

/* ---- stream.c: jobs whose answers have no bound ---- */

/* Gives the job a flow and hands it to the lane for streams. */
void api_stream_submit(struct api_job *job);
/* The lane has ended: what is left is sent. */
void api_stream_settle(struct api_job *job);
/* For the wake-up of all flows. ctx is the API. */
void api_streams_serve(void *ctx);
/* Ends all streams before their time. */
void api_streams_close(struct sink_api *api);
/* The jobs that are left no longer know the API, which is freed. */
void api_streams_forget(struct sink_api *api);
void api_stream_leave(struct api_job *job);

/* ---- reply.c ---- */

enum { API_HEADERS_MAX = 12, API_GZIP_MIN_BYTES = 8 << 10 };
/* Does the client accept gzip? */
bool api_accepts_gzip(const struct wh_http_req *req);
/*
 * Replies 200 with an ETag, which stands for exactly these bytes, or 304 when the client has them. headers
 * are those of api_job_headers or api_common_headers, and have room for one more.
 */
void api_reply_answer(struct wh_http_req *req, const char *type, struct wh_slice body,
                      struct wh_http_header headers[API_HEADERS_MAX], size_t n);
/* The headers of every answer; returns how many. */
size_t api_common_headers(struct wh_http_header out[API_HEADERS_MAX]);
/* Those, and the ones of this job. */
size_t api_job_headers(struct api_job *job, struct wh_http_header out[API_HEADERS_MAX]);
/* Wellhead-Result and Wellhead-Reason: whether the rows are complete, and why they are not. */
size_t api_result_fields(struct api_job *job, struct wh_http_header out[2]);
void api_reply(struct wh_http_req *req, unsigned status, const char *type, struct wh_slice body,
               const struct wh_http_header *more, size_t n_more);
/* {"ok":false, "error": message, "code": code, "status": status}; more: one header, or NULL. */
void api_reply_error(struct wh_http_req *req, unsigned status, const char *code,
                     const char *message, const struct wh_http_header *more);
/* An error of ours as a reply: 500 is logged, its text stays here. */
void api_reply_failure(struct sink_api *api, struct wh_http_req *req, const struct wh_err *err);
unsigned api_status_of(enum wh_rc rc);

/* ---- request.c ---- */

/* Copies what the job needs of its request into the job's arena. */
WH_MUST_CHECK enum wh_rc api_copy_request(struct api_job *job, struct wh_err *err);
/* Other arguments; the texts are kept. */
WH_MUST_CHECK enum wh_rc api_set_args(struct api_job *job, const struct api_arg *args, size_t n,
                                      struct wh_err *err);
/* One more argument; the texts are kept. */
WH_MUST_CHECK enum wh_rc api_add_arg(struct api_job *job, const char *name, struct wh_slice value,
                                     struct wh_err *err);

/* A JSON answer of moderate size: write to *w, then finish. */
struct api_json {
    struct wh_buf buf;
    struct wh_json_writer w;
};
void api_json_begin(struct api_json *j);
/* Writes it to the job's answer and frees j in any case. */
WH_MUST_CHECK enum wh_rc api_json_end(struct api_json *j, struct api_job *job, struct wh_err *err);

/* ---- rows.c: rows of SQL as JSON, NDJSON or CSV ---- */

/*
 * API_CSV is for spreadsheets, which run a cell that looks like a formula: a text that begins with
 * one of = + - @, or with a control character, gets an apostrophe in front. Numbers of SQL are
 * never touched: -5 stays -5. API_CSV_RAW is for programs: every text as it is.
 */
enum api_format { API_JSON, API_NDJSON, API_CSV, API_CSV_RAW };

struct api_rows {
    struct api_spool *out;
    enum api_format format;
    bool arrays;                  /* rows as arrays, not objects */
    bool bare;                    /* JSON is the array of the rows alone */
    bool first_only;              /* of each row, the first value */
    bool no_head;                 /* CSV without the line of names */
    const enum sql_shape *shapes; /* of the columns, or NULL: as SQL has them */
    size_t hidden;                /* last columns that are not shown */
    int64_t max_bytes;
    struct wh_arena *arena; /* names */
    struct wh_slice *names;
    size_t n;
    struct wh_buf row;
    int64_t skip; /* rows of pages before */
    int64_t count;
    /* The hidden columns of the last row; NULL without. */
    void (*on_hidden)(void *ctx, const struct sql_value *values, size_t n);
    void *ctx;
};

/* By _format, _nl or the Accept header. */
WH_MUST_CHECK enum wh_rc api_format_of(const struct api_request *request, struct wh_slice asked,
                                       enum api_format *ret, struct wh_err *err);
const char *api_format_type(enum api_format format);
/* Begins the answer: {"ok":true, ... "rows":[ when it is JSON. */
void api_rows_init(struct api_rows *rows, struct api_job *job, enum api_format format);
void api_rows_done(struct api_rows *rows);
/* Reads _shape (objects, arrays, array, arrayfirst) and _header (off). */
WH_MUST_CHECK enum wh_rc api_rows_shape(struct api_rows *rows, const struct api_request *request,
                                        struct wh_err *err);
/* The time limit that a request asks for; 0: the usual one, or the longest for all rows. */
int64_t api_time_limit(const struct api_job *job, int64_t asked_ms);
/*
 * Runs the query of the job within timeout_ms, its wait for a thread included, and writes its rows. The
 * caller sets text, params and max_rows.
 */
WH_MUST_CHECK enum wh_rc api_rows_run(struct api_rows *rows, struct api_job *job,
                                      struct sql_query *query, int64_t timeout_ms,
                                      struct sql_outcome *ret, struct wh_err *err);
/* Ends it; members are JSON members for the end. */
WH_MUST_CHECK enum wh_rc api_rows_end(struct api_rows *rows, struct wh_slice members,
                                      struct wh_err *err);

/* Of a page that is not the last one. */
#define API_CUT_PAGE "there are more rows; ask for the next page"

/*
 * Appends the JSON that the route would answer to these arguments. The job's own request and answer stay as they
 * are. WH_E_TOO_LARGE for more than a page or a tool may show.
 */
WH_MUST_CHECK enum wh_rc api_capture(struct api_job *job,
                                     enum wh_rc (*answer)(struct api_job *job, struct wh_err *err),
                                     const struct api_arg *args, size_t n, struct wh_buf *out,
                                     struct wh_err *err);

/* ---- reading.c: one look at the state of the store, now or in the past ---- */

struct past;

/* The caller sets job and when; the rest is valid while answer runs. */
struct api_reading {
    struct api_job *job;
    struct wh_history_when when;
    struct past *past;
    struct wh_arena arena;
    const struct wh_snapshot *snap;
    int64_t deadline_ns;
};

/* Calls answer with a reader of the state. WH_E_TIMEOUT when what is left of a statement's time is over, or nobody
 * waits for the answer any more. */
WH_MUST_CHECK enum wh_rc api_read_state(struct api_reading *r,
                                        enum wh_rc (*answer)(void *ctx, struct wh_err *err),
                                        void *ctx, struct wh_err *err);

/* ---- the routes ---- */

WH_MUST_CHECK enum wh_rc api_answer_sql(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_entities(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_entity(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_url(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_revisions(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_links(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_ask(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_questions(struct api_job *job, struct wh_err *err);
/* The same, and the question is kept as the newest turn of its conversation. */
WH_MUST_CHECK enum wh_rc api_answer_ask_kept(struct api_job *job, struct wh_err *err);
/* conversations.c */
WH_MUST_CHECK enum wh_rc api_answer_conversations(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_conversation(struct api_job *job, struct wh_err *err);
/* Writes the member "completeness" of an incident's impact: whether all issues of its project were read. */
WH_MUST_CHECK enum wh_rc api_put_completeness(struct api_job *job, const struct wh_snapshot *snap,
                                              struct wh_history_when when,
                                              const struct wh_head *incident,
                                              struct wh_json_writer *w, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_impact(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_search(struct api_job *job, struct wh_err *err);
/* The member "search" of the status. */
void api_write_search_status(const struct api_job *job, struct wh_json_writer *w);
WH_MUST_CHECK enum wh_rc api_answer_kinds(struct api_job *job, struct wh_err *err);
/* "string", "time", "references" */
const char *api_field_type(enum wh_field_type type);
WH_MUST_CHECK enum wh_rc api_answer_chart(struct api_job *job, struct wh_err *err);
/* Reads the key of addresses of charts, or makes it. */
WH_MUST_CHECK enum wh_rc api_chart_key_load(struct sink_api *api, struct wh_err *err);
/* Does the request have the signature of its address, which has not expired? */
bool api_chart_link_fits(const struct sink_api *api, const struct wh_http_req *req);
WH_MUST_CHECK enum wh_rc api_answer_measures(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_measure(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_measure_rows(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_model(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_status(struct api_job *job, struct wh_err *err);
/* seen.c: members "set_aside" and "last_success" of the status. */
WH_MUST_CHECK enum wh_rc api_write_set_aside(struct api_job *job, struct wh_json_writer *w,
                                             struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_write_successes(struct api_job *job, struct wh_json_writer *w,
                                             struct wh_err *err);
/* stream_states.c: the member "streams" of the status. */
WH_MUST_CHECK enum wh_rc api_write_streams(struct api_job *job, struct wh_json_writer *w,
                                           struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_views(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_view(struct api_job *job, struct wh_err *err);
/* Names the address of a page. */
WH_MUST_CHECK enum wh_rc api_save_view(struct api_job *job, struct wh_slice name,
                                       struct wh_slice path, char ret_id[VIEW_ID_TEXT + 1],
                                       struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_purge(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_backups(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_backup_file(struct api_job *job, struct wh_err *err);
/* Does the request ask for the entity of one page? */
bool api_is_url_lookup(const struct api_request *request);
/* The milliseconds that the request has waited for a thread. They are part of its time limit. */
int64_t api_waited_ms(const struct api_job *job);

/* ---- control.c: the fetcher's control API, for the pages ---- */

/* Of a call that does something, and of one that only looks: many pages may look at a fetcher that hangs. */
enum { API_CONTROL_TIMEOUT_MS = 15000, API_CONTROL_LOOK_MS = 3000 };

struct api_control {
    unsigned status;
    struct wh_buf body; /* may hold secrets; wiped when it is freed */
};

/* Is the sink told where the fetcher is? */
bool api_control_is_there(const struct api_job *job);
/*
 * Any HTTP status is a success. WH_E_UNAVAILABLE: no fetcher is configured, or it does not answer in
 * time; the errors of wh_conf_secret_read for its token. Free the answer in any case.
 * Thread: a lane's, which waits.
 */
WH_MUST_CHECK enum wh_rc api_control_call(const struct api_job *job, const char *method,
                                          const char *path, struct wh_slice body,
                                          struct api_control *ret, struct wh_err *err);
void api_control_done(struct api_control *answer);

/* ---- pages/pages.c: pages for people; HTML with a .json twin, and .csv where a page has rows ---- */

#define API_HTML "text/html; charset=utf-8"

/* NULL: the path is not a page's. *ret_id: the segment that stands for '*', or empty. */
const struct api_page *api_page_find(struct wh_slice path, enum api_twin *ret_twin,
                                     struct wh_slice *ret_id);
/* Does the page take forms? */
bool api_page_takes_forms(const struct api_page *page);
enum { PAGE_FORM_MAX_BYTES = 256 << 10 };
/* Answers a form of job->page. */
WH_MUST_CHECK enum wh_rc api_answer_form(struct api_job *job, struct wh_err *err);
/* Answers job->page as job->twin; without a page, 404 as a page. */
WH_MUST_CHECK enum wh_rc api_answer_page(struct api_job *job, struct wh_err *err);

/* ---- changes.c: the log of changes as server-sent events ---- */

WH_MUST_CHECK enum wh_rc api_answer_changes(struct api_job *job, struct wh_err *err);
/* The last event of a live stream whose lane has ended: why, and that the reader may resume. */
WH_MUST_CHECK enum wh_rc api_changes_end(const struct api_job *job, struct wh_buf *out,
                                         struct wh_err *err);

/* ---- rules.c ---- */

WH_MUST_CHECK enum wh_rc api_answer_rules(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_rule(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_rule_deliveries(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_rule_replay(struct api_job *job, struct wh_err *err);
WH_MUST_CHECK enum wh_rc api_answer_rule_test(struct api_job *job, struct wh_err *err);

/* ---- login.c ---- */

/*
 * Paths that need no token: /assets/..., /login. False: another path. *ret_body: how many bytes of body may
 * come.
 */
bool api_is_public(struct wh_slice path, struct wh_slice method, size_t *ret_body);
void api_public(struct sink_api *api, struct wh_http_req *req);
/* POST /api/v1/login-links and /logout. False: another path. */
bool api_is_session(struct wh_slice path);
void api_session(struct sink_api *api, struct wh_http_req *req);
/* Does the request carry the bearer token, or a browser's session? A session may only change something from pages
 * of its own (Origin). */
bool api_knows(struct sink_api *api, const struct wh_http_req *req);
/* A page of its own without the frame: the template shows the document, a JSON object. form_action: an origin that the answer of
 * a form may redirect to, or "". */
void api_reply_template(struct wh_http_req *req, unsigned status, const char *name,
                        struct wh_slice document, const char *form_action);
/* 401 as a page that says how to log in, and leads back to what was asked for. */
void api_ask_login(struct wh_http_req *req);
/* The fields of every HTML answer; returns how many. */
size_t api_html_headers(struct wh_http_header out[3]);

/* ---- mcp.c: the workspace for agents, by the Model Context Protocol ---- */

WH_MUST_CHECK enum wh_rc api_answer_mcp(struct api_job *job, struct wh_err *err);
/* Who calls, by the token of the request: the API's, or an access token for /mcp. */
bool api_mcp_agent(struct sink_api *api, const struct wh_http_req *req, struct grants_agent *ret);
/* Checks the head of a request for /mcp; gives how many bytes of body may come. 0: it was refused. */
size_t api_mcp_head(struct sink_api *api, struct wh_http_req *req);

/* ---- tokens.c: sessions, agents' grants and the API's token ---- */

/* GET lists them, POST {"end": ID} ends one. */
WH_MUST_CHECK enum wh_rc api_answer_tokens(struct api_job *job, struct wh_err *err);
/* Ends a session or a grant, or replaces the API's token (id "api"). WH_E_NOT_FOUND. */
WH_MUST_CHECK enum wh_rc api_end_token(struct sink_api *api, struct wh_slice id,
                                       struct wh_err *err);

/* ---- origin.c ---- */

enum { API_ORIGIN_MAX = 400 };

/* Does Host name this server (loopback, or api.hosts), and Origin, where there is one, the same? */
bool api_host_fits(const struct sink_api *api, const struct wh_http_req *req);
/* The address of a path under the name that the request used. False: that name is not ours. */
bool api_origin(const struct sink_api *api, const struct wh_http_req *req, const char *path,
                char ret[API_ORIGIN_MAX]);
/* May one more come? At most burst at once, and rate a second. */
bool api_room_take(struct api_room *room, int64_t now_ns, unsigned burst, double rate);

/* ---- oauth.c, oauth_consent.c: access for agents, approved by a person ---- */

#define OAUTH_SCOPE "read"
#define OAUTH_RESOURCE_PATH "/.well-known/oauth-protected-resource/mcp"

bool api_is_oauth(struct wh_slice path);
/* Checks the head; gives how many bytes of body may come. */
size_t api_oauth_head(struct sink_api *api, struct wh_http_req *req);
void api_oauth(struct sink_api *api, struct wh_http_req *req);

/* ---- entity.c ---- */

enum api_entity_iter { API_ENTITY_REVISIONS, API_ENTITY_BACKLINKS, API_ENTITY_ITERS };
extern const enum sink_family api_entity_families[API_ENTITY_ITERS];

/* From where an entity is read. The iterators cover at least all keys of the entity. */
struct api_entity_source {
    struct wh_store *store;
    const struct wh_snapshot *snap;
    struct wh_history_when when;
    struct wh_iter *iters[API_ENTITY_ITERS];
    size_t max_bytes; /* more stored bytes are WH_E_BUSY; 0: no bound */
    int64_t max_keys; /* more keys of a family are WH_E_BUSY; 0: no bound */
    struct people_cache
        *people; /* for accounts and rows of directories; NULL: they are WH_E_BUSY */
};

/* Writes the answer into out, which is empty. Thread: any. WH_E_NOT_FOUND. */
WH_MUST_CHECK enum wh_rc api_entity_write(const struct api_entity_source *from,
                                          const struct wh_entity_id *id, struct wh_arena *arena,
                                          struct wh_buf *out, struct wh_err *err);
/* The entity whose page at the source this is; WH_E_NOT_FOUND. */
WH_MUST_CHECK enum wh_rc api_find_url(struct wh_store *store, const struct wh_snapshot *snap,
                                      struct wh_slice url, struct wh_entity_id *ret,
                                      struct wh_err *err);

/* ---- at_once.c: reads that need no thread of their own ---- */

struct api_at_once;

/* Keeps at most answers_bytes of answers. NULL: no memory. */
struct api_at_once *api_at_once_new(struct wh_loop *loop, struct wh_store *store,
                                    size_t answers_bytes);
void api_at_once_free(struct api_at_once *at);
/*
 * Thread: loop. Reads an entity by its id or, with id.ptr NULL, by its page, if all that it needs is in
 * memory and little enough; *ret belongs to `at` until the next call. WH_E_NOT_FOUND; any other error:
 * the lane has to read it.
 */
WH_MUST_CHECK enum wh_rc api_at_once_read(struct api_at_once *at, struct wh_slice id,
                                          struct wh_slice url, struct wh_slice *ret,
                                          struct wh_err *err);
/* Replies at once; no token. */
void api_registry(struct sink_api *api, struct wh_http_req *req, struct wh_slice path);

#endif
