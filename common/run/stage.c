#include "common/run/stage.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/run/heart.h"

enum {
    NAME_MAX_BYTES = 64,
    N_TOPIC_KEYS = 2,
    HTTP_PORT_KEY = 3,
    HEART_QUEUE_BYTES = 1 << 20,
    HEART_QUEUE_RECORDS = 16,
};

#define AT(member) offsetof(struct wh_stage_base, member)
static const struct wh_conf_key keys[] = {
    {"kafka.bootstrap.servers", WH_CONF_STRING, 0, "127.0.0.1:9092", 0, 0, AT(bootstrap),
     "Kafka brokers, host:port,..."},
    {"topic.prefix", WH_CONF_STRING, 0, "wellhead.", 0, 0, AT(topic_prefix),
     "start of all topic names"},
    {"http.address", WH_CONF_STRING, 0, "127.0.0.1", 0, 0, AT(http_address),
     "address to listen on"},
    {"http.port", WH_CONF_INT, 0, NULL, 0, 65535, AT(http_port), "port to listen on; 0: any"},
    {"http.port_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(http_port_file),
     "file to write the port in use to"},
    {"http.trusted_proxies", WH_CONF_STRING, 0, NULL, 0, 0, AT(http_trusted_proxies),
     "reverse proxies, addresses or networks: no share of connections, X-Forwarded-For is "
     "believed"},
    {"log.level", WH_CONF_STRING, 0, "info", 0, 0, AT(log_level), "error, warn, info or debug"},
    {"drain.deadline", WH_CONF_DURATION, 0, "20s", 100, 600000, AT(drain_ms),
     "longest time for stopping in order"},
};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

/* The program of a stage, as conf.h wants it described. */
struct program {
    char name[NAME_MAX_BYTES];
    char file[NAME_MAX_BYTES];
    struct wh_conf_key *keys; /* in the order in which they are listed */
    struct wh_conf_program conf;
};

static struct wh_conf_key *append(struct wh_conf_key *to, const struct wh_conf_key *from, size_t n)
{
    if (n > 0) {
        memcpy(to, from, n * sizeof(*from));
    }
    return to + n;
}

static enum wh_rc describe(const struct wh_stage *stage, struct program *p, struct wh_err *err)
{
    struct wh_conf_key *next;

    p->keys = wh_mem_zalloc(N_KEYS + stage->n_keys, sizeof(*p->keys));
    if (p->keys == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    next = append(p->keys, keys, N_TOPIC_KEYS);
    next = append(next, stage->keys, stage->n_topic_keys);
    next = append(next, keys + N_TOPIC_KEYS, N_KEYS - N_TOPIC_KEYS);
    next[HTTP_PORT_KEY - N_KEYS].value = stage->port;
    (void)append(next, stage->keys + stage->n_topic_keys, stage->n_keys - stage->n_topic_keys);
    (void)snprintf(p->name, sizeof(p->name), "wellhead-%s", stage->name);
    (void)snprintf(p->file, sizeof(p->file), "wellhead-%s.conf", stage->name);
    p->conf = (struct wh_conf_program){
        .name = p->name,
        .purpose = stage->purpose,
        .keys = p->keys,
        .n_keys = N_KEYS + stage->n_keys,
        .pairs_offset = AT(kafka),
        .check_pairs = wh_bus_kafka_check,
        .default_file = p->file,
    };
    return WH_OK;
}

static void name_client(const struct wh_stage *stage, struct wh_stage_base *base)
{
    char host[WH_STAGE_CLIENT_ID_MAX / 2] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(base->client_id, sizeof(base->client_id), "wellhead-%s-%s", stage->name, host);
    if (base->http_port > 0) {
        (void)snprintf(base->process, sizeof(base->process), "%s-%d", host, (int)base->http_port);
    } else {
        (void)snprintf(base->process, sizeof(base->process), "%s-pid-%d", host, (int)getpid());
    }
}

static enum wh_rc make_run(const struct wh_stage *stage, struct wh_stage_base *base,
                           struct wh_err *err)
{
    struct wh_run_conf conf;

    wh_run_conf_init(&conf, stage->name);
    conf.log_level = base->log_level;
    conf.port_file = base->http_port_file;
    conf.drain_deadline_ms = base->drain_ms;
    conf.httpd = base->httpd;
    conf.httpd.address = base->http_address;
    conf.httpd.trusted_proxies = base->http_trusted_proxies;
    conf.httpd.port = (uint16_t)base->http_port;
    return wh_run_new(&conf, &base->run, err);
}

/* ---- heartbeats ---- */

/* What the callbacks of the heart receive. */
struct pulse {
    const struct wh_stage *stage;
    struct wh_stage_base *base;
};

static enum wh_rc make_heart_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct wh_producer_conf conf;

    wh_stage_producer_conf(((struct pulse *)ctx)->base, &conf);
    conf.profile = WH_BUS_LIVE;
    conf.queue_max_bytes = HEART_QUEUE_BYTES;
    conf.queue_max_records = HEART_QUEUE_RECORDS;
    conf.delivery_timeout_ms = WH_HEARTBEAT_MS; /* an old one is of no use */
    return wh_producer_kafka_new(&conf, ret, err);
}

static void describe_beat(void *ctx, struct wh_heartbeat *h)
{
    const struct pulse *pulse = ctx;
    const char *why = pulse->stage->not_ready ? pulse->stage->not_ready(pulse->base) : NULL;

    h->ready = why == NULL;
    h->reason = wh_slice_str(why ? why : "");
    if (pulse->stage->beat) {
        pulse->stage->beat(pulse->base, h);
    }
}

