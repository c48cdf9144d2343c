/**
 * What the diagnostics channels of keepline carry: one type for each message. Plain data, which can be kept and sent on.
 * Invariant: no message holds a header value, a body, or what stands behind the `?` of a URL.
 */
import type { Msecs } from "../core/clock.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Saturation } from "../core/saturation.ts";
import type { TuningChange } from "../core/tuner.ts";

/** What every message has. */
export interface EventMessage {
  /** When it happened, in ms of the client's clock: `performance.timeOrigin + at` is in ms since 1970, unless the option `clock` says otherwise. */
  readonly at: Msecs;
  /** `client.id`. Agents that have pools of their own have a number of their own. */
  readonly clientId: number;
}

/** An error and what caused it. Its message may name origins, and the reason of an abort is the program's own. */
export interface ErrorSummary {
  readonly name: string;
  /** Null where it has none. */
  readonly code: string | null;
  readonly message: string;
  readonly cause: ErrorSummary | null;
}

/** What every message about a request has. */
export interface RequestMessage extends EventMessage {
  /** Unique in its client, from 1. Requests that were made while nobody listened have none, and no messages. */
  readonly requestId: number;
  readonly origin: string;
  readonly service: string;
  readonly lane: string;
}

/** `request:created`: a request asks for a connection. */
export interface RequestCreated extends RequestMessage {
  readonly method: string;
  /** Path of the URL, without its query. */
  readonly path: string;
}

/** `request:queued`: there is no connection for it, and it waits; also when it is sent again. */
export interface RequestQueued extends RequestMessage {
  /** Requests of its lane that wait at this origin, with this one. */
  readonly pending: number;
  /** Sockets of the origin: idle, busy and dialing. */
  readonly open: number;
}

/** `request:granted`: it has a connection, whose only user it is until it ends. */
export interface RequestGranted extends RequestMessage {
  readonly connectionId: number;
  /** True when the connection had carried a request before. */
  readonly reused: boolean;
  /** Which request on this connection it is, from 1. */
  readonly requestCount: number;
  /** How long the connection had been idle; 0 when it was handed over at once. */
  readonly idleMsecs: Msecs;
  /** How long the request waited, since it was created or since its last connection failed. */
  readonly queuedMsecs: Msecs;
}

/** `request:sent`: its last byte was handed to the socket. Left out where the response came first, and for requests of `node:http`. */
export interface RequestSent extends RequestMessage {
  readonly connectionId: number;
}

/** `request:head`: the response has begun. */
export interface RequestHead extends RequestMessage {
  readonly connectionId: number;
  /** Null for requests of `node:http`, whose responses Node reads. */
  readonly statusCode: number | null;
}

/** `request:end`: the response has come to its end; the program may still have to read it. */
export interface RequestEnd extends RequestMessage {
  readonly connectionId: number;
  readonly statusCode: number | null;
  /** Bytes of the response body, as transferred without chunk framing; null for requests of `node:http`. */
  readonly bodyBytes: number | null;
}

/** `request:resend`: its connection failed, which `connection:retired` told just before, and it is sent again on another one. */
export interface RequestResend extends RequestMessage {
  /** The connection that failed. */
  readonly connectionId: number;
  readonly reason: RetireReason;
  /** How often it is sent again with this, from 1. */
  readonly resends: number;
  /** A byte of it may have reached the server. */
  readonly requestSent: boolean;
}

/** `request:failed`: it is over before its end. */
export interface RequestFailed extends RequestMessage {
  /** The connection that it had; null when it had none. */
  readonly connectionId: number | null;
  /** What the program is told; null when the program wanted no more of the response. */
  readonly error: ErrorSummary | null;
  /** A byte of it may have reached the server; null where it is not known. */
  readonly requestSent: boolean | null;
}

/** `request:leaked`: nobody has read the body of its response for `leakTimeoutMsecs`. */
export interface RequestLeaked extends RequestMessage {
  readonly connectionId: number;
  readonly unreadMsecs: Msecs;
  /** Bytes that wait to be read. */
  readonly heldBytes: number;
  /** Where the request was made, as the lines of a stack; null when it was not noted. */
  readonly stack: string | null;
}

/** What every message about a connection has. */
export interface ConnectionMessage extends EventMessage {
  /** Unique in its client. */
  readonly connectionId: number;
  readonly origin: string;
  readonly service: string;
}

/** `connection:dialing`: a dial begins. */
export interface ConnectionDialing extends ConnectionMessage {
  /** Requests that wait at this origin. With none it is dialed ahead of demand. */
  readonly pending: number;
}

/** `connection:open`: the dial has succeeded. */
export interface ConnectionOpen extends ConnectionMessage {
  readonly dialMsecs: Msecs;
  /** These three: null where the step did not happen, or somebody else made the socket. */
  readonly dnsMsecs: Msecs | null;
  readonly connectMsecs: Msecs | null;
  readonly tlsMsecs: Msecs | null;
  readonly tlsResumed: boolean;
  readonly localPort: number | null;
  readonly remoteAddress: string | null;
}

/** `connection:idle`: nobody needs the connection now. */
export interface ConnectionIdle extends ConnectionMessage {
  /** Requests that it has carried. */
  readonly requestCount: number;
  /** How long it may be used from now on; null for ever. */
  readonly usableMsecs: Msecs | null;
}

/** `connection:retired`: the connection is closed. */
export interface ConnectionRetired extends ConnectionMessage {
  readonly reason: RetireReason;
  /** What it was doing. */
  readonly state: "dialing" | "idle" | "busy" | "draining";
  readonly requestCount: number;
  /** How long it had been open; null when it never was. */
  readonly ageMsecs: Msecs | null;
  /** How long it had been idle; null when it was not. */
  readonly idleMsecs: Msecs | null;
  /** Why the dial failed; null for other reasons. */
  readonly error: ErrorSummary | null;
}

/** `lane:saturated` and `lane:relieved`. */
export interface LaneMessage extends EventMessage, Saturation {}

/** `service:tuned`: tuning has moved `maxFreeSockets` or `keepAliveMsecs`. */
export interface ServiceTuned extends EventMessage, TuningChange {}

/** Every event with its message. The channel of `request:created` is `keepline:request:created`. */
export interface KeeplineEvents {
  "request:created": RequestCreated;
  "request:queued": RequestQueued;
  "request:granted": RequestGranted;
  "request:sent": RequestSent;
  "request:head": RequestHead;
  "request:end": RequestEnd;
  "request:resend": RequestResend;
  "request:failed": RequestFailed;
  "request:leaked": RequestLeaked;
  "connection:dialing": ConnectionDialing;
  "connection:open": ConnectionOpen;
  "connection:idle": ConnectionIdle;
  "connection:retired": ConnectionRetired;
  "lane:saturated": LaneMessage;
  "lane:relieved": LaneMessage;
  "service:tuned": ServiceTuned;
}

/** The name of an event. */
export type EventName = keyof KeeplineEvents;
