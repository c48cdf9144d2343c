/**
 * Every error that keepline makes. Each says what happened, where, how long it took, how many
 * sockets and requests there were and which limit was met, and whether the request may have reached
 * the server. Codes are stable; messages are not.
 */
import type { Msecs } from "./clock.ts";
import type { Overload } from "./lane-options.ts";

/** What every error can carry beside its message. */
export interface ErrorContext {
  /** `protocol://host:port` that the request was for. */
  readonly origin?: string | undefined;
  /** Name of the service whose policy applied. */
  readonly service?: string | undefined;
  /** Name of the lane that the request was in. */
  readonly lane?: string | undefined;
  /** True when some bytes of the request may have reached the server. */
  readonly requestSent?: boolean | undefined;
  /** The error underneath: a system error, the last dial failure, a body source's own error. */
  readonly cause?: unknown;
}

/** The sockets and requests of an origin at the moment of an error. */
export interface PoolCounts {
  /** Sockets that count for `limit`: idle, busy and dialing; those of the lane where its own limit was met. */
  readonly open: number;
  /** The limit on `open` that was in force; `Infinity` means none. */
  readonly limit: number;
  /** What sets `limit`: an option, and of what where it is not the pool's, as in `maxSockets of lane reports`. */
  readonly limitName: string;
  /** Requests that were waiting for a socket. */
  readonly pending: number;
}

/** Base class of all errors of keepline: `error instanceof KeeplineError`, then look at `code`. */
export abstract class KeeplineError extends Error {
  /** Stable, starts with `ERR_KEEPLINE_`. */
  abstract readonly code: string;
  /** `protocol://host:port` that the request was for; undefined where there is none. */
  readonly origin: string | undefined;
  /** Name of the service whose policy applied; undefined outside a request. */
  readonly service: string | undefined;
  /** Name of the lane that the request was in; undefined outside a request. */
  readonly lane: string | undefined;
  /** True when some bytes of the request may have reached the server, so sending it again may act twice. */
  readonly requestSent: boolean;

  constructor(message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.origin = context.origin;
    this.service = context.service;
    this.lane = context.lane;
    this.requestSent = context.requestSent ?? false;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

/** An option is unknown, of the wrong type, or out of range. Nothing was changed. */
export class InvalidOptionError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_INVALID_OPTION";
  /** Path of the option, for example `connect.family`. */
  readonly option: string;
  /** `TypeError`: unknown or of the wrong type. `RangeError`: right type, value not allowed. */
  readonly nature: "TypeError" | "RangeError";

  /** `cause`: what went wrong where the option was read. */
  constructor(
    option: string,
    nature: "TypeError" | "RangeError",
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.option = option;
    this.nature = nature;
  }
}

/**
 * A request that cannot be sent as it was asked for. No byte of it was written, unless its body turned
 * out to be other than its content-length: `requestSent` says so.
 */
export class InvalidRequestError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_INVALID_REQUEST";
}

/** `maxPending` requests of the lane were waiting already, or it lets none wait. Raised at once, but for the oldest request of a `newest-first` lane. */
export class QueueFullError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_QUEUE_FULL";

  constructor(
    counts: PoolCounts & { readonly maxPending: number; readonly overload: Overload },
    context: ErrorContext,
  ) {
    const { open, limit, limitName, pending, maxPending, overload } = counts;
    const sockets = `open ${open}/${limit} ${limitName}`;
    super(
      overload === "reject"
        ? `no socket to ${context.origin} is free, and its lane lets no request wait (${sockets}${ofLane(context)}): raise a limit or send less at once`
        : `the queue of ${context.origin} is full (pending ${pending}/${maxPending}, ${sockets}${ofLane(context)}): raise a limit or send less at once`,
      context,
    );
  }
}

/** No connection became free within `queueTimeoutMsecs`, or none would have by the measured service times (`shedLate`). Not sent, but for an attempt that failed before. */
export class QueueTimeoutError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_QUEUE_TIMEOUT";
  /** How long the request had waited; 0 when it was refused at once. */
  readonly waitedMsecs: Msecs;
  /** How long it would have waited at least, when it was refused at once; null when it did wait. */
  readonly predictedMsecs: Msecs | null;

  constructor(
    counts: PoolCounts & { readonly waitedMsecs: Msecs; readonly predictedMsecs: Msecs | null },
    context: ErrorContext,
  ) {
    const { open, limit, limitName, pending, waitedMsecs, predictedMsecs } = counts;
    super(
      (predictedMsecs === null
        ? `no socket to ${context.origin} became free in ${Math.round(waitedMsecs)} ms`
        : `no socket to ${context.origin} will be free for about ${Math.round(predictedMsecs)} ms, which is too late for the request`) +
        ` (open ${open}/${limit} ${limitName}, pending ${pending}${ofLane(context)})`,
      context,
    );
    this.waitedMsecs = waitedMsecs;
    this.predictedMsecs = predictedMsecs;
  }
}

