/**
 * What a program is told of a request that its connection failed.
 */
import type { Connection } from "../core/connection.ts";
import { type ErrorContext, InvalidRequestError, ResponseParseError } from "../core/errors.ts";
import type { PendingRequest } from "../core/pending.ts";
import type { ResendRefusal } from "../core/resend.ts";

/** Why a request that a connection failed was not sent again, where its caller could change that. */
export const refusalWords: Readonly<Record<ResendRefusal, string>> = {
  "switched-off": '; not sent again: resend is "never"',
  "response-begun": "",
  "fresh-connection": "",
  "not-idempotent":
    "; not sent again: the server may have acted on it, unless it had an Idempotency-Key",
  "body-consumed": "; not sent again: its body was a stream, which can be read once",
};

/** That the server closed a connection under a request, and which one of its requests that was. */
export function closedMessage<R extends PendingRequest, T>(
  { pool, requestCount, lastIdleMsecs }: Connection<R, T>,
  hasResponse: boolean,
  refusal: ResendRefusal,
): string {
  const when = hasResponse ? "before the response was complete" : "before it responded";
  const story =
    requestCount > 1
      ? `request ${requestCount} on this connection, which had been idle for ${Math.round(lastIdleMsecs)} ms`
      : "first request on this connection";
  return `${pool.origin} closed the connection ${when} (${story}${refusalWords[refusal]})`;
}

/** `error` with the request it belongs to: the parser and the writer of bodies do not know which one they work for. */
export function withContext(error: unknown, context: ErrorContext): unknown {
  if (error instanceof ResponseParseError) return new ResponseParseError(error.problem, context);
  if (error instanceof InvalidRequestError) return new InvalidRequestError(error.message, context);
  return error;
}
