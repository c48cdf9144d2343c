/**
 * One lane of a service, over all its origins: its options, what it holds of the sockets that the service and the
 * client have together, and where it waits for more.
 */
import type { Msecs } from "./clock.ts";
import { Heap } from "./heap.ts";
import type { LaneOptions } from "./lane-options.ts";
import type { LaneMarks } from "./marks.ts";
import type { PendingRequest } from "./pending.ts";
import type { PoolLane } from "./pool-lane.ts";
import type { Service } from "./service.ts";
import { LaneTally } from "./tally.ts";

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
export class Lane<R extends PendingRequest, T> {
  readonly service: Service<R, T>;
  readonly name: string;
  options: LaneOptions;
  /** Requests under way, over all origins. */
  held = 0;
  /** Requests under way, and those that a dial is for. */
  claimed = 0;
  pending = 0;
  /** When one of its requests last had a connection. */
  servedAt: Msecs = Number.NEGATIVE_INFINITY;
  readonly highWater: HighWater = { pending: 0, busy: 0, waitMsecs: 0 };
  /** For those who read marks; null while nobody does. */
  marks: LaneMarks | null = null;
  /** What was counted of it in pools that are gone. */
  readonly past = new LaneTally();
  /** Where its requests wait for a place under the service's `maxTotalSockets`, one entry an origin. */
  readonly waiting = new Heap<PoolLane<R, T>>();

  constructor(service: Service<R, T>, name: string, options: LaneOptions) {
    this.service = service;
    this.name = name;
    this.options = options;
  }

  /** What it would have with one socket more, by its weight: who has least is next. */
  get load(): number {
    return (this.claimed + 1) / this.options.weight;
  }
}
