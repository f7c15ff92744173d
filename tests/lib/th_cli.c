#include "tests/lib/th_cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run.h"
#include "tests/lib/th_cmocka.h"

enum {
    ANSWERS_MAX = 64,
    REQUESTS_MAX = 512,
    ENV_MAX = 32,
    WORDS_MAX = 64,
    PIECE_BYTES = 7,
    TERMINAL_COLUMNS = 100,
};

static const int64_t epoch_ms = INT64_C(1795996800000); /* 2026-11-30T00:00:00Z */

struct answer {
    char *request;
    char *body;
    enum wh_rc rc;
    unsigned status;
    bool used;
};

struct th_cli {
    struct cli_http http; /* first: the interface's pointer is ours */
    struct answer answers[ANSWERS_MAX];
    size_t n_answers;
    char *requests[REQUESTS_MAX];
    size_t n_requests;
    const char *env[ENV_MAX + 1];
    size_t n_env;
    struct wh_bus_mem *bus;
    char *data;
    char *messages;
    size_t data_len;
    size_t messages_len;
    int64_t now_ms;
    int64_t started_ms;
    int input;
    int keyboard; /* the other end of a terminal */
    int interrupt[2];
    unsigned until_interrupt; /* pauses; 0: none comes */
    bool terminal;
};

/* ---- the outside ---- */

static struct answer *find_answer(struct th_cli *t, const char *request)
{
    struct answer *best = NULL;

    for (size_t i = 0; i < t->n_answers; i++) {
        struct answer *a = &t->answers[i];
        size_t len = strlen(a->request);

        if (strncmp(a->request, request, len) == 0 &&
            (best == NULL || len > strlen(best->request) ||
             (len == strlen(best->request) && best->used))) {
            best = a;
        }
    }
    return best;
}

/* In small pieces, so that each place of an answer is the end of one now and then. */
static enum wh_rc hand_on(const struct cli_request *request, struct wh_slice bytes,
                          struct wh_err *err)
{
    while (bytes.len) {
        size_t n = bytes.len < PIECE_BYTES ? bytes.len : PIECE_BYTES;

        if (!request->on_data(request->ctx, wh_slice(bytes.ptr, n))) {
            return wh_fail(err, WH_E_CANCELED, "stopped");
        }
        bytes = wh_slice_from(bytes, n);
    }
    return WH_OK;
}

static enum wh_rc on_call(struct cli_http *http, const struct cli_request *request,
                          struct cli_answer *ret, struct wh_err *err)
{
    struct th_cli *t = (struct th_cli *)http;
    struct answer *a;
    char *text;

    assert_true(t->n_requests < REQUESTS_MAX);
    assert_true(request->timeout_ms > 0);
    assert_true(asprintf(&text, "%s %s%.*s %.*s", request->method, request->base,
                         WH_SLICE_ARG(request->path), WH_SLICE_ARG(request->body)) > 0);
    t->requests[t->n_requests++] = text;
    ret->status = 0;
    wh_buf_init(&ret->body, CLI_ANSWER_MAX_BYTES);
    a = find_answer(t, text);
    if (a == NULL) {
        return wh_fail(err, WH_E_NET, "%s: nobody listens", request->base);
    }
    /* The last of several is kept. */
    a->used = true;
    if (a->rc != WH_OK) {
        return wh_fail(err, a->rc, "%s", a->body);
    }
    ret->status = a->status;
    if (request->on_data && a->status == 200) {
        return hand_on(request, wh_slice_str(a->body), err);
    }
    return wh_buf_append(&ret->body, wh_slice_str(a->body), err);
}

static struct th_cli *current; /* wh_admin_kafka_new and wh_consumer_kafka_new have no context */

static enum wh_rc new_admin(const char *bootstrap, const char *client_id,
                            const struct wh_conf_pairs *extra, struct wh_log *log,
                            struct wh_admin **ret, struct wh_err *err)
{
    (void)bootstrap;
    (void)client_id;
    (void)extra;
    (void)log;
    return wh_bus_mem_admin(current->bus, ret, err);
}

static enum wh_rc new_consumer(const struct wh_consumer_conf *conf, struct wh_consumer **ret,
                               struct wh_err *err)
{
    return wh_bus_mem_consumer(current->bus, conf, ret, err);
}

static enum wh_rc new_producer(const struct wh_producer_conf *conf, struct wh_producer **ret,
                               struct wh_err *err)
{
    return wh_bus_mem_producer(current->bus, conf, ret, err);
}

static int64_t now_ms(void *ctx)
{
    struct th_cli *t = ctx;

    return t->now_ms;
}

static int64_t mono_ns(void *ctx)
{
    struct th_cli *t = ctx;

    return t->now_ms * 1000000;
}

static void pause_ms(void *ctx, int64_t ms)
{
    struct th_cli *t = ctx;

    t->now_ms += ms;
    if (t->until_interrupt && --t->until_interrupt == 0) {
        assert_int_equal(write(t->interrupt[1], "x", 1), 1);
    }
}

/* ---- the fixture ---- */

struct th_cli *th_cli_new(void)
{
    struct th_cli *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->http.call = on_call;
    t->bus = wh_bus_mem_new();
    assert_non_null(t->bus);
    t->now_ms = epoch_ms;
    t->input = -1;
    t->keyboard = -1;
    assert_int_equal(pipe(t->interrupt), 0);
    th_cli_env(t, "WELLHEAD_CONFIG=/dev/null");
    th_cli_env(t, "PAGER=cat");
    th_cli_env(t, "WELLHEAD_FETCHER_URL=http://fetcher");
    th_cli_env(t, "WELLHEAD_INTAKE_URL=http://intake");
    th_cli_env(t, "WELLHEAD_MAPPER_URL=http://mapper");
    th_cli_env(t, "WELLHEAD_SINK_URL=http://sink");
    return t;
}

