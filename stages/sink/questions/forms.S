/* The file of forms, as it is, inside the binary. */
    .section .rodata
    .global questions_file
    .global questions_file_end
questions_file: .incbin "schemas/questions.json"
questions_file_end: .byte 0
    .section .note.GNU-stack,"",@progbits
