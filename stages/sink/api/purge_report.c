/* GET /api/v1/purges/<connection>: the report of a connection's last purge. */
#include "common/base/mem.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/ingest/purge.h"

enum { REPORT_MAX_BYTES = 64 << 10, KEY_MAX_BYTES = 256 };

enum wh_rc api_answer_purge(struct api_job *job, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf key;
    WH_AUTO(buf) struct wh_buf report;
    struct api_json j;
    bool found = false;

    wh_buf_init(&key, KEY_MAX_BYTES);
    wh_buf_init(&report, REPORT_MAX_BYTES);
    if (sink_purge_report_key(job->id, &key, err) != WH_OK ||
        wh_store_get(job->api->deps.store, NULL, SINK_META, wh_buf_slice(&key), &report, &found,
                     err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        return wh_fail(err, WH_E_NOT_FOUND, "no purge of a connection of that name is known here");
    }
    api_json_begin(&j);
    wh_jw_key(&j.w, "purge");
    wh_jw_raw(&j.w, wh_buf_slice(&report));
    return api_json_end(&j, job, err);
}
