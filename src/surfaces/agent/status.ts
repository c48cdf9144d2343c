/**
 * What an agent shows of itself: its sockets and requests by name, as Node's agents have them, and counts. All is found
 * when it is looked at: requests pay nothing for it.
 */
import type http from "node:http";
import type { Socket } from "node:net";
import type { HttpPool } from "../../http1/connection-user.ts";
import type { Pooling } from "./pooling.ts";
import { AgentRequest } from "./request.ts";

/** What is counted of an agent. Plain numbers that only grow. */
export interface AgentCounts {
  created: number;
  notCreated: number;
  closed: number;
  failed: number;
  timedOut: number;
  requests: number;
}

/** As `getCurrentStatus` of agentkeepalive. */
export interface AgentStatus {
  /** Sockets that were opened. */
  readonly createSocketCount: number;
  /** Sockets that could not be opened. */
  readonly createSocketErrorCount: number;
  /** Sockets that were closed after they had been open. */
  readonly closeSocketCount: number;
  /** Errors of sockets. */
  readonly errorSocketCount: number;
  /** Timeouts of sockets, as of `socket.setTimeout`. */
  readonly timeoutSocketCount: number;
  /** Requests that were answered. */
  readonly requestCount: number;
  /** How many sockets are free, by name. */
  readonly freeSockets: Readonly<Record<string, number>>;
  /** How many sockets are in use or being connected, by name. */
  readonly sockets: Readonly<Record<string, number>>;
  /** How many requests wait for a socket, by name. */
  readonly requests: Readonly<Record<string, number>>;
}

/** Sockets or requests by the name that Node's agents give them. */
export type ByName<V> = Record<string, V[]>;

/** Counts from which to count on. */
export function zeroCounts(): AgentCounts {
  return { created: 0, notCreated: 0, closed: 0, failed: 0, timedOut: 0, requests: 0 };
}

/** The sockets that are idle, the one that has been so for longest first. */
export function freeSocketsOf(pooling: Pooling): ByName<Socket> {
  return byName(pooling, function* (pool) {
    for (let idle = pool.budget.longestIdle; idle !== null; ) {
      if (idle.transport !== null) yield idle.transport.socket;
      idle = idle.shorter?.connection ?? null;
    }
  });
}

/** The sockets that are busy, and those that are being connected. */
export function busySocketsOf(pooling: Pooling): ByName<Socket> {
  return byName(pooling, function* (pool) {
    for (const { state, transport } of pool.roster.connections) {
      if (state.kind !== "idle" && transport !== null) yield transport.socket;
    }
  });
}

/** The requests that wait, and that no socket is being connected for. */
export function waitingRequestsOf(pooling: Pooling): ByName<http.ClientRequest> {
  return byName(pooling, function* (pool) {
    for (const { queue } of pool.lanes.all) {
      for (let each = queue.head; each !== null; each = each.behind as typeof each) {
        if (each instanceof AgentRequest && !each.covered) yield each.req;
      }
    }
  });
}

/** All sockets that are open or being connected. */
export function socketCountOf(pooling: Pooling): number {
  let count = 0;
  for (const pool of pooling.pools()) count += pool.budget.open;
  return count;
}

/** Counts, and sizes by name. */
export function statusOf(pooling: Pooling): AgentStatus {
  const { counts } = pooling;
  return {
    createSocketCount: counts.created,
    createSocketErrorCount: counts.notCreated,
    closeSocketCount: counts.closed,
    errorSocketCount: counts.failed,
    timeoutSocketCount: counts.timedOut,
    requestCount: counts.requests,
    freeSockets: sizes(freeSocketsOf(pooling)),
    sockets: sizes(busySocketsOf(pooling)),
    requests: sizes(waitingRequestsOf(pooling)),
  };
}

function byName<V>(pooling: Pooling, of: (pool: HttpPool) => Iterable<V>): ByName<V> {
  const all: ByName<V> = Object.create(null);
  for (const pool of pooling.pools()) {
    const found = [...of(pool)];
    if (found.length === 0) continue;
    const name = pooling.nameOf(pool);
    const known = all[name];
    if (known === undefined) all[name] = found;
    else known.push(...found);
  }
  return all;
}

function sizes(lists: ByName<unknown>): Record<string, number> {
  return Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, list.length]));
}
