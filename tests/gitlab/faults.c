#include "tests/gitlab/faults.h"

#include "common/base/mem.h"
#include "tests/gitlab/scan.h"
#include "tests/gitlab/text.h"

enum { WINDOW_S = 60 };

static const char *const names[GL_FAULT_COUNT] = {
    [GL_FAULT_429] = "rate_429",
    [GL_FAULT_BARE_429] = "bare_429",
    [GL_FAULT_5XX] = "error_5xx",
    [GL_FAULT_TRUNCATE] = "truncate",
    [GL_FAULT_SLOW] = "slow",
    [GL_FAULT_RESET] = "reset",
    [GL_FAULT_DROP_HOOK] = "drop_hook",
    [GL_FAULT_DUPLICATE_HOOK] = "duplicate_hook",
    [GL_FAULT_REORDER_HOOK] = "reorder_hook",
    [GL_FAULT_DELAY_HOOK] = "delay_hook",
};

static const char *const limit_names[GL_LIMIT_COUNT] = {"jobs_per_minute", "members_per_minute",
                                                        "users_per_minute"};

void gl_faults_init(struct gl_faults *f, uint64_t seed)
{
    *f = (struct gl_faults){.slow_ms = 1000,
                            .delay_ms = 1000,
                            .status_5xx = 502,
                            .retry_after_s = 1,
                            .broken_status = 502,
                            .random = gl_mix(seed ^ 0xfau)};
}

bool gl_fault_hit(struct gl_faults *f, enum gl_fault fault)
{
    bool hit = false;

    if (f->next[fault] > 0) {
        f->next[fault]--;
        hit = true;
    } else if (f->p[fault] > 0) {
        f->random = gl_mix(f->random);
        hit = (double)(f->random >> 11) / 9007199254740992.0 < f->p[fault];
    }
    f->hits[fault] += hit;
    return hit;
}

static void set_one(struct gl_faults *f, struct wh_slice json, enum gl_fault fault)
{
    struct wh_slice value = gl_scan(json, names[fault]);

    if (value.len == 0) {
        return;
    }
    if (value.ptr[0] == '{') {
        f->p[fault] = gl_scan_number(value, "p", f->p[fault]);
        f->next[fault] = gl_scan_int(value, "next", f->next[fault]);
        return;
    }
    f->p[fault] = gl_scan_number(json, names[fault], 0);
}

static void set_broken(struct gl_faults *f, struct wh_slice json)
{
    struct wh_slice part = gl_scan_text(json, "broken");

    if (part.ptr && part.len < sizeof(f->broken)) {
        memcpy(f->broken, part.ptr, part.len);
        f->broken[part.len] = '\0';
    }
    f->broken_status = gl_scan_int(json, "broken_status", f->broken_status);
}

bool gl_fault_breaks(const struct gl_faults *f, struct wh_slice path)
{
    return f->broken[0] && memmem(path.ptr, path.len, f->broken, strlen(f->broken)) != NULL;
}

const char *gl_faults_set(struct gl_faults *f, struct wh_slice json)
{
    if (!gl_scan_is_object(json)) {
        return "a JSON object is expected, such as {\\\"reset\\\":{\\\"next\\\":3}}";
    }
    if (gl_scan_bool(json, "clear", false)) {
        uint64_t seed = f->random;

        gl_faults_init(f, seed);
    }
    for (unsigned i = 0; i < GL_FAULT_COUNT; i++) {
        set_one(f, json, (enum gl_fault)i);
    }
    set_broken(f, json);
    f->slow_ms = gl_scan_int(json, "slow_ms", f->slow_ms);
    f->delay_ms = gl_scan_int(json, "delay_ms", f->delay_ms);
    f->status_5xx = gl_scan_int(json, "status", f->status_5xx);
    f->retry_after_s = gl_scan_int(json, "retry_after", f->retry_after_s);
    f->insert_mid_listing = gl_scan_int(json, "insert_mid_listing", f->insert_mid_listing);
    f->rate_limit = gl_scan_int(json, "rate_limit_per_minute", f->rate_limit);
    for (unsigned i = 0; i < GL_LIMIT_COUNT; i++) {
        f->limits[i] = gl_scan_int(json, limit_names[i], f->limits[i]);
    }
    if (f->status_5xx < 500 || f->status_5xx > 599) {
        f->status_5xx = 502;
        return "status must be 500 to 599";
    }
    return NULL;
}

void gl_faults_render(const struct gl_faults *f, struct gl_out *out)
{
    gl_out_str(out, "{");
    for (unsigned i = 0; i < GL_FAULT_COUNT; i++) {
        gl_out_tpl(out, "'%s':{'p':%f,'next':%d,'hits':%d},", wh_slice_str(names[i]), f->p[i],
                   f->next[i], (int64_t)f->hits[i]);
    }
    gl_out_tpl(out,
               "'slow_ms':%d,'delay_ms':%d,'status':%d,'retry_after':%d,'insert_mid_listing':%d,"
               "'rate_limit_per_minute':%d,'broken':'%s','broken_status':%d",
               f->slow_ms, f->delay_ms, f->status_5xx, f->retry_after_s, f->insert_mid_listing,
               f->rate_limit, wh_slice_str(f->broken), f->broken_status);
    for (unsigned i = 0; i < GL_LIMIT_COUNT; i++) {
        gl_out_tpl(out, ",'%s':%d", wh_slice_str(limit_names[i]), f->limits[i]);
    }
    gl_out_str(out, "}");
}

static bool over(struct gl_window *window, int64_t limit, int64_t now_s)
{
    if (limit <= 0) {
        return false;
    }
    if (now_s >= window->start_s + WINDOW_S) {
        window->start_s = now_s / WINDOW_S * WINDOW_S;
        window->n = 0;
    }
    window->n++;
    return window->n > limit;
}

bool gl_rate_limited(struct gl_faults *f, unsigned user, int64_t now_s)
{
    return over(&f->budgets[user], f->rate_limit, now_s);
}

bool gl_endpoint_limited(struct gl_faults *f, enum gl_limit limit, unsigned user, int64_t now_s)
{
    return over(&f->limited[limit][user], f->limits[limit], now_s);
}
