#include "cli/options/options.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/nearest.h"
#include "common/base/num.h"
#include "common/base/time.h"

/* The words that are read, and where reading is. */
struct parser {
    int argc;
    char *const *argv;
    int next;
    const struct cli_out *out;
    struct cli_options *opt;
};

static const struct cli_option *by_name(struct wh_slice name)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);

    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(wh_slice_str(table[i].name), name)) {
            return &table[i];
        }
    }
    return NULL;
}

static const struct cli_option *by_letter(char letter)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);

    for (size_t i = 0; i < n; i++) {
        if (letter && table[i].letter == letter) {
            return &table[i];
        }
    }
    return NULL;
}

/* ---- values ---- */

static void *member(struct cli_options *opt, const struct cli_option *o)
{
    return (char *)opt + o->offset;
}

static bool take_number(const struct cli_out *out, const struct cli_option *o, const char *text,
                        int64_t *ret)
{
    struct wh_err err;

    if (wh_num_i64(wh_slice_str(text), ret, &err) != WH_OK) {
        cli_note(out, "wellhead: --%s: %s\n", o->name, err.msg);
        return false;
    }
    if (*ret < 0) {
        cli_note(out, "wellhead: --%s: must not be negative\n", o->name);
        return false;
    }
    return true;
}

static bool take_time(const struct cli_out *out, const struct cli_option *o, const char *text,
                      int64_t *ret_ms)
{
    struct wh_err err;

    if (cli_duration_ms(text, ret_ms, &err) != WH_OK) {
        cli_note(out, "wellhead: --%s: %s\n", o->name, err.msg);
        return false;
    }
    return true;
}

static bool take_instant(const struct cli_out *out, const struct cli_option *o, const char *text,
                         const char **ret)
{
    struct wh_instant at;
    struct wh_err err;

    if (wh_time_parse(wh_slice_str(text), &at, &err) != WH_OK) {
        cli_note(out, "wellhead: --%s: write a time as in 2026-11-24T10:00:00Z\n", o->name);
        return false;
    }
    *ret = text;
    return true;
}

static bool take_project(const struct cli_out *out, const struct cli_option *o, const char *text,
                         struct cli_options *opt)
{
    if (opt->n_projects == CLI_PROJECTS_MAX) {
        cli_note(out, "wellhead: --%s: at most %d projects\n", o->name, CLI_PROJECTS_MAX);
        return false;
    }
    opt->projects[opt->n_projects++] = text;
    return true;
}

static bool take_param(const struct cli_out *out, const char *text, struct cli_options *opt)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text || opt->n_params == CLI_PARAMS_MAX) {
        cli_note(out, "wellhead: -p needs NAME=VALUE, at most %d times\n", CLI_PARAMS_MAX);
        return false;
    }
    opt->param_names[opt->n_params] = text;
    opt->param_name_lens[opt->n_params] = (size_t)(equals - text);
    opt->param_values[opt->n_params] = equals + 1;
    opt->n_params++;
    return true;
}

static bool take_csv(const struct cli_out *out, const char *text, struct cli_options *opt)
{
    opt->csv_safe = text && strcmp(text, "safe") == 0;
    if (text && !opt->csv_safe && strcmp(text, "raw") != 0) {
        cli_note(out, "wellhead: --csv: only --csv, --csv=raw and --csv=safe are known\n");
        return false;
    }
    return true;
}

/* value: NULL for an option that has none. */
static bool take(const struct cli_out *out, const struct cli_option *o, const char *value,
                 struct cli_options *opt)
{
    switch (o->kind) {
    case CLI_OPTION_FLAG:
        *(bool *)member(opt, o) = true;
        return true;
    case CLI_OPTION_FORMAT:
        opt->format = o->format;
        return true;
    case CLI_OPTION_CSV:
        opt->format = o->format;
        return take_csv(out, value, opt);
    case CLI_OPTION_TEXT:
        *(const char **)member(opt, o) = value;
        return true;
    case CLI_OPTION_NUMBER:
        return take_number(out, o, value, member(opt, o));
    case CLI_OPTION_TIME:
        return take_time(out, o, value, member(opt, o));
    case CLI_OPTION_INSTANT:
        return take_instant(out, o, value, member(opt, o));
    case CLI_OPTION_PROJECT:
        return take_project(out, o, value, opt);
    case CLI_OPTION_PARAM:
        return take_param(out, value, opt);
    default:
        return false;
    }
}

/* ---- words ---- */

static bool wants_value(const struct cli_option *o)
{
    return o->kind >= CLI_OPTION_TEXT;
}

