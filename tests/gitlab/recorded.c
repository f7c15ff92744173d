/*
 * recorded.c - one project whose rows were recorded from a real server: served byte for byte, never
 * changed. tests/fixtures/gitlab-standin/SOURCES.md says where they come from.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/gitlab/model.h"
#include "tests/gitlab/scan.h"

enum { PATH_BYTES = 1024, FILE_MAX_BYTES = 8 << 20 };

static const int64_t recorded_project_id = 12345678;

/* Files are read whole; the rows point into them. */
static enum wh_rc read_file(const char *folder, const char *name, char **ret, size_t *ret_len,
                            struct wh_err *err)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s.ndjson", folder, name);
    FILE *f = n < 0 || (size_t)n >= sizeof(path) ? NULL : fopen(path, "re");
    char *bytes;

    if (f == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "cannot read the recorded rows %.180s/%s.ndjson",
                       folder, name);
    }
    bytes = wh_mem_alloc(FILE_MAX_BYTES);
    if (bytes == NULL) {
        (void)fclose(f);
        return wh_fail(err, WH_E_NOMEM, "no memory for recorded rows");
    }
    *ret_len = fread(bytes, 1, FILE_MAX_BYTES, f);
    (void)fclose(f);
    *ret = wh_mem_resize(bytes, *ret_len + 1, 1);
    return *ret ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for recorded rows");
}

static int64_t time_of(struct wh_slice row, const char *key)
{
    struct wh_slice text = gl_scan_text(row, key);
    struct wh_instant at;
    struct wh_err err;

    return text.len && wh_time_parse(text, &at, &err) == WH_OK ? at.ms : 0;
}

static uint8_t state_of(struct wh_slice name)
{
    for (unsigned s = 0; s < GL_S_COUNT; s++) {
        if (wh_slice_eq(name, wh_slice_str(gl_state_name(s)))) {
            return (uint8_t)s;
        }
    }
    return GL_S_CREATED;
}

static struct gl_recorded *new_row(struct gl_project *project, struct wh_slice row,
                                   struct wh_slice state)
{
    struct gl_recorded *grown = wh_mem_resize(project->rows, project->n_rows + 1, sizeof(*grown));
    struct wh_slice author = gl_scan(row, "author");

    if (grown == NULL) {
        return NULL;
    }
    project->rows = grown;
    if (author.len == 0) {
        author = gl_scan(row, "user");
    }
    grown[project->n_rows] = (struct gl_recorded){
        .list = row,
        .detail = row,
        .title = gl_scan_text(row, "title"),
        .state = state,
        .updated_at = gl_scan(row, "updated_at"),
        .url = gl_scan_text(row, "web_url"),
        .labels = gl_scan(row, "labels"),
        .author_id = gl_scan_int(author, "id", 0),
        .pipeline_id = gl_scan_int(gl_scan(row, "pipeline"), "id", 0),
    };
    return &grown[project->n_rows++];
}

static enum wh_rc add_row(struct gl_project *project, enum gl_kind kind, struct wh_slice row,
                          struct wh_err *err)
{
    struct wh_slice state = gl_scan_text(row, "state");
    struct gl_obj obj = {.id = gl_scan_int(row, "id", 0),
                         .iid = gl_scan_int(row, "iid", 0),
                         .created_ms = time_of(row, "created_at"),
                         .updated_ms = time_of(row, "updated_at"),
                         .finished_ms = time_of(row, "finished_at"),
                         .author = GL_NOBODY};

    if (state.len == 0) {
        state = gl_scan_text(row, "status");
    }
    if (obj.id == 0 || new_row(project, row, state) == NULL) {
        return wh_fail(err, WH_E_INVALID, "a recorded row has no id");
    }
    /* Every deployment has a time of its last change, also where its row does not show it. */
    if (kind == GL_DEPLOYMENT && obj.updated_ms == 0) {
        obj.updated_ms = obj.created_ms;
    }
    obj.state = state_of(state);
    obj.raw = project->n_rows;
    obj.type = kind == GL_ISSUE && wh_slice_eq(gl_scan_text(row, "issue_type"), WH_LIT("incident"))
                   ? GL_T_INCIDENT
                   : GL_T_ISSUE;
    return gl_set_add(&project->sets[kind], &obj) ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory");
}

typedef enum wh_rc (*row_fn)(struct gl_project *project, enum gl_kind kind, struct wh_slice row,
                             struct wh_err *err);

static enum wh_rc add_detail(struct gl_project *project, enum gl_kind kind, struct wh_slice row,
                             struct wh_err *err)
{
    struct gl_obj *obj = gl_by_id(project, kind, gl_scan_int(row, "id", 0));

    if (obj == NULL) {
        return wh_fail(err, WH_E_INVALID, "a recorded detail has no list row");
    }
    project->rows[obj->raw - 1].detail = row;
    project->rows[obj->raw - 1].author_id = gl_scan_int(gl_scan(row, "user"), "id", 0);
    return WH_OK;
}

static enum wh_rc load_file(struct gl_project *project, enum gl_kind kind, const char *folder,
                            const char *name, char **keep, row_fn fn, struct wh_err *err)
{
    size_t len;
    char *line;
    char *end;

    if (read_file(folder, name, keep, &len, err) != WH_OK) {
        return err->rc;
    }
    end = *keep + len;
    for (line = *keep; line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((stop ? stop : end) - line);

        if (n > 0 && fn(project, kind, wh_slice(line, n), err) != WH_OK) {
            return wh_err_prefix(err, "%s.ndjson", name);
        }
        line += n + 1;
    }
    return WH_OK;
}

enum wh_rc gl_recorded_load(struct gl_model *model, const char *folder, struct wh_err *err)
{
    static const struct {
        enum gl_kind kind;
        const char *name;
    } files[] = {{GL_MR, "merge_requests"}, {GL_ISSUE, "issues"},   {GL_PIPELINE, "pipelines"},
                 {GL_JOB, "jobs"},          {GL_MEMBER, "members"}, {GL_DEPLOYMENT, "deployments"}};
    struct gl_project *project = &model->projects[model->n_projects];
    struct gl_obj obj = {.id = recorded_project_id, .created_ms = 1560000000000};

    *project = (struct gl_project){.id = recorded_project_id,
                                   .name = wh_mem_dup("Snowflake Spend", 15),
                                   .path = wh_mem_dup("gitlab-data/snowflake_spend", 27),
                                   .created_ms = obj.created_ms,
                                   .recorded = true};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (load_file(project, files[i].kind, folder, files[i].name,
                      &project->rows_text[files[i].kind], add_row, err) != WH_OK) {
            model->n_projects++; /* so that what was read is freed */
            return err->rc;
        }
    }
    model->n_projects++;
    obj.updated_ms = obj.created_ms;
    if (!project->name || !project->path || !gl_set_add(&model->project_set, &obj)) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the recorded project");
    }
    return load_file(project, GL_PIPELINE, folder, "pipeline_details", &project->rows_text[GL_NOTE],
                     add_detail, err);
}
