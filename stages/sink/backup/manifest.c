/* manifest.json of a backup. */
#include "common/base/build_version.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "common/json/json_write.h"
#include "stages/sink/backup/backup_priv.h"

enum { DEPTH_MAX = 8 };

static const char manifest_name[] = "manifest.json";

/* ---- writing ---- */

static void write_rows(const struct backup_count *count, struct wh_json_writer *w)
{
    wh_jw_key(w, "rows");
    wh_jw_object(w);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);

        if (def && count->kinds[k].revisions) {
            wh_jw_key(w, def->name);
            wh_jw_object(w);
            wh_jw_put_int(w, "entities", (int64_t)count->kinds[k].entities);
            wh_jw_put_int(w, "deleted", (int64_t)count->kinds[k].deleted);
            wh_jw_put_int(w, "revisions", (int64_t)count->kinds[k].revisions);
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
    wh_jw_key(w, "keys");
    wh_jw_object(w);
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        wh_jw_put_int(w, sink_families[f].name, count->keys[f]);
    }
    wh_jw_end(w);
}

static void write_files(const struct backup_files *files, struct wh_json_writer *w)
{
    wh_jw_key(w, "files");
    wh_jw_array(w);
    for (size_t i = 0; i < files->n; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "name", wh_slice_str(files->items[i].name));
        wh_jw_put_int(w, "bytes", files->items[i].bytes);
        wh_jw_put_str(w, "sha256", wh_slice_str(files->items[i].sha256));
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static enum wh_rc write_text(const struct backup_manifest *m, struct wh_buf *out,
                             struct wh_err *err)
{
    struct sink_backup_summary sum;
    char at[WH_TIME_TEXT_MAX];
    struct wh_json_writer w;

    backup_summarize(m, &sum);
    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_int(&w, "format", BACKUP_FORMAT);
    wh_jw_put_int(&w, "store_format", SINK_FORMAT_VERSION);
    wh_jw_put_str(&w, "version", wh_slice_str(wh_build_version()));
    wh_jw_put_str(&w, "made_at", wh_slice_str(wh_time_format(m->made_at_ms, at)));
    wh_jw_put_int(&w, "sequence", (int64_t)m->count.sequence);
    wh_jw_put_int(&w, "entities", sum.entities);
    wh_jw_put_int(&w, "revisions", sum.revisions);
    wh_jw_put_int(&w, "bytes", m->files.bytes);
    write_rows(&m->count, &w);
    wh_jw_key(&w, "offsets");
    wh_jw_raw(&w, wh_buf_slice(&m->count.offsets));
    write_files(&m->files, &w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err) == WH_OK ? wh_buf_append_char(out, '\n', err) : err->rc;
}

enum wh_rc backup_manifest_write(const struct backup_manifest *m, const char *folder,
                                 struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    char path[SINK_PATH_MAX];

    wh_buf_init(&text, BACKUP_MANIFEST_MAX_BYTES);
    if (write_text(m, &text, err) != WH_OK ||
        backup_join(path, folder, manifest_name, err) != WH_OK ||
        wh_file_save(path, wh_buf_slice(&text), err) != WH_OK) {
        return err->rc;
    }
    return wh_folder_sync(folder, err);
}

/* ---- reading ---- */

static enum wh_rc read_file(struct wh_json_val v, struct backup_file *ret, struct wh_err *err)
{
    struct wh_slice name = wh_json_get_str(v, "name");
    struct wh_slice digest = wh_json_get_str(v, "sha256");

    *ret = (struct backup_file){.bytes = wh_json_get_int(v, "bytes", -1)};
    if (!backup_name_ok(name) || digest.len != BACKUP_DIGEST_TEXT || ret->bytes < 0) {
        return wh_fail(err, WH_E_CORRUPT, "the manifest has a file without name, length or digest");
    }
    memcpy(ret->name, name.ptr, name.len);
    memcpy(ret->sha256, digest.ptr, digest.len);
    return WH_OK;
}

static enum wh_rc read_files(struct wh_json_val root, struct backup_files *files,
                             struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(root, "files");
    struct wh_json_val v;
    size_t n = 0;

    while (wh_json_next(&it, NULL, &v)) {
        n++;
    }
    if (n == 0 || n > BACKUP_FILES_MAX) {
        return wh_fail(err, WH_E_CORRUPT, "the manifest lists %zu files", n);
    }
    files->items = wh_mem_zalloc(n, sizeof(*files->items));
    if (files->items == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a list of files");
    }
    it = wh_json_get_iter(root, "files");
    while (wh_json_next(&it, NULL, &v)) {
        if (read_file(v, &files->items[files->n], err) != WH_OK) {
            return err->rc;
        }
        files->bytes += files->items[files->n++].bytes;
    }
    return WH_OK;
}

static enum wh_rc read_root(struct wh_json_val root, struct backup_manifest *m, struct wh_err *err)
{
    struct wh_json_val keys;
    struct wh_instant at;

    if (wh_json_get_int(root, "format", 0) != BACKUP_FORMAT ||
        wh_time_parse(wh_json_get_str(root, "made_at"), &at, err) != WH_OK ||
        !wh_json_get(root, WH_LIT("keys"), &keys)) {
        return wh_fail(err, WH_E_UNSUPPORTED, "the manifest is none of a backup of this program");
    }
    m->made_at_ms = at.ms;
    m->store_format = wh_json_get_int(root, "store_format", 0);
    m->count.sequence = (uint64_t)wh_json_get_int(root, "sequence", 0);
    m->said.entities = wh_json_get_int(root, "entities", 0);
    m->said.revisions = wh_json_get_int(root, "revisions", 0);
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        m->count.keys[f] = wh_json_get_int(keys, sink_families[f].name, 0);
    }
    if (read_files(root, &m->files, err) != WH_OK) {
        return err->rc;
    }
    m->said.bytes = m->files.bytes;
    m->said.files = (int64_t)m->files.n;
    return WH_OK;
}

enum wh_rc backup_manifest_read(const char *folder, struct backup_manifest *ret, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(BACKUP_MANIFEST_MAX_BYTES, DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf text;
    char path[SINK_PATH_MAX];
    struct wh_json_val root;
    enum wh_rc rc;

    *ret = (struct backup_manifest){0};
    wh_buf_init(&text, BACKUP_MANIFEST_MAX_BYTES);
    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    rc = backup_join(path, folder, manifest_name, err);
    rc = rc == WH_OK ? wh_file_load(path, &text, err) : rc;
    if (rc == WH_E_NOT_FOUND) {
        rc = wh_fail(err, rc, "%.150s is no backup: it has no %s, which is written last", folder,
                     manifest_name);
    }
    rc = rc == WH_OK ? wh_json_parse(parser, wh_buf_slice(&text), &root, err) : rc;
    rc = rc == WH_OK ? read_root(root, ret, err) : rc;
    wh_json_parser_free(parser);
    return rc;
}

void backup_manifest_done(struct backup_manifest *m)
{
    backup_files_done(&m->files);
    backup_count_done(&m->count);
}