/* joined: the value that stands in the option's own word; NULL: it is the next word. */
static bool take_with_value(struct parser *p, const struct cli_option *o, const char *joined)
{
    size_t n;

    if (joined && !wants_value(o) && o->kind != CLI_OPTION_CSV) {
        cli_note(p->out, "wellhead: --%s takes no value\n", o->name);
        return false;
    }
    if (joined == NULL && wants_value(o)) {
        if (p->next == p->argc) {
            cli_note(p->out, "wellhead: --%s needs a value: %s\n", o->name, o->value);
            return false;
        }
        joined = p->argv[p->next++];
    }
    p->opt->given |= UINT64_C(1) << (o - cli_option_table(&n));
    return take(p->out, o, joined, p->opt);
}

/* What was typed is not repeated: "--token=..." and "--glpat-..." hold secrets. */
static bool refuse(const struct parser *p, struct wh_slice name)
{
    const struct cli_option *meant;
    struct wh_nearest near;
    size_t n;
    const struct cli_option *table = cli_option_table(&n);

    wh_nearest_init(&near, name);
    for (size_t i = 0; i < n; i++) {
        wh_nearest_offer(&near, table[i].name);
    }
    meant = wh_nearest_name(&near) ? by_name(wh_slice_str(wh_nearest_name(&near))) : NULL;
    if (meant && meant->rank != CLI_RISKY) {
        cli_note(p->out, "wellhead: argument %d is not an option; did you mean --%s?\n",
                 p->next - 1, meant->name);
    } else {
        cli_note(p->out, "wellhead: argument %d is not an option\n", p->next - 1);
    }
    return false;
}

static bool take_long(struct parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    struct wh_slice name = equals ? wh_slice(word, (size_t)(equals - word)) : wh_slice_str(word);
    const struct cli_option *o = by_name(name);

    return o ? take_with_value(p, o, equals ? equals + 1 : NULL) : refuse(p, name);
}

/* Letters may share a word; the value of the last one may, too: -qp name=value, -pname=value. */
static bool take_letters(struct parser *p, const char *word)
{
    for (; *word; word++) {
        const struct cli_option *o = by_letter(*word);

        if (o == NULL) {
            return refuse(p, wh_slice_str(word));
        }
        if (wants_value(o)) {
            return take_with_value(p, o, word[1] ? word + 1 : NULL);
        }
        if (!take_with_value(p, o, NULL)) {
            return false;
        }
    }
    return true;
}

static bool take_operand(struct parser *p, const char *word)
{
    if (p->opt->n_args == CLI_ARGS_MAX) {
        cli_note(p->out, "wellhead: too many arguments\n");
        return false;
    }
    p->opt->args[p->opt->n_args++] = word;
    return true;
}

bool cli_options_parse(int argc, char *const *argv, const struct cli_out *out,
                       struct cli_options *ret)
{
    struct parser p = {.argc = argc, .argv = argv, .next = 1, .out = out, .opt = ret};
    bool ended = false;
    bool ok = true;

    *ret = (struct cli_options){.limit = CLI_NOT_GIVEN, .wait_ms = CLI_NOT_GIVEN};
    while (ok && p.next < argc) {
        const char *word = argv[p.next++];

        if (ended || word[0] != '-' || word[1] == '\0') {
            ok = take_operand(&p, word);
        } else if (strcmp(word, "--") == 0) {
            ended = true;
        } else {
            ok = word[1] == '-' ? take_long(&p, word + 2) : take_letters(&p, word + 1);
        }
    }
    return ok;
}

bool cli_options_check(const struct cli_command *command, const struct cli_options *opt,
                       const struct cli_out *out)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);

    for (size_t i = 0; i < n; i++) {
        if ((opt->given >> i & 1) && !(table[i].commands & command->bit)) {
            cli_note(out, "wellhead: %s has no option --%s; see `wellhead help %s`\n",
                     command->name, table[i].name, command->name);
            return false;
        }
    }
    if (opt->n_args > command->operands + 1) {
        cli_note(out, "wellhead: %s: one word too many; put words that belong together in quotes\n",
                 command->name);
        return false;
    }
    return true;
}

enum wh_rc cli_duration_ms(const char *text, int64_t *ret_ms, struct wh_err *err)
{
    if (text[0] && text[strspn(text, "0123456789")] == '\0') {
        return wh_fail(err, WH_E_INVALID, "'%.32s' has no unit; write it as in 500ms, 5s, 10m",
                       text);
    }
    return wh_num_duration_ms(wh_slice_str(text), ret_ms, err);
}

bool cli_url_has_user(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;

    return memchr(host, '@', strcspn(host, "/?#")) != NULL;
}
