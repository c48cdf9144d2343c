/**
 * One lane of a service, over all its origins: its options, what it holds of the sockets that the service and the
 * client have together, and its place in the order of the service.
 */
import type { Msecs } from "./clock.ts";
import type { Entrant } from "./fair-order.ts";
import { Heap } from "./heap.ts";
import type { LaneOptions } from "./lane-options.ts";
import type { PendingRequest } from "./pending.ts";
import type { PoolLane } from "./pool-lane.ts";
import type { Service } from "./service.ts";

/** What a lane or service has reached at most since it was made. */
export interface HighWater {
  /** Requests that waited at once. */
  pending: number;
  /** Requests under way at once. */
  busy: number;
  /** The longest wait in ms, of requests that had a connection in the end and of those that had none. */
  waitMsecs: Msecs;
}

/** One lane of a service. */
export class Lane<R extends PendingRequest, T> implements Entrant {
  readonly service: Service<R, T>;
  readonly name: string;
  options: LaneOptions;
  start = 0;
  round = 0;
  sequence = 0;
  /** Requests under way, over all origins. */
  held = 0;
  /** Requests under way, and those that a dial is for. */
  claimed = 0;
  pending = 0;
  readonly highWater: HighWater = { pending: 0, busy: 0, waitMsecs: 0 };
  /** Where its requests wait for a place under the service's `maxTotalSockets`, one entry an origin. */
  readonly waiting = new Heap<PoolLane<R, T>>();
  /** Turns that others had while it was due, because it would have cost a handshake. */
  passedOver = 0;

  constructor(service: Service<R, T>, name: string, options: LaneOptions) {
    this.service = service;
    this.name = name;
    this.options = options;
  }

  get weight(): number {
    return this.options.weight;
  }
}
