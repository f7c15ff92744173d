/* The texts of our Avro schemas (schemas/), as they are, inside the binary. */
    .section .rodata
#define EMBED(name, file) \
    .global wh_avsc_##name; .global wh_avsc_##name##_end; \
    wh_avsc_##name: .incbin file; \
    wh_avsc_##name##_end: .byte 0;
EMBED(raw_event, "schemas/raw_event.avsc")
EMBED(observation, "schemas/observation.avsc")
EMBED(observation_1, "schemas/observation_1.avsc")
EMBED(observation_2, "schemas/observation_2.avsc")
EMBED(observation_3, "schemas/observation_3.avsc")
EMBED(dead_letter, "schemas/dead_letter.avsc")
EMBED(reread, "schemas/reread.avsc")
EMBED(connection, "schemas/connection.avsc")
EMBED(fetch_state, "schemas/fetch_state.avsc")
EMBED(run, "schemas/run.avsc")
EMBED(health, "schemas/health.avsc")
EMBED(decision, "schemas/decision.avsc")
    .section .note.GNU-stack,"",@progbits
