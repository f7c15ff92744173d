/* The data views of schemas/views inside the binary, and a table of them for view_load.c. */
    .section .rodata
#define EMBED(name, file) \
    view_##name: .incbin file; \
    view_##name##_end: .byte 0; \
    view_##name##_file: .asciz file;
EMBED(common, "schemas/views/common.json")
EMBED(merge_requests, "schemas/views/merge_requests.json")
EMBED(issues, "schemas/views/issues.json")
EMBED(ci, "schemas/views/ci.json")
EMBED(people, "schemas/views/people.json")
EMBED(gone, "schemas/views/gone.json")
EMBED(categories, "schemas/views/categories.json")
EMBED(incidents, "schemas/views/incidents.json")
EMBED(imports, "schemas/views/imports.json")
EMBED(tools, "schemas/views/tools.json")
    .balign 8
    .global mapper_embedded_views_n
mapper_embedded_views_n: .quad 10

#define ENTRY(name) .quad view_##name##_file, view_##name, view_##name##_end
    .section .data.rel.ro,"aw"
    .balign 8
    .global mapper_embedded_views
mapper_embedded_views:
    ENTRY(common)
    ENTRY(merge_requests)
    ENTRY(issues)
    ENTRY(ci)
    ENTRY(people)
    ENTRY(gone)
    ENTRY(categories)
    ENTRY(incidents)
    ENTRY(imports)
    ENTRY(tools)
    .section .note.GNU-stack,"",@progbits
