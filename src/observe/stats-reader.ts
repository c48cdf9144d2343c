/**
 * Stats for one of several who read them, each with the least and the most since it last read itself.
 */
import type { Clock, Msecs } from "../core/clock.ts";
import type { LaneHighs, MarkedCounts } from "../core/marks.ts";
import type { PendingRequest } from "../core/pending.ts";
import type { Pools } from "../core/pools.ts";
import { type ClientStats, snapshot } from "./stats.ts";

/** What `reader.read()` returns: `client.stats()`, and marks. Plain JSON. */
export interface MarkedStats extends ClientStats {
  /** How long ago the reader last read, or was made. */
  readonly sinceMsecs: Msecs;
  /** The least and the most of sockets and of waiting requests since then. */
  readonly marks: {
    readonly client: MarkedCounts;
    readonly services: readonly ServiceMarks[];
    /** In the order of `origins`. */
    readonly origins: readonly OriginMarks[];
  };
}

/** The marks of one service. */
export interface ServiceMarks extends MarkedCounts {
  readonly service: string;
  /** The most requests under way, and the most that waited, by lane. */
  readonly lanes: Readonly<Record<string, LaneHighs>>;
}

/** The marks of one origin; from its beginning where it is newer than the last reading. */
export interface OriginMarks extends MarkedCounts {
  readonly origin: string;
  readonly service: string;
}

/** One reader of the stats of a client. While there is one, each request costs the client some ten nanoseconds for it. */
export interface StatsReader {
  /** The stats now, with the marks since this reader last read. They begin anew with it, and those of other readers go on. */
  read(): MarkedStats;
  /** No further marks are kept for it. To read after that begins anew. */
  close(): void;
}

/** A reader that begins now. */
export function readerOf<R extends PendingRequest, T>(
  pools: Pools<R, T>,
  clock: Clock,
): StatsReader {
  const reader = {};
  let readAt = clock();
  pools.beginMarks(reader);
  return {
    read: () => {
      const marking = pools.marking ?? pools.beginMarks(reader);
      const now = clock();
      const sinceMsecs = now - readAt;
      readAt = now;
      const marks = {
        client: marking.ofBudget(pools.budget, reader),
        services: [...pools.services].map(({ name, budget, lanes }) => ({
          service: name,
          ...marking.ofBudget(budget, reader),
          lanes: Object.fromEntries(
            [...lanes.values()].map((lane) => [lane.name, marking.ofLane(lane, reader)]),
          ),
        })),
        origins: [...pools.all].map(({ origin, service, budget }) => ({
          origin,
          service: service.name,
          ...marking.ofBudget(budget, reader),
        })),
      };
      return { ...snapshot(pools, Date.now()), sinceMsecs, marks };
    },
    close: () => pools.endMarks(reader),
  };
}