/* NULL when there shall be none, or when there cannot be one: the stage works without it. */
static struct wh_heart *start_heart(struct pulse *pulse)
{
    struct wh_run *run = pulse->base->run;
    const struct wh_heart_conf conf = {
        .loop = wh_run_loop(run),
        .log = wh_run_log(run),
        .clock = wh_clock_real(),
        .topic_prefix = pulse->base->topic_prefix,
        .stage = pulse->stage->name,
        .process = pulse->base->process,
        .make_producer = make_heart_producer,
        .describe = describe_beat,
        .ctx = pulse,
    };
    struct wh_heart *heart = NULL;
    struct wh_err err;

    if (!pulse->base->no_heartbeat && wh_heart_new(&conf, &heart, &err) != WH_OK) {
        wh_log_warn(wh_run_log(run), "no heartbeats will be sent", WH_RC(&err));
        return NULL;
    }
    return heart;
}

/* Everything between start and release. Returns the exit code. */
static int run_with_heart(const struct wh_stage *stage, struct wh_stage_base *base,
                          const struct wh_run_stage *run)
{
    struct pulse pulse = {.stage = stage, .base = base};
    struct wh_heart *heart = start_heart(&pulse);
    int code = wh_run_main(base->run, run);

    if (heart) {
        wh_heart_stop(heart);
        wh_heart_free(heart);
    }
    return code;
}

/* Everything from prepare to release. Returns the exit code. */
static int run_stage(const struct wh_stage *stage, struct wh_stage_base *base)
{
    const struct wh_run_stage run = {.drain = stage->drain,
                                     .not_ready = stage->not_ready,
                                     .collect = stage->collect,
                                     .ctx = base};
    enum wh_rc rc = WH_OK;
    struct wh_err err;
    bool done = false;
    int code = 0;

    name_client(stage, base);
    if (stage->prepare) {
        rc = stage->prepare(base, &done, &err);
    }
    if (rc == WH_OK && !done) {
        rc = make_run(stage, base, &err);
        if (rc == WH_OK) {
            rc = stage->start(base, &err);
        }
        if (rc == WH_OK) {
            code = run_with_heart(stage, base, &run);
        }
    }
    if (rc != WH_OK) {
        (void)fprintf(stderr, "wellhead-%s: %s\n", stage->name, err.msg);
        code = 1;
    }
    if (base->run) {
        wh_run_bind(base->run, NULL);
    }
    stage->release(base);
    wh_run_free(base->run);
    return code;
}

static int run_program(const struct wh_stage *stage, const struct wh_conf_program *program,
                       struct wh_stage_base *base, int argc, char *const *argv, char *const *env)
{
    enum wh_conf_action action = WH_CONF_EXIT_OK;
    struct wh_err err;
    int code = 0;

    wh_httpd_conf_init(&base->httpd);
    if (stage->init) {
        stage->init(base);
    }
    if (wh_conf_load(program, argc, argv, env, stdout, base, &action, &err) != WH_OK) {
        (void)fprintf(stderr, "%s: %s\n", program->name, err.msg);
        return 2;
    }
    if (action == WH_CONF_RUN) {
        code = run_stage(stage, base);
    } else if (action == WH_CONF_HEALTHCHECK) {
        code = wh_run_healthcheck(base->http_address, (uint16_t)base->http_port);
    }
    return code;
}

int wh_stage_main(const struct wh_stage *stage, int argc, char *const *argv, char *const *env)
{
    struct wh_stage_base *base = wh_mem_zalloc(1, stage->size);
    struct program program = {0};
    struct wh_err err;
    int code = 1;

    (void)umask(077);
    if (base && describe(stage, &program, &err) == WH_OK) {
        code = run_program(stage, &program.conf, base, argc, argv, env);
        wh_conf_release(&program.conf, base);
    } else {
        (void)fprintf(stderr, "wellhead-%s: no memory to start\n", stage->name);
    }
    wh_mem_free(program.keys);
    wh_mem_free(base);
    return code;
}

/* ---- for the stage ---- */

void wh_stage_drained(void *app)
{
    wh_run_drained(((struct wh_stage_base *)app)->run);
}

void wh_stage_fatal(void *app, const struct wh_err *err)
{
    wh_run_fatal(((struct wh_stage_base *)app)->run, err);
}

static struct wh_log *log_of(const struct wh_stage_base *base)
{
    return base->run ? wh_run_log(base->run) : NULL;
}

void wh_stage_consumer_conf(const struct wh_stage_base *base, struct wh_consumer_conf *conf)
{
    wh_consumer_conf_init(conf);
    conf->bootstrap = base->bootstrap;
    conf->client_id = base->client_id;
    conf->extra = &base->kafka;
    conf->log = log_of(base);
}

void wh_stage_producer_conf(const struct wh_stage_base *base, struct wh_producer_conf *conf)
{
    wh_producer_conf_init(conf);
    conf->bootstrap = base->bootstrap;
    conf->client_id = base->client_id;
    conf->extra = &base->kafka;
    conf->log = log_of(base);
}

enum wh_rc wh_stage_admin_new(const struct wh_stage_base *base, struct wh_admin **ret,
                              struct wh_err *err)
{
    return wh_admin_kafka_new(base->bootstrap, base->client_id, &base->kafka, log_of(base), ret,
                              err);
}
