#include "stages/mapper/foreign.h"

#include <inttypes.h>

#include "common/avro/generic.h"
#include "common/avro/registry.h"
#include "common/avro/schemas.h"
#include "common/base/be.h"
#include "common/base/mem.h"

enum {
    SCHEMAS_MAX = 64,
    EVENT_MAX_BYTES = 64 << 20,
    URL_MAX_BYTES = 2048,
    WAIT_MS = 500,
    TIMEOUT_MS = 5000,
    RETRY_MS = 10000,
};

enum state { UNUSED, ASKED, USABLE, REFUSED };

struct entry {
    enum state state;
    int32_t id;
    int64_t asked_ms;
    struct wh_err err; /* of REFUSED */
    int64_t retry_ms;  /* when to ask again after REFUSED; INT64_MAX: never */
    struct wh_generic *schema;
    struct wh_generic_resolver *resolver;
    struct wh_httpc_transfer *transfer;
    struct foreign *of;
};

struct foreign {
    struct foreign_conf conf;
    struct wh_generic *ours;
    struct entry entries[SCHEMAS_MAX];
    int64_t down_until_ms; /* the registry is not waited for */
    struct wh_buf out;
};

enum wh_rc foreign_new(const struct foreign_conf *conf, struct foreign **ret, struct wh_err *err)
{
    struct foreign *f = wh_mem_zalloc(1, sizeof(*f));

    if (f == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for foreign schemas");
    }
    f->conf = *conf;
    wh_buf_init(&f->out, EVENT_MAX_BYTES);
    for (size_t i = 0; i < SCHEMAS_MAX; i++) {
        f->entries[i].of = f;
    }
    if (wh_generic_new(wh_schema_text(wh_schema_current(WH_SCHEMA_RAW_EVENT)), &f->ours, err) !=
        WH_OK) {
        foreign_free(f);
        return err->rc;
    }
    *ret = f;
    return WH_OK;
}

void foreign_free(struct foreign *f)
{
    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < SCHEMAS_MAX; i++) {
        if (f->entries[i].transfer) {
            wh_httpc_cancel(f->conf.http, f->entries[i].transfer);
        }
        wh_generic_resolver_free(f->entries[i].resolver);
        wh_generic_free(f->entries[i].schema);
    }
    wh_generic_free(f->ours);
    wh_buf_done(&f->out);
    wh_mem_free(f);
}

static int64_t now_ms(const struct foreign *f)
{
    return wh_clock_now_ms(&f->conf.clock);
}

/* ---- the registry ---- */

/* What the registry does not know or does not say now is asked again; the rest stays as it is. */
static void refuse(struct entry *e, const struct wh_err *err)
{
    struct foreign *f = e->of;
    bool down = wh_rc_class(err->rc) != WH_CLASS_POISON;

    e->state = REFUSED;
    e->err = *err;
    e->retry_ms = down || err->rc == WH_E_NOT_FOUND ? now_ms(f) + RETRY_MS : INT64_MAX;
    if (down) {
        f->down_until_ms = e->retry_ms;
    }
    wh_log_warn(f->conf.log, "foreign schema not usable", WH_I("id", e->id), WH_RC(err));
}

static enum wh_rc read_answer(struct entry *e, const struct wh_httpc_answer *answer,
                              struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, WH_REGISTRY_ANSWER_MAX);
    if (answer->rc != WH_OK) {
        return wh_fail(err, WH_E_UNAVAILABLE, "the registry: %.160s", answer->err.msg);
    }
    if (wh_registry_answer(e->id, answer->status, wh_buf_slice(answer->body), &text, err) !=
            WH_OK ||
        wh_generic_new(wh_buf_slice(&text), &e->schema, err) != WH_OK) {
        return err->rc;
    }
    if (wh_generic_resolver_new(e->schema, e->of->ours, &e->resolver, err) != WH_OK) {
        wh_generic_free(e->schema);
        e->schema = NULL;
        return err->rc;
    }
    return WH_OK;
}

static void on_answer(void *ctx, const struct wh_httpc_answer *answer)
{
    struct entry *e = ctx;
    struct wh_err err;

    e->transfer = NULL;
    if (read_answer(e, answer, &err) != WH_OK) {
        refuse(e, &err);
        return;
    }
    e->state = USABLE;
    wh_log_info(e->of->conf.log, "foreign schema in use", WH_I("id", e->id),
                WH_STR("name", wh_generic_name(e->schema)));
}

