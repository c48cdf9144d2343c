/**
 * What the demo finds out, as plain data: what `--json` prints and what the text is made of.
 * A change that breaks readers of the JSON raises `demoFormatVersion`; new fields do not.
 */
import type { Msecs } from "../../core/clock.ts";
import type { RetireReason } from "../../core/retire.ts";

/** The present version of the document. */
export const demoFormatVersion = 1;

/** The whole document. */
export interface DemoReport {
  readonly format: "keepline-demo";
  readonly formatVersion: typeof demoFormatVersion;
  /** Versions of keepline and of Node.js. */
  readonly keepline: string;
  readonly node: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Wall clock of the whole demo, with the start of its servers. */
  readonly tookMsecs: Msecs;
  /** The URL of `--url`; null when the demo measured servers of its own. */
  readonly url: string | null;
  /** One for each protocol. */
  readonly twoRequests: readonly TwoRequests[];
  readonly manyRequests: ManyRequests;
  /** Null with `--url`. */
  readonly queue: Queue | null;
  /** Null with `--url`. */
  readonly bursts: Bursts | null;
}

/** Name of a protocol as URLs have it. */
export type Protocol = "http" | "https";

/** Two requests, one after the other. */
export interface TwoRequests {
  readonly protocol: Protocol;
  readonly requests: readonly [OneRequest, OneRequest];
  readonly sameSocket: boolean;
  /** Who says the client's ports: the server that saw them, or this side because the server does not tell. */
  readonly portsSeenBy: "server" | "client";
  /** Why the first connection was not used again; null when it was. */
  readonly closedBecause: RetireReason | null;
}

/** One of them. Times in ms, null where nothing of the kind happened. */
export interface OneRequest {
  readonly statusCode: number;
  readonly clientPort: number | null;
  readonly dnsMsecs: Msecs | null;
  readonly connectMsecs: Msecs | null;
  readonly tlsMsecs: Msecs | null;
  readonly firstByteMsecs: Msecs;
  /** From the call to the end of the response body. */
  readonly totalMsecs: Msecs;
}

/** The same requests with keep-alive and without. */
export interface ManyRequests {
  readonly requests: number;
  /** Requests under way at a time. */
  readonly concurrency: number;
  /** For each protocol one with keep-alive and one without. */
  readonly runs: readonly Run[];
  /** For each protocol. */
  readonly saved: readonly Saved[];
}

/** `ManyRequests.requests` requests in one way. */
export interface Run {
  readonly protocol: Protocol;
  readonly keepAlive: boolean;
  readonly socketsOpened: number;
  /** Of them, those that resumed a TLS session, which makes their handshake shorter. */
  readonly tlsResumed: number;
  /** Requests on a used connection by requests that got a connection. */
  readonly reuseRatio: number | null;
  /** From the call to the end of the response body, of all answered requests. */
  readonly p50Msecs: Msecs | null;
  readonly p99Msecs: Msecs | null;
  /** Wall clock of the run. */
  readonly tookMsecs: Msecs;
  /** Requests that got no response. */
  readonly failed: number;
  /** Responses by status code. */
  readonly statusCodes: Readonly<Record<string, number>>;
  /** Mean of DNS, TCP and TLS together over the connections of this run; null when there was none. */
  readonly handshakeMeanMsecs: Msecs | null;
  /** Closed connections by reason, reasons that occurred only. */
  readonly closed: { readonly [reason in RetireReason]?: number };
}

/** What keep-alive saved: `handshakesAvoided` × `handshakeMeanMsecs`, the mean of the run without it. */
export interface Saved {
  readonly protocol: Protocol;
  /** Connections opened without keep-alive, less those opened with it. */
  readonly handshakesAvoided: number;
  readonly handshakeMeanMsecs: Msecs;
  /** Waiting, summed over all requests. */
  readonly savedMsecs: Msecs;
}

/** Many requests at once under different limits. */
export interface Queue {
  /** All made in the same tick. */
  readonly requests: number;
  /** How long the server takes to answer. */
  readonly delayMsecs: Msecs;
  readonly runs: readonly QueueRun[];
}

/** All of them under one limit. */
export interface QueueRun {
  readonly maxSockets: number;
  readonly socketsOpened: number;
  /** From the call to an open connection: the queue and the dial. */
  readonly waitP50Msecs: Msecs;
  readonly waitP99Msecs: Msecs;
  /** Wall clock until the last response. */
  readonly tookMsecs: Msecs;
}

/** The same bursty traffic under different settings for idle connections. */
export interface Bursts {
  /** Requests of one burst, all made in the same tick. */
  readonly burstRequests: number;
  /** When bursts begin, in ms from the start. */
  readonly burstsAtMsecs: readonly Msecs[];
  /** How long the server takes to answer. */
  readonly delayMsecs: Msecs;
  /** How long was measured. */
  readonly spanMsecs: Msecs;
  readonly runs: readonly BurstRun[];
}

/** The traffic under one pair of settings. */
export interface BurstRun {
  readonly maxFreeSockets: number;
  readonly keepAliveMsecs: Msecs;
  readonly requests: number;
  /** Churn. */
  readonly socketsOpened: number;
  /** Footprint: idle sockets integrated over time, sampled by `client.stats()`. */
  readonly idleSocketSeconds: number;
}
