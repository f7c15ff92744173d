/* The text of document_views.sql inside the binary, with a zero at its end. */
    .section .rodata
    .global sql_document_views
sql_document_views: .incbin "stages/sink/sql/document_views.sql"
    .byte 0
    .section .note.GNU-stack,"",@progbits
