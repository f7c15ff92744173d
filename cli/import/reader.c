#include "cli/import/reader.h"

#include "cli/import/formats.h"
#include "common/base/mem.h"

static enum wh_rc skip_mark(struct import_input *in, struct wh_err *err)
{
    static const char mark[] = "\xEF\xBB\xBF";

    while (in->len < sizeof(mark) - 1 && !in->ended) {
        if (import_input_more(in, err) != WH_OK) {
            return err->rc;
        }
    }
    if (wh_slice_starts(import_input_rest(in), WH_LIT(mark))) {
        in->at = sizeof(mark) - 1;
    }
    return WH_OK;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name);
    size_t k = strlen(ending);

    return n >= k && strcmp(name + n - k, ending) == 0;
}

/* By the name, or by the first byte that is no blank. */
static bool is_json(const struct import_input *in, const char *name)
{
    struct wh_slice rest = import_input_rest(in);

    if (ends_with(name, ".csv")) {
        return false;
    }
    if (ends_with(name, ".json") || ends_with(name, ".jsonl") || ends_with(name, ".ndjson")) {
        return true;
    }
    while (rest.len && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t' || rest.ptr[0] == '\r' ||
                        rest.ptr[0] == '\n')) {
        rest = wh_slice_from(rest, 1);
    }
    return rest.len && (rest.ptr[0] == '[' || rest.ptr[0] == '{');
}

enum wh_rc import_read(const struct import_file *file, struct import_row *row,
                       const struct import_rows *rows, struct wh_err *err)
{
    WH_AUTO_FREE struct import_input *in = wh_mem_alloc(sizeof(*in));

    if (in == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to read a file");
    }
    import_input_init(in, file->fd);
    if (skip_mark(in, err) != WH_OK) {
        return err->rc;
    }
    return is_json(in, file->name) ? import_read_json(in, file->kind, row, rows, err)
                                   : import_read_csv(in, file->kind, row, rows, err);
}
