/*
 * message.h - the JSON-RPC 2.0 messages of MCP: writes the client's, reads the server's. Internal
 * to the MCP client. Pure.
 */
#ifndef WH_FETCHER_MCP_MESSAGE_H
#define WH_FETCHER_MCP_MESSAGE_H

#include "common/base/buf.h"
#include "common/json/json_doc.h"

/* The revision without a handshake. */
#define MCP_MODERN "2026-07-28"

enum mcp_code {
    MCP_CODE_TRANSPORT = -32000, /* not in the specification; SDKs use it for a missing session */
    MCP_CODE_METHOD = -32601,
    MCP_CODE_PARAMS = -32602,
    MCP_CODE_HEADERS = -32020,    /* header and body do not agree */
    MCP_CODE_CAPABILITY = -32021, /* the client lacks a capability */
    MCP_CODE_VERSION = -32022,    /* unsupported protocol version */
};

enum mcp_kind { MCP_RESULT, MCP_FAULT, MCP_REQUEST, MCP_NOTICE };

/* Values and slices are the parser's, valid until its next use. */
struct mcp_message {
    enum mcp_kind kind;
    bool has_id; /* a number or a string; false also for null, which errors may carry */
    bool id_is_int;
    int64_t id; /* when id_is_int */
    struct wh_json_val id_value;
    struct wh_slice method;    /* MCP_REQUEST, MCP_NOTICE */
    struct wh_json_val result; /* MCP_RESULT */
    int64_t code;              /* MCP_FAULT, as the two below */
    struct wh_slice text;
    struct wh_json_val data; /* when has_data */
    bool has_data;
};

/* Reads one message. WH_E_TYPE: JSON, but not one JSON-RPC 2.0 message (a batch neither); otherwise
 * the errors of wh_json_parse. */
WH_MUST_CHECK enum wh_rc mcp_message_read(struct wh_slice json, struct wh_json_parser *parser,
                                          struct mcp_message *ret, struct wh_err *err);

struct mcp_out {
    struct wh_slice method;
    bool has_id; /* false: a notification */
    int64_t id;
    struct wh_slice name;      /* of a tool; empty: none */
    struct wh_slice arguments; /* the text of a JSON object; empty: {} */
    struct wh_slice cursor;
    bool has_cursor;         /* "" is a cursor too */
    struct wh_slice version; /* protocolVersion of initialize, or in _meta when modern */
    bool modern;
    int64_t cancelled_id; /* of notifications/cancelled */
    struct wh_slice client_name;
    struct wh_slice client_version;
};
/* Appends the message. The errors are the buffer's. */
WH_MUST_CHECK enum wh_rc mcp_message_write(const struct mcp_out *m, struct wh_buf *out,
                                           struct wh_err *err);
/* Appends the answer to a request of the server: an empty result for a ping, otherwise the error
 * "not offered by this client". WH_E_TOO_LARGE when the request's id does not fit. */
WH_MUST_CHECK enum wh_rc mcp_reply_write(const struct mcp_message *request, struct wh_buf *out,
                                         struct wh_err *err);

#endif
