#include "cli/commands/impact_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/text/money.h"

enum { CELL_MAX_BYTES = 1 << 16 };

/* What a rule reads, in words. */
static const char *rule_words(struct wh_slice rule)
{
    static const struct {
        const char *rule;
        const char *words;
    } all[] = {
        {"severity", "as GitLab has it"},
        {"label", "by a label"},
        {"line", "by a line of the description"},
        {"created_at", "when the incident was created"},
        {"closed_at", "when the incident was closed"},
        {"escalation_status", "when it was resolved"},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (wh_slice_eq(rule, wh_slice_str(all[i].rule))) {
            return all[i].words;
        }
    }
    return "";
}

/* ---- facts ---- */

static void print_fact(const struct cli *cli, const char *name, struct wh_json_val fact)
{
    struct wh_slice value = wh_json_get_str(fact, "value");

    if (value.len == 0) {
        cli_say(&cli->out, "%-10s  unknown\n", name);
    } else {
        cli_say(&cli->out, "%-10s  %.*s  %s\n", name, WH_SLICE_ARG(value),
                rule_words(wh_json_get_str(fact, "rule")));
    }
}

static void print_duration(const struct cli *cli, struct wh_json_val incident)
{
    int64_t s = wh_json_get_int(incident, "duration_s", -1);

    if (s < 0) {
        cli_say(&cli->out, "%-10s  unknown\n", "duration");
    } else if (s >= 3600) {
        cli_say(&cli->out, "%-10s  %" PRId64 " h %" PRId64 " min\n", "duration", s / 3600,
                s % 3600 / 60);
    } else {
        cli_say(&cli->out, "%-10s  %" PRId64 " min %" PRId64 " s\n", "duration", s / 60, s % 60);
    }
}

static void print_facts(const struct cli *cli, struct wh_json_val incident)
{
    static const char *const times[] = {"started_at", "detected_at", "mitigated_at", "restored_at"};
    static const char *const names[] = {"started", "detected", "mitigated", "restored"};
    struct wh_json_val of;
    struct wh_json_val fact;

    cli_say(&cli->out, "%.*s\n%.*s\n\n", WH_SLICE_ARG(wh_json_get_str(incident, "title")),
            WH_SLICE_ARG(wh_json_get_str(incident, "url")));
    cli_say(&cli->out, "%-10s  %.*s\n", "state", WH_SLICE_ARG(wh_json_get_str(incident, "state")));
    if (wh_json_get(incident, WH_LIT("facts"), &of) && wh_json_get(of, WH_LIT("severity"), &fact)) {
        print_fact(cli, "severity", fact);
    }
    for (size_t i = 0; i < 4 && wh_json_get(incident, WH_LIT("times"), &of); i++) {
        if (wh_json_get(of, wh_slice_str(times[i]), &fact)) {
            print_fact(cli, names[i], fact);
        }
    }
    print_duration(cli, incident);
}

/* ---- services ---- */

static void print_services(const struct cli *cli, struct wh_json_val impact)
{
    static const char *const head[] = {"service", "found by"};
    struct wh_json_iter it = wh_json_get_iter(impact, "services");
    struct wh_json_val service;
    struct wh_json_val rules;
    struct cli_table t;
    struct wh_buf cell;
    size_t n = 0;

    cli_table_init(&t, 2);
    cli_table_head(&t, head, 2);
    wh_buf_init(&cell, CELL_MAX_BYTES);
    for (; wh_json_next(&it, NULL, &service); n++) {
        wh_buf_reset(&cell);
        if (wh_json_get(service, WH_LIT("rules"), &rules)) {
            cli_value_text(rules, &cell);
        }
        cli_table_cell(&t, wh_json_get_str(service, "name"));
        cli_table_cell(&t, wh_buf_slice(&cell));
    }
    cli_say(&cli->out, n ? "\n" : "\nno service is known\n");
    if (n) {
        cli_table_print(&t, &cli->out);
    }
    wh_buf_done(&cell);
    cli_table_done(&t);
}

/* ---- customers ---- */

/* Names of an array of objects, with commas. */
static void add_names(struct wh_json_iter it, struct wh_buf *out)
{
    struct wh_json_val v;
    struct wh_err ignored;

    while (wh_json_next(&it, NULL, &v)) {
        if (wh_buf_printf(out, &ignored, "%s%.*s", out->len ? ", " : "",
                          WH_SLICE_ARG(wh_json_get_str(v, "name"))) != WH_OK) {
            return;
        }
    }
}

static enum wh_rc add_amount(struct wh_json_val revenue, struct wh_buf *out, struct wh_err *err)
{
    struct wh_slice currency = wh_json_get_str(revenue, "currency");

    if (out->len && wh_buf_append(out, WH_LIT(", "), err) != WH_OK) {
        return err->rc;
    }
    if (wh_json_get_flag(revenue, "overflow")) {
        return wh_buf_printf(out, err, "more than can be counted in %.*s", WH_SLICE_ARG(currency));
    }
    return wh_money_append(wh_json_get_int(revenue, "monthly_minor", 0), currency, out, err);
}

