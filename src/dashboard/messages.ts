/**
 * What the dashboard sends to its page and to `keepline top`: plain JSON, as server-sent events.
 * Invariant: nothing here is larger than `limits` allow, however much a client does.
 */
import type { Msecs } from "../core/clock.ts";
import type { IdleClosing } from "../core/idle-history.ts";
import type { RetireReason } from "../core/retire.ts";
import type { SocketCounts } from "../observe/stats.ts";

/** A change that breaks readers raises it; new fields do not. */
export const feedVersion = 1;

/** How often, and how much at most. */
export const limits = {
  /** Time between two updates in ms. */
  tickMsecs: 500,
  /** Clients and pools in an update; what there is beside is counted. */
  clients: 12,
  pools: 20,
  /** Connections of one pool, and of all pools of an update. */
  lines: 60,
  allLines: 360,
  /** Ends of connections by pool and update. */
  closed: 16,
  lanes: 12,
  /** Failures, resends and slow requests of an update. */
  notes: 30,
  warnings: 12,
  /** Characters of a path, and of the message of an error. */
  pathLength: 160,
  messageLength: 300,
  /** An error with its causes. */
  causes: 4,
} as const;

/** The first event of a feed, `hello`. */
export interface Hello {
  readonly format: "keepline-dashboard";
  readonly formatVersion: typeof feedVersion;
  readonly keepline: string;
  readonly node: string;
  readonly pid: number;
  /** File name of the program, without its folder. */
  readonly program: string;
  readonly tickMsecs: Msecs;
}

/** Every further event, `update`. What stands behind `…PerSecond` is null in the first update of a pool. */
export interface Update {
  /** In ms since 1970. */
  readonly at: Msecs;
  /** Since the update before; 0 in the first one. */
  readonly sinceMsecs: Msecs;
  readonly clients: readonly ClientUpdate[];
  readonly moreClients: number;
  /** The busiest. */
  readonly pools: readonly PoolUpdate[];
  readonly morePools: number;
  readonly warnings: readonly Warning[];
  /** What happened since the update before. */
  readonly notes: readonly Note[];
  readonly moreNotes: number;
}

/** One client, over all its pools. */
export interface ClientUpdate {
  /** Its name; empty where there is one client without a name. */
  readonly client: string;
  readonly sockets: SocketCounts;
  readonly pending: number;
  /** Null stands for no limit. */
  readonly maxTotalSockets: number | null;
}

/** One pool: the connections to one origin. */
export interface PoolUpdate {
  /** Unique while the dashboard is there. */
  readonly id: number;
  readonly client: string;
  readonly service: string;
  readonly origin: string;
  readonly sockets: SocketCounts;
  /** Null stands for no limit. */
  readonly maxSockets: number | null;
  readonly pending: number;
  /** Counted since the pool was made. */
  readonly requests: number;
  readonly opened: number;
  readonly failed: number;
  readonly resent: number;
  /** Requests on a used connection, of all that got one; null before the first. */
  readonly reuseRatio: number | null;
  readonly requestsPerSecond: number | null;
  readonly openedPerSecond: number | null;
  /** Of the requests since the update before. */
  readonly wait: Spread;
  readonly firstByte: Spread;
  readonly idleWindow: {
    readonly hinted: Msecs | null;
    readonly learned: Msecs | null;
    readonly used: Msecs | null;
    readonly closing: IdleClosing;
  };
  readonly lanes: readonly LaneUpdate[];
  readonly moreLanes: number;
  readonly lines: readonly Line[];
  readonly moreLines: number;
  /** Connections that ended since the update before. */
  readonly closed: readonly ClosedLine[];
  readonly closedCount: number;
}

/** Durations in ms; null where there was none. */
export interface Spread {
  readonly count: number;
  readonly p50: Msecs | null;
  readonly p99: Msecs | null;
  readonly max: Msecs | null;
}

/** One lane of a pool. */
export interface LaneUpdate {
  readonly name: string;
  readonly busy: number;
  readonly pending: number;
  /** How long the longest of those that wait has waited. */
  readonly waitedMsecs: Msecs;
  readonly served: number;
  /** Refused, shed and timed out in the queue. */
  readonly refused: number;
  readonly isSaturated: boolean;
  readonly maxSockets: number | null;
}

/** What a connection does. */
export type LineState = "dialing" | "busy" | "idle" | "draining";

/** One connection, as it was when the update was made. Ages in ms of that moment: how long ago; null where it is not known, or has not been. */
export interface Line {
  readonly id: number;
  readonly state: LineState;
  /** Since when its dial began; null when nobody looked then. */
  readonly dialed: Msecs | null;
  /** Since when it is open; null while it is dialed. */
  readonly opened: Msecs | null;
  /** Since when it has its last request. */
  readonly leased: Msecs | null;
  /** Since when it is idle; null when it is not. */
  readonly idle: Msecs | null;
  /** How long it had been idle before its last request; 0 when it was handed over at once. */
  readonly rested: Msecs;
  readonly requests: number;
}

/** The end of a connection: what it was in, with its ages at its end. */
export interface ClosedLine extends Line {
  /** How long ago it ended. */
  readonly ago: Msecs;
  readonly reason: RetireReason;
}

/** A lane that is saturated, and what to change. */
export interface Warning {
  readonly client: string;
  readonly service: string;
  readonly origin: string;
  readonly lane: string;
  readonly words: string;
  readonly advice: string;
}

/** Something that happened to one request. */
export interface Note {
  readonly kind: "failed" | "resent" | "leaked" | "slow";
  /** How long ago. */
  readonly ago: Msecs;
  readonly client: string;
  readonly service: string;
  readonly origin: string;
  readonly lane: string;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly totalMsecs: Msecs;
  /** What it went through, step by step. */
  readonly story: readonly string[];
  /** The error and its causes, outermost first. */
  readonly causes: readonly string[];
}