static void forget_run(struct th_cli *t)
{
    for (size_t i = 0; i < t->n_requests; i++) {
        free(t->requests[i]);
    }
    t->n_requests = 0;
    free(t->data);
    free(t->messages);
    t->data = NULL;
    t->messages = NULL;
}

static void close_input(struct th_cli *t)
{
    if (t->input >= 0) {
        (void)close(t->input);
    }
    if (t->keyboard >= 0) {
        (void)close(t->keyboard);
    }
    t->input = -1;
    t->keyboard = -1;
}

void th_cli_free(struct th_cli *t)
{
    forget_run(t);
    for (size_t i = 0; i < t->n_answers; i++) {
        free(t->answers[i].request);
        free(t->answers[i].body);
    }
    close_input(t);
    (void)close(t->interrupt[0]);
    (void)close(t->interrupt[1]);
    wh_bus_mem_free(t->bus);
    free(t);
}

static void add_answer(struct th_cli *t, const char *request, enum wh_rc rc, unsigned status,
                       const char *body)
{
    assert_true(t->n_answers < ANSWERS_MAX);
    t->answers[t->n_answers++] = (struct answer){
        .request = strdup(request), .body = strdup(body), .rc = rc, .status = status};
}

void th_cli_answer(struct th_cli *t, const char *request, unsigned status, const char *body)
{
    add_answer(t, request, WH_OK, status, body);
}

void th_cli_refuse(struct th_cli *t, const char *request, enum wh_rc rc, const char *message)
{
    add_answer(t, request, rc, 0, message);
}

void th_cli_env(struct th_cli *t, const char *variable)
{
    assert_true(t->n_env < ENV_MAX);
    t->env[t->n_env++] = variable;
}

void th_cli_input(struct th_cli *t, const char *text)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    (void)close(ends[1]);
    t->input = ends[0];
}

void th_cli_type(struct th_cli *t, const char *text)
{
    char name[64];

    close_input(t);
    t->keyboard = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(t->keyboard >= 0 && grantpt(t->keyboard) == 0 && unlockpt(t->keyboard) == 0);
    assert_int_equal(ptsname_r(t->keyboard, name, sizeof(name)), 0);
    t->input = open(name, O_RDWR | O_NOCTTY);
    assert_true(t->input >= 0);
    assert_int_equal(write(t->keyboard, text, strlen(text)), strlen(text));
}

void th_cli_interrupt(struct th_cli *t, unsigned pause)
{
    t->until_interrupt = pause;
}

void th_cli_on_terminal(struct th_cli *t)
{
    t->terminal = true;
}

/* ---- a run ---- */

static struct cli make_cli(struct th_cli *t, FILE *data, FILE *messages)
{
    struct cli cli = {
        .world = {.http = &t->http,
                  .admin = new_admin,
                  .consumer = new_consumer,
                  .producer = new_producer,
                  .clock = {.now_ms = now_ms, .mono_ns = mono_ns, .ctx = t},
                  .pause_ms = pause_ms,
                  .ctx = t,
                  .input = t->input,
                  .interrupt = t->interrupt[0]},
    };

    cli_out_init(&cli.out, data, messages);
    cli.out.data_terminal = t->terminal;
    cli.out.messages_terminal = t->terminal;
    cli.out.columns = t->terminal ? TERMINAL_COLUMNS : 0;
    return cli;
}

int th_cli_run_words(struct th_cli *t, const char *const *words)
{
    const char *argv[WORDS_MAX + 1] = {"wellhead"};
    FILE *data;
    FILE *messages;
    struct cli cli;
    int argc = 1;
    int code;

    for (; words[argc - 1]; argc++) {
        assert_true(argc < WORDS_MAX);
        argv[argc] = words[argc - 1];
    }
    forget_run(t);
    data = open_memstream(&t->data, &t->data_len);
    messages = open_memstream(&t->messages, &t->messages_len);
    assert_true(data && messages);
    t->started_ms = t->now_ms;
    cli = make_cli(t, data, messages);
    current = t;
    code = cli_run(&cli, argc, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)t->env);
    current = NULL;
    (void)fclose(data);
    (void)fclose(messages);
    return code;
}

int th_cli_run(struct th_cli *t, const char *words)
{
    const char *list[WORDS_MAX + 1] = {NULL};
    char *copy = strdup(words);
    char *rest = copy;
    size_t n = 0;
    int code;

    assert_non_null(copy);
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) {
        assert_true(n < WORDS_MAX);
        if (word[0]) {
            list[n++] = word;
        }
    }
    code = th_cli_run_words(t, list);
    free(copy);
    return code;
}

const char *th_cli_stdout(struct th_cli *t)
{
    return t->data;
}

const char *th_cli_stderr(struct th_cli *t)
{
    return t->messages;
}

const char *th_cli_request(const struct th_cli *t, size_t index)
{
    return index < t->n_requests ? t->requests[index] : "";
}

size_t th_cli_requests(const struct th_cli *t)
{
    return t->n_requests;
}

const char *th_cli_last(const struct th_cli *t, const char *begin)
{
    for (size_t i = t->n_requests; i > 0; i--) {
        if (strncmp(t->requests[i - 1], begin, strlen(begin)) == 0) {
            return t->requests[i - 1];
        }
    }
    return "";
}

struct wh_bus_mem *th_cli_bus(struct th_cli *t)
{
    return t->bus;
}

int64_t th_cli_paused_ms(const struct th_cli *t)
{
    return t->now_ms - t->started_ms;
}

int64_t th_cli_now_ms(const struct th_cli *t)
{
    return t->now_ms;
}
