/**
 * Whether a request whose connection failed is sent again on another one. The one place that decides it;
 * it knows nothing of bytes and sockets.
 * Invariant: a request that the server may have seen is sent again only if that does no harm.
 *
 * | `resend`  | response | connection | of the request | request      | body            | decision                  |
 * | --------- | -------- | ---------- | -------------- | ------------ | --------------- | ------------------------- |
 * | `"never"` |          |            |                |              |                 | no: `switched-off`        |
 * | `"safe"`  | begun    |            |                |              |                 | no: `response-begun`      |
 * |           | none     | fresh      |                |              |                 | no: `fresh-connection`    |
 * |           |          | reused     | nothing sent   |              |                 | yes                       |
 * |           |          |            | something sent | not idempotent |               | no: `not-idempotent`      |
 * |           |          |            |                | idempotent   | cannot be repeated | no: `body-consumed`    |
 * |           |          |            |                |              | can be repeated | yes                       |
 *
 * RFC 9110, section 9.2.2 allows it for idempotent methods; RFC 9112, section 9.3.1 asks that it not be
 * repeated for ever: see `Resending`. A fresh connection that fails says something about the server, not
 * about an idle timeout, so its failure is reported.
 */

/** The option `resend`: `safe` follows the table, `never` reports every failure. */
export type ResendMode = "safe" | "never";

/** What is known of an attempt whose connection failed. */
export interface FailedAttempt {
  readonly mode: ResendMode;
  /** The connection was open before the request was granted it. */
  readonly isReused: boolean;
  /** Some bytes of the request may have left this machine. */
  readonly isWritten: boolean;
  /** At least one byte of a response came, an interim one included. */
  readonly hasResponse: boolean;
  /** The method is idempotent, or the caller gave an Idempotency-Key. */
  readonly isIdempotent: boolean;
  /** The body can be produced again, or was not begun yet. */
  readonly canRepeatBody: boolean;
}

/** Why a request is not sent again. */
export type ResendRefusal =
  | "switched-off"
  | "response-begun"
  | "fresh-connection"
  | "not-idempotent"
  | "body-consumed";

/** Why the request must not be sent again; null when it is. */
export function resendRefusal(attempt: FailedAttempt): ResendRefusal | null {
  if (attempt.mode === "never") return "switched-off";
  if (attempt.hasResponse) return "response-begun";
  if (!attempt.isReused) return "fresh-connection";
  if (!attempt.isWritten) return null;
  if (!attempt.isIdempotent) return "not-idempotent";
  return attempt.canRepeatBody ? null : "body-consumed";
}

/**
 * A request on its way to another connection. Where one idle connection was dead, others may be: it tries
 * idle ones that were opened later than the failed one, no more often than there were idle ones at its
 * first failure, and then one that is opened for it.
 */
export interface Resending {
  /** How often it was sent again, from 1. */
  readonly count: number;
  /** Id of the connection that failed last: an idle one must have been opened later. */
  readonly failedId: number;
  /** Idle connections that it may still try. */
  readonly idleLeft: number;
  /** The server may have seen it in an earlier attempt. */
  readonly isSent: boolean;
}

/** The state after one more failure. `idleCount`: idle connections of the pool now. */
export function resendAfter(
  before: Resending | null,
  failedId: number,
  isWritten: boolean,
  idleCount: number,
): Resending {
  if (before === null) return { count: 1, failedId, idleLeft: idleCount, isSent: isWritten };
  return {
    count: before.count + 1,
    failedId,
    idleLeft: before.idleLeft - 1,
    isSent: before.isSent || isWritten,
  };
}