/* "1,234.00 EUR, 5.00 USD"; "unknown" when there is none. */
static void add_revenue(struct wh_json_iter it, struct wh_buf *out)
{
    struct wh_json_val revenue;
    struct wh_err err = {0};

    while (err.rc == WH_OK && wh_json_next(&it, NULL, &revenue)) {
        if (add_amount(revenue, out, &err) != WH_OK) {
            return;
        }
    }
    if (out->len == 0) {
        (void)(wh_buf_append(out, WH_LIT("none is known"), &err) == WH_OK);
    }
}

static void print_customers(const struct cli *cli, struct wh_json_val impact)
{
    static const char *const head[] = {"customer", "services", "revenue per month"};
    struct wh_json_iter it = wh_json_get_iter(impact, "customers");
    struct wh_json_val customer;
    struct cli_table t;
    struct wh_buf cell;
    size_t n = 0;

    cli_table_init(&t, 3);
    cli_table_head(&t, head, 3);
    wh_buf_init(&cell, CELL_MAX_BYTES);
    for (; wh_json_next(&it, NULL, &customer); n++) {
        cli_table_cell(&t, wh_json_get_str(customer, "name"));
        wh_buf_reset(&cell);
        add_names(wh_json_get_iter(customer, "services"), &cell);
        cli_table_cell(&t, wh_buf_slice(&cell));
        wh_buf_reset(&cell);
        add_revenue(wh_json_get_iter(customer, "revenue"), &cell);
        cli_table_cell(&t, wh_buf_slice(&cell));
    }
    cli_say(&cli->out, n ? "\n" : "\nno customer is known\n");
    if (n) {
        cli_table_print(&t, &cli->out);
    }
    wh_buf_done(&cell);
    cli_table_done(&t);
}

static void print_totals(const struct cli *cli, struct wh_json_val impact)
{
    struct wh_json_val totals;
    struct wh_buf text;

    if (!wh_json_get(impact, WH_LIT("totals"), &totals)) {
        return;
    }
    wh_buf_init(&text, CELL_MAX_BYTES);
    add_revenue(wh_json_get_iter(totals, "revenue"), &text);
    cli_say(&cli->out, "\ntotal: %" PRId64 " customers; revenue per month: %s\n",
            wh_json_get_int(totals, "customers", 0), wh_buf_str(&text));
    wh_buf_done(&text);
}

/* ---- the rest ---- */

static void print_follow_ups(const struct cli *cli, struct wh_json_val impact)
{
    static const char *const head[] = {"follow-up", "state", "found by", "address"};
    struct wh_json_iter it = wh_json_get_iter(impact, "follow_ups");
    struct wh_json_val issue;
    struct cli_table t;
    size_t n = 0;

    cli_table_init(&t, 4);
    cli_table_head(&t, head, 4);
    for (; wh_json_next(&it, NULL, &issue); n++) {
        cli_table_cell(&t, wh_json_get_str(issue, "title"));
        cli_table_cell(&t, wh_json_get_str(issue, "state"));
        cli_table_cell(&t, wh_json_get_str(issue, "rule"));
        cli_table_cell(&t, wh_json_get_str(issue, "url"));
    }
    cli_say(&cli->out, n ? "\n" : "\nno follow-up is known\n");
    if (n) {
        cli_table_print(&t, &cli->out);
    }
    cli_table_done(&t);
}

static void print_unresolved(const struct cli *cli, struct wh_json_val impact)
{
    struct wh_json_iter it = wh_json_get_iter(impact, "unresolved");
    struct wh_json_val loose;
    struct wh_buf names;
    bool any = false;

    wh_buf_init(&names, CELL_MAX_BYTES);
    while (wh_json_next(&it, NULL, &loose)) {
        if (!any) {
            cli_say(&cli->out, "\nnames that link to nothing:\n");
        }
        any = true;
        wh_buf_reset(&names);
        add_names(wh_json_get_iter(loose, "claimants"), &names);
        cli_say(&cli->out, "  %.*s (%.*s): %s%s\n", WH_SLICE_ARG(wh_json_get_str(loose, "key")),
                WH_SLICE_ARG(wh_json_get_str(loose, "rule")),
                wh_json_get_flag(loose, "ambiguous") ? "ambiguous: claimed by "
                                                     : "nobody claims it",
                wh_buf_str(&names));
    }
    wh_buf_done(&names);
}

void impact_print(const struct cli *cli, struct wh_json_val impact)
{
    struct wh_json_val incident;

    if (wh_json_get(impact, WH_LIT("incident"), &incident)) {
        print_facts(cli, incident);
    }
    print_services(cli, impact);
    print_customers(cli, impact);
    print_totals(cli, impact);
    print_follow_ups(cli, impact);
    print_unresolved(cli, impact);
}
