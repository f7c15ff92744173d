/* The text of schemas/measures.json inside the binary. */
    .section .rodata
    .global measures_text
    .global measures_text_end
measures_text: .incbin "schemas/measures.json"
measures_text_end: .byte 0
    .section .note.GNU-stack,"",@progbits
