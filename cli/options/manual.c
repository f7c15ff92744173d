/* The page of the manual. */
#include <string.h>

#include "cli/options/completion.h"
#include "cli/options/help.h"

/* As groff reads it: a dash that is typed, a backslash, and no line that begins with a request. */
static enum wh_rc roff(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    bool begins = out->len == 0 || out->ptr[out->len - 1] == '\n';
    enum wh_rc rc = WH_OK;

    for (size_t i = 0; i < text.len && rc == WH_OK; i++) {
        char c = text.ptr[i];

        if (begins && (c == '.' || c == '\'')) {
            rc = wh_buf_append(out, WH_LIT("\\&"), err);
        }
        begins = c == '\n';
        if (rc == WH_OK && (c == '-' || c == '\\')) {
            rc = wh_buf_append(out, c == '-' ? WH_LIT("\\-") : WH_LIT("\\e"), err);
        } else if (rc == WH_OK) {
            rc = wh_buf_append_char(out, c, err);
        }
    }
    return rc;
}

static enum wh_rc roff_str(const char *text, struct wh_buf *out, struct wh_err *err)
{
    return roff(wh_slice_str(text), out, err);
}

/* Lines as they are. */
static enum wh_rc block(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc = wh_buf_append(out, WH_LIT(".PP\n.nf\n"), err);

    rc = rc == WH_OK ? roff(text, out, err) : rc;
    return rc == WH_OK ? wh_buf_append(out, WH_LIT("\n.fi\n"), err) : rc;
}

static enum wh_rc option(const struct cli_option *o, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc = wh_buf_append(out, WH_LIT(".TP\n"), err);

    if (rc == WH_OK && o->letter) {
        rc = wh_buf_printf(out, err, "\\fB\\-%c\\fR, ", o->letter);
    }
    rc = rc == WH_OK ? wh_buf_append(out, WH_LIT("\\fB"), err) : rc;
    rc = rc == WH_OK ? roff_str("--", out, err) : rc;
    rc = rc == WH_OK ? roff_str(o->name, out, err) : rc;
    rc = rc == WH_OK ? wh_buf_append(out, WH_LIT("\\fR"), err) : rc;
    if (rc == WH_OK && o->value) {
        rc = wh_buf_printf(out, err, o->kind == CLI_OPTION_CSV ? "[=\\fI%s\\fR]" : " \\fI%s\\fR",
                           o->value);
    }
    rc = rc == WH_OK ? wh_buf_append_char(out, '\n', err) : rc;
    rc = rc == WH_OK ? roff_str(o->help, out, err) : rc;
    return rc == WH_OK ? wh_buf_append_char(out, '\n', err) : rc;
}

/* Of one command, or those that all have when it is NULL. */
static enum wh_rc options(const struct cli_command *command, struct wh_buf *out, struct wh_err *err)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);
    enum wh_rc rc = WH_OK;

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        bool common = table[i].rank == CLI_COMMON;

        if (command ? !common && (table[i].commands & command->bit) : common) {
            rc = option(&table[i], out, err);
        }
    }
    return rc;
}

static enum wh_rc command_section(const struct cli_command *command, struct wh_buf *out,
                                  struct wh_err *err)
{
    enum wh_rc rc = wh_buf_append(out, WH_LIT(".SS wellhead "), err);

    rc = rc == WH_OK ? roff_str(command->name, out, err) : rc;
    if (rc == WH_OK && command->operand) {
        rc = wh_buf_append_char(out, ' ', err);
        rc = rc == WH_OK ? roff_str(command->operand, out, err) : rc;
    }
    rc = rc == WH_OK ? wh_buf_append_char(out, '\n', err) : rc;
    rc = rc == WH_OK ? roff_str(command->summary, out, err) : rc;
    rc = rc == WH_OK ? wh_buf_append(out, WH_LIT(".\n"), err) : rc;
    rc = rc == WH_OK ? block(wh_slice_str(command->examples), out, err) : rc;
    return rc == WH_OK ? options(command, out, err) : rc;
}

static enum wh_rc sections(const struct cli_manual *texts, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc = wh_buf_append(out, WH_LIT(".SH OPTIONS OF ALL COMMANDS\n"), err);

    rc = rc == WH_OK ? options(NULL, out, err) : rc;
    rc = rc == WH_OK ? wh_buf_append(out, WH_LIT(".SH EXIT STATUS\n"), err) : rc;
    rc = rc == WH_OK ? block(wh_slice_str(texts->exit_codes), out, err) : rc;
    rc = rc == WH_OK ? wh_buf_append(
                           out,
                           WH_LIT(".SH SETTINGS\nThey come from \\fB\\-\\-config\\fR \\fIFILE\\fR, "
                                  "WELLHEAD_CONFIG or \\fI/etc/wellhead/wellhead.conf\\fR, "
                                  "and from variables: sink.url is WELLHEAD_SINK_URL.\n"),
                           err)
                     : rc;
    return rc == WH_OK ? block(texts->settings, out, err) : rc;
}

enum wh_rc cli_manual_page(const struct cli_command *commands, size_t n,
                           const struct cli_manual *texts, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc =
        wh_buf_printf(out, err,
                      ".TH WELLHEAD 1 \"\" \"wellhead %s\"\n"
                      ".SH NAME\nwellhead \\- GitLab as part of your own records\n"
                      ".SH SYNOPSIS\n\\fBwellhead\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... "
                      "[\\fIWORD\\fR]...\n"
                      ".SH DESCRIPTION\nThe command line of Wellhead, which copies a "
                      "GitLab into a company's own records. \\fBwellhead help\\fR "
                      "\\fICOMMAND\\fR says the same as this page.\n"
                      ".SH COMMANDS\n",
                      texts->version);

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        rc = command_section(&commands[i], out, err);
    }
    return rc == WH_OK ? sections(texts, out, err) : rc;
}
