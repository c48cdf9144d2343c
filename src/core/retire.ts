/**
 * Why a connection stopped being used. The same words stand in stats, events, errors and docs.
 */

/** Every reason with what it means, in the order in which docs and stats list them. */
export const retireReasons = {
  "idle-timeout": "idle for keepAliveMsecs",
  "idle-window": "the server's own idle limit was about to end",
  "server-closed": "the server closed it while it was idle",
  "connection-close": "the server asked for it, or HTTP/1.0 without keep-alive",
  "keep-alive-off": "keepAlive is false, or the request said Connection: close",
  "max-free-sockets": "more idle sockets than maxFreeSockets",
  "max-sockets": "more sockets than maxSockets or maxTotalSockets, after the limit was lowered",
  "max-age": "older than maxSocketAgeMsecs",
  "max-requests": "carried maxRequestsPerSocket, or Keep-Alive: max=N, requests",
  "total-limit": "gave its place under maxTotalSockets to another origin",
  "made-room":
    "gave its place under maxSockets or maxTotalSockets to a request that needed a fresh one",
  "max-origins": "its pool made room for another origin under maxOrigins",
  "unexpected-bytes": "the server sent bytes that no request had asked for",
  "parse-error": "the response was not valid HTTP, or over a limit",
  "socket-error": "it broke or was closed by the server during a request",
  "request-unfinished":
    "the request was not sent wholly: its response came first, or its body failed",
  "body-unread": "the response body was given up before its end",
  "body-collected": "the response body was dropped unread, and garbage-collected",
  "handed-over": "an upgrade or a tunnel: the program has its socket now",
  aborted: "its request was aborted",
  "timed-out": "its request met a timeout",
  "dial-failed": "it could not be opened",
  "connect-timeout": "it was not open within connectTimeoutMsecs",
  "client-closed": "the client was closed or destroyed",
} as const;

/** Why a connection stopped being used. */
export type RetireReason = keyof typeof retireReasons;