/** DNS, TCP and TLS together took longer than `connectTimeoutMsecs`. The request was never sent. */
export class ConnectTimeoutError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_CONNECT_TIMEOUT";
  /** The limit that was met. */
  readonly timeoutMsecs: Msecs;

  constructor(timeoutMsecs: Msecs, context: ErrorContext) {
    super(`connecting to ${context.origin} took longer than ${timeoutMsecs} ms`, context);
    this.timeoutMsecs = timeoutMsecs;
  }
}

/** The connection could not be opened: `cause` says why (DNS, refused, TLS, …). Never sent. */
export class ConnectError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_CONNECT";

  constructor(context: ErrorContext) {
    const { cause } = context;
    super(
      `cannot connect to ${context.origin}: ${cause instanceof Error ? describe(cause) : String(cause)}`,
      context,
    );
  }
}

/** The request was sent, and no response head came within `headersTimeoutMsecs`. */
export class HeadersTimeoutError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_HEADERS_TIMEOUT";
  /** The limit that was met. */
  readonly timeoutMsecs: Msecs;

  constructor(timeoutMsecs: Msecs, context: ErrorContext) {
    super(`${context.origin} sent no response head within ${timeoutMsecs} ms`, {
      requestSent: true,
      ...context,
    });
    this.timeoutMsecs = timeoutMsecs;
  }
}

/** A body stood still for `bodyTimeoutMsecs`: the response's, or the request's that the server did not read. */
export class BodyTimeoutError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_BODY_TIMEOUT";
  /** The limit that was met. */
  readonly timeoutMsecs: Msecs;

  constructor(
    timeoutMsecs: Msecs,
    body: { readonly side: "request" | "response"; readonly bytes: number },
    context: ErrorContext,
  ) {
    super(
      body.side === "response"
        ? `the response body of ${context.origin} stood still for ${timeoutMsecs} ms after ${body.bytes} bytes`
        : `${context.origin} read nothing of the request body for ${timeoutMsecs} ms after ${body.bytes} bytes were handed to the socket`,
      { requestSent: true, ...context },
    );
    this.timeoutMsecs = timeoutMsecs;
  }
}

/** The whole request, waiting included, took longer than `requestTimeoutMsecs`. */
export class RequestTimeoutError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_REQUEST_TIMEOUT";
  /** The limit that was met. */
  readonly timeoutMsecs: Msecs;

  constructor(timeoutMsecs: Msecs, phase: string, context: ErrorContext) {
    super(
      `the request to ${context.origin} took longer than ${timeoutMsecs} ms (it was ${phase})`,
      context,
    );
    this.timeoutMsecs = timeoutMsecs;
  }
}

/** The peer closed the connection, or it broke, before the response was complete. */
export class SocketClosedError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_SOCKET_CLOSED";
}

/**
 * The server sent what is not a valid HTTP/1.1 response (RFC 9112), or more than a limit allows.
 * Its connection is closed: where a message ends is not known any more.
 */
export class ResponseParseError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_RESPONSE_PARSE";
  /** What is wrong, without the origin: the same words for the same fault. */
  readonly problem: string;

  constructor(problem: string, context: ErrorContext) {
    super(
      context.origin === undefined
        ? problem
        : `invalid response from ${context.origin}: ${problem}`,
      { requestSent: true, ...context },
    );
    this.problem = problem;
  }
}

/** The client was closed or destroyed: before the request was made, or while it was under way. */
export class ClientClosedError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_CLIENT_CLOSED";
}

/** Who has no lanes need not read of them. */
function ofLane({ lane }: ErrorContext): string {
  return lane === undefined || lane === "default" ? "" : `, lane ${lane}`;
}

/** An AggregateError (several addresses tried) has an empty message of its own: name its parts. */
function describe(error: Error): string {
  // OpenSSL's own message is a line of numbers and file names; its reason is the part to read.
  if ("reason" in error && "library" in error && typeof error.reason === "string") {
    const said = `${error.reason} (${error.library})`;
    return error.reason === "wrong version number"
      ? `the server does not speak TLS: ${said}`
      : said;
  }
  if (error.message !== "") return error.message;
  if (error instanceof AggregateError) {
    return error.errors
      .map((each) => (each instanceof Error ? each.message : String(each)))
      .join("; ");
  }
  return error.name;
}
