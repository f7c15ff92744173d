/* The files of templates/ and assets/, as they are, inside the binary. */
    .section .rodata
#define EMBED(name, file) \
    .global page_file_##name; .global page_file_##name##_end; \
    page_file_##name: .incbin file; \
    page_file_##name##_end: .byte 0;
EMBED(layout_top, "stages/sink/page/templates/layout_top.mustache")
EMBED(layout_end, "stages/sink/page/templates/layout_end.mustache")
EMBED(table_rows, "stages/sink/page/templates/table_rows.mustache")
EMBED(home, "stages/sink/page/templates/home.mustache")
EMBED(connections, "stages/sink/page/templates/connections.mustache")
EMBED(incidents, "stages/sink/page/templates/incidents.mustache")
EMBED(incident, "stages/sink/page/templates/incident.mustache")
EMBED(records, "stages/sink/page/templates/records.mustache")
EMBED(entity, "stages/sink/page/templates/entity.mustache")
EMBED(sql, "stages/sink/page/templates/sql.mustache")
EMBED(model, "stages/sink/page/templates/model.mustache")
EMBED(ask, "stages/sink/page/templates/ask.mustache")
EMBED(login, "stages/sink/page/templates/login.mustache")
EMBED(error, "stages/sink/page/templates/error.mustache")
EMBED(style, "stages/sink/page/assets/style.css")
EMBED(script, "stages/sink/page/assets/script.js")
    .section .note.GNU-stack,"",@progbits