static void ask(struct entry *e)
{
    const struct foreign_conf *conf = &e->of->conf;
    char path[WH_REGISTRY_PATH_MAX];
    WH_AUTO(buf) struct wh_buf url;
    struct wh_httpc_request request;
    struct wh_err err;

    wh_buf_init(&url, URL_MAX_BYTES);
    e->state = ASKED;
    e->asked_ms = now_ms(e->of);
    if (wh_buf_printf(&url, &err, "%s%s", conf->registry_url, wh_registry_path(e->id, path)) ==
        WH_OK) {
        request = (struct wh_httpc_request){
            .method = WH_LIT("GET"),
            .url = wh_buf_slice(&url),
            .secret_header = conf->token ? "Authorization: Bearer " : NULL,
            .secret = wh_slice_str(conf->token),
            .body_max = WH_REGISTRY_ANSWER_MAX,
            .timeout_ms = TIMEOUT_MS,
            .stall_timeout_ms = TIMEOUT_MS,
        };
        (void)wh_httpc_start(conf->http, &request, on_answer, e, &e->transfer, &err);
    }
    if (e->transfer == NULL) {
        refuse(e, &err);
    }
}

/* ---- schemas ---- */

static struct entry *known(struct foreign *f, int32_t id)
{
    for (size_t i = 0; i < SCHEMAS_MAX; i++) {
        if (f->entries[i].state != UNUSED && f->entries[i].id == id) {
            return &f->entries[i];
        }
    }
    return NULL;
}

/* The entry of an id; a new one takes an unused place, or that of a schema that cannot be used. */
static struct entry *find(struct foreign *f, int32_t id)
{
    struct entry *place = known(f, id);

    for (size_t i = 0; i < SCHEMAS_MAX && place == NULL; i++) {
        place = f->entries[i].state == UNUSED ? &f->entries[i] : NULL;
    }
    for (size_t i = 0; i < SCHEMAS_MAX && place == NULL; i++) {
        place = f->entries[i].state == REFUSED ? &f->entries[i] : NULL;
    }
    if (place && place->id != id) {
        place->state = UNUSED;
        place->id = id;
    }
    return place;
}

/* Waits only as long as the registry seems to be well. */
static enum wh_rc wait_for(const struct entry *e, struct wh_err *err)
{
    const struct foreign *f = e->of;
    int64_t now = now_ms(f);

    if (now >= f->down_until_ms && now - e->asked_ms < WAIT_MS) {
        return wh_fail(err, WH_E_BUSY, "the registry is asked for schema id %" PRId32, e->id);
    }
    return wh_fail(err, WH_E_UNAVAILABLE, "the registry has not answered for schema id %" PRId32,
                   e->id);
}

static enum wh_rc resolve(struct foreign *f, const struct entry *e, struct wh_slice framed,
                          struct wh_slice *ret, struct wh_err *err)
{
    wh_buf_reset(&f->out);
    if (wh_frame_write(WH_SCHEMA_RAW_EVENT, &f->out, err) != WH_OK ||
        wh_generic_resolve(e->resolver, wh_slice_from(framed, WH_FRAME_BYTES), &f->out, err) !=
            WH_OK) {
        return wh_err_prefix(err, "schema id %" PRId32, e->id);
    }
    *ret = wh_buf_slice(&f->out);
    return WH_OK;
}

/* The entry of an id that was not asked for yet, or whose time to ask again has come. */
static enum wh_rc ask_if_due(struct foreign *f, int32_t id, struct entry **ret, struct wh_err *err)
{
    *ret = find(f, id);
    if (*ret == NULL) {
        return wh_fail(err, WH_E_TOO_LARGE, "raw events have more than %d foreign schemas",
                       SCHEMAS_MAX);
    }
    if ((*ret)->state == UNUSED || ((*ret)->state == REFUSED && now_ms(f) >= (*ret)->retry_ms)) {
        ask(*ret);
    }
    return (*ret)->state == ASKED ? wait_for(*ret, err) : WH_OK;
}

enum wh_rc foreign_convert(struct foreign *f, struct wh_slice framed, bool may_ask,
                           struct wh_slice *ret, struct wh_err *err)
{
    struct entry *e;
    int32_t id;

    if (framed.len < WH_FRAME_BYTES || framed.ptr[0] != '\0') {
        return err->rc;
    }
    id = (int32_t)wh_be_get32(framed.ptr + 1);
    if (id == wh_schema_current(WH_SCHEMA_RAW_EVENT)->id) {
        return err->rc;
    }
    e = known(f, id);
    if (may_ask && (e == NULL || e->state != USABLE) && ask_if_due(f, id, &e, err) != WH_OK) {
        return err->rc;
    }
    if (e && e->state == USABLE) {
        return resolve(f, e, framed, ret, err);
    }
    /* An id that this version does not know may be of a newer one rather than of nobody. */
    if (e && e->state == REFUSED &&
        (e->err.rc != WH_E_NOT_FOUND || err->rc != WH_E_UNKNOWN_SCHEMA)) {
        *err = e->err;
    }
    return err->rc;
}
