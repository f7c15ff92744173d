/* The files of files.list, as they are, inside the binary. */
    .section .rodata
#define EMBED(name, path) \
    .global page_file_##name; .global page_file_##name##_end; \
    page_file_##name: .incbin path; \
    page_file_##name##_end: .byte 0;
#define TEXT_OF(x) #x
#define FRAGMENT(name) EMBED(name, TEXT_OF(stages/sink/page/templates/name.mustache))
#define TEMPLATE(name) FRAGMENT(name)
#define ASSET(name, end, type) EMBED(name, TEXT_OF(stages/sink/page/assets/name.end))
#include "stages/sink/page/files.list"
    .section .note.GNU-stack,"",@progbits
