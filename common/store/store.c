#include "common/store/store.h"

enum wh_rc wh_store_init(struct wh_store *s, const struct wh_store_conf *conf, struct wh_err *err)
{
    bool owned = false;

    for (size_t i = 0; i < conf->n_families; i++) {
        owned |= conf->families[i].owned;
    }
    s->families = conf->families;
    s->stamps = owned ? store_stamps_new() : NULL;
    return owned && s->stamps == NULL ? wh_fail(err, WH_E_NOMEM, "no memory for the store") : WH_OK;
}
