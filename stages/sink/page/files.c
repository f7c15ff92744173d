#include "stages/sink/page/files.h"

const char PAGE_FRAGMENT[] = "a part of other templates";

/* Labels of files.S. */
#define EMBEDDED(name) extern const char page_file_##name[], page_file_##name##_end[]
EMBEDDED(layout_top);
EMBEDDED(layout_end);
EMBEDDED(table_rows);
EMBEDDED(home);
EMBEDDED(connections);
EMBEDDED(incidents);
EMBEDDED(incident);
EMBEDDED(records);
EMBEDDED(entity);
EMBEDDED(sql);
EMBEDDED(model);
EMBEDDED(ask);
EMBEDDED(login);
EMBEDDED(error);
EMBEDDED(style);
EMBEDDED(script);

#define TEMPLATE(name)                                                                             \
    {                                                                                              \
#name, NULL, page_file_##name, page_file_##name##_end                                      \
    }

#define FRAGMENT(name)                                                                             \
    {                                                                                              \
#name, PAGE_FRAGMENT, page_file_##name, page_file_##name##_end                             \
    }

static const struct page_file files[] = {
    FRAGMENT(layout_top),
    FRAGMENT(layout_end),
    FRAGMENT(table_rows),
    TEMPLATE(home),
    TEMPLATE(connections),
    TEMPLATE(incidents),
    TEMPLATE(incident),
    TEMPLATE(records),
    TEMPLATE(entity),
    TEMPLATE(sql),
    TEMPLATE(model),
    TEMPLATE(ask),
    TEMPLATE(login),
    TEMPLATE(error),
    {"style.css", "text/css; charset=utf-8", page_file_style, page_file_style_end},
    {"script.js", "text/javascript; charset=utf-8", page_file_script, page_file_script_end},
};

const struct page_file *page_files(size_t *ret_n)
{
    *ret_n = sizeof(files) / sizeof(files[0]);
    return files;
}

const struct page_file *page_file(struct wh_slice name)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(files[i].name))) {
            return &files[i];
        }
    }
    return NULL;
}

bool page_asset(struct wh_slice name, struct wh_slice *ret_bytes, const char **ret_type)
{
    const struct page_file *file = page_file(name);

    if (file == NULL || file->type == NULL || file->type == PAGE_FRAGMENT) {
        return false;
    }
    *ret_bytes = wh_slice(file->bytes, (size_t)(file->end - file->bytes));
    *ret_type = file->type;
    return true;
}
