#include "stages/sink/page/files.h"

const char PAGE_FRAGMENT[] = "a part of other templates";

/* Labels of files.S. */
#define EMBEDDED(name) extern const char page_file_##name[], page_file_##name##_end[];
#define FRAGMENT(name) EMBEDDED(name)
#define TEMPLATE(name) EMBEDDED(name)
#define ASSET(name, end, type) EMBEDDED(name)
#include "stages/sink/page/files.list"
#undef FRAGMENT
#undef TEMPLATE
#undef ASSET

#define FILE_OF(name, file, type) {file, type, page_file_##name, page_file_##name##_end},
#define FRAGMENT(name) FILE_OF(name, #name, PAGE_FRAGMENT)
#define TEMPLATE(name) FILE_OF(name, #name, NULL)
#define ASSET(name, end, type) FILE_OF(name, #name "." #end, type)

static const struct page_file files[] = {
#include "stages/sink/page/files.list"
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
