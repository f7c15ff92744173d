/*
 * message.h - JSON-RPC 2.0 messages of MCP: building ours, reading theirs. Pure.
 */
#ifndef WH_FETCHER_MCP_MESSAGE_H
#define WH_FETCHER_MCP_MESSAGE_H

#include "common/base/buf.h"
#include "common/json/json_doc.h"

#define MCP_MODERN "2026-07-28"

enum mcp_code {
    MCP_CODE_TRANSPORT = -32000, /* no meaning in the specification; SDKs: the session is missing */
    MCP_CODE_METHOD = -32601,
    MCP_CODE_PARAMS = -32602,
    MCP_CODE_HEADERS = -32020,    /* header and body do not agree */
    MCP_CODE_CAPABILITY = -32021, /* the client lacks a capability */
    MCP_CODE_VERSION = -32022,    /* unsupported protocol version */
};

enum mcp_kind { MCP_RESULT, MCP_FAULT, MCP_REQUEST, MCP_NOTICE };

struct mcp_message {
    enum mcp_kind kind;
    bool has_id; /* false also for null */
    int64_t id;  /* when it is an integer */
    bool id_is_int;
    struct wh_json_val id_value;
    struct wh_slice method; /* of requests and notices */
    struct wh_json_val result;
    int64_t code; /* of faults */
    struct wh_slice text;
    struct wh_json_val data;
    bool has_data;
};

/* WH_E_INVALID, WH_E_TYPE: no JSON-RPC message. */
WH_MUST_CHECK enum wh_rc mcp_message_read(struct wh_slice json, struct wh_json_parser *parser,
                                          struct mcp_message *ret, struct wh_err *err);

struct mcp_out {
    struct wh_slice method;
    bool has_id; /* else a notification */
    int64_t id;
    struct wh_slice name;      /* of a tool; empty: none */
    struct wh_slice arguments; /* JSON object; empty: none */
    struct wh_slice cursor;
    bool has_cursor;         /* "" is a cursor too */
    struct wh_slice version; /* modern: stands in _meta; of initialize: protocolVersion */
    bool modern;
    int64_t cancelled_id; /* of notifications/cancelled */
    struct wh_slice client_name;
    struct wh_slice client_version;
};
WH_MUST_CHECK enum wh_rc mcp_message_write(const struct mcp_out *m, struct wh_buf *out,
                                           struct wh_err *err);
/* The answer to a request of the server's: {} to a ping, else "no such method". */
WH_MUST_CHECK enum wh_rc mcp_reply_write(const struct mcp_message *request, struct wh_buf *out,
                                         struct wh_err *err);

#endif
