/**
 * The requests of a trace as a simulation takes them: at its instants, of its kinds, with the server's time.
 */
import type { Msecs, Random } from "../../core/clock.ts";
import { InvalidOptionError } from "../../core/errors.ts";
import type { Arrivals, Batch } from "../arrivals.ts";
import type { Kind } from "../model.ts";
import type { TraceWorkload } from "../workload.ts";
import { TraceError } from "./error.ts";
import type { TraceHead } from "./format.ts";
import { TraceReader } from "./reader.ts";
import { isReplayable, type RequestKind, type Took, TraceRequests, tookOf } from "./requests.ts";

/** Where requests find what they are a kind of. */
export interface KindFinder {
  /** True when the path of a request may decide its lane. */
  readonly hasLaneChoice: boolean;
  /** @throws InvalidOptionError, InvalidRequestError */
  kindOf(origin: string, lane: string | null, method?: string, path?: string): Kind;
}

/** A trace of which is known what it is. */
export interface OpenTrace {
  /** What it says of itself; null when it says nothing. */
  readonly head: TraceHead | null;
  readonly skippedLines: number;
  /** Its requests, from `beginAt` on. */
  arrivals(finder: KindFinder, beginAt: Msecs): Arrivals;
  /** No more is read: what the source has open it may close. */
  close(): Promise<void>;
}

/**
 * Begins to read a trace, as far as it takes to know what it is; a recording is read wholly.
 *
 * @throws InvalidOptionError, TraceError, by rejection.
 */
export async function openTrace(
  workload: TraceWorkload,
  random: Random,
  path: string,
  where: string,
): Promise<OpenTrace> {
  const { source } = workload;
  if (source instanceof TraceRequests) return new KeptTrace(source, null, random);
  const reader = new TraceReader(workload, random, path, where);
  try {
    await reader.begin();
    if (reader.head?.isRecording !== true) return new RunningTrace(reader, random);
    return new KeptTrace(await keep(reader), reader.head, random, reader.draws);
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** The first `most` requests of what `reader` has. */
export async function keep(
  reader: TraceReader,
  most = Number.POSITIVE_INFINITY,
): Promise<TraceRequests> {
  const requests = new TraceRequests();
  while (requests.count < most && (reader.canTake || (await reader.isReady()))) {
    requests.add(reader.take());
  }
  requests.draws = reader.draws;
  requests.skippedLines = reader.skippedLines;
  return requests;
}

/** One that is read as it is needed. */
class RunningTrace implements OpenTrace {
  readonly #reader: TraceReader;
  readonly #random: Random;

  constructor(reader: TraceReader, random: Random) {
    this.#reader = reader;
    this.#random = random;
  }

  get head(): TraceHead | null {
    return this.#reader.head;
  }

  get skippedLines(): number {
    return this.#reader.skippedLines;
  }

  arrivals(finder: KindFinder, beginAt: Msecs): Arrivals {
    const reader = this.#reader;
    const random = this.#random;
    const kinds = new Map<string, Kind>();
    let firstAt = Number.NaN;
    return {
      async fill(batch: Batch): Promise<void> {
        if (!(await reader.isReady())) return;
        while (!batch.isFull && reader.canTake) {
          const request = reader.take();
          const { at, origin, lane } = request;
          if (Number.isNaN(firstAt)) firstAt = at;
          const isChosen = lane === undefined && finder.hasLaneChoice;
          const key = `${origin} ${lane ?? ""}`;
          const known = isChosen ? undefined : kinds.get(key);
          const kind = known ?? kindOf(finder, request);
          if (known === undefined && !isChosen) kinds.set(key, kind);
          const service = serviceOf(kind, tookOf(request), random);
          batch.add(beginAt + (at - firstAt), kind, service, isReplayable(request));
        }
      },
    };
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }
}

/** One that was read. */
class KeptTrace implements OpenTrace {
  readonly head: TraceHead | null;
  readonly #requests: TraceRequests;
  readonly #random: Random;

  /** @param drawn Numbers of `random` that were drawn to read it: of those that it took, this many are gone. */
  constructor(requests: TraceRequests, head: TraceHead | null, random: Random, drawn = 0) {
    this.#requests = requests;
    this.head = head;
    this.#random = random;
    for (let left = requests.draws - drawn; left > 0; left--) random();
  }

  get skippedLines(): number {
    return this.#requests.skippedLines;
  }

  arrivals(finder: KindFinder, beginAt: Msecs): Arrivals {
    const requests = this.#requests;
    const random = this.#random;
    const kinds: Kind[] = [];
    let next = 0;
    return {
      fill(batch: Batch): void {
        for (; !batch.isFull && next < requests.count; next++) {
          const index = requests.kindIndex(next);
          const kind = kinds[index] ?? kindOf(finder, requests.kinds[index] as RequestKind);
          kinds[index] = kind;
          const at = beginAt + (requests.at(next) - requests.at(0));
          const service = serviceOf(kind, requests.took(next), random);
          batch.add(at, kind, service, requests.isReplayable(next));
        }
      },
    };
  }

  async close(): Promise<void> {}
}

/** @throws TraceError for a lane that there is not. */
function kindOf(finder: KindFinder, { origin, lane, method, path, line }: RequestKind): Kind {
  try {
    return finder.kindOf(origin, lane ?? null, method, path);
  } catch (error) {
    if (!(error instanceof InvalidOptionError) || lane === undefined) throw error;
    throw new TraceError(line, `has a lane that settings do not have: ${error.message}`, error);
  }
}

function serviceOf({ model }: Kind, { msecs, isHeld, isOpen }: Took, random: Random): Msecs {
  if (Number.isNaN(msecs)) return model.around.service(random);
  const service = isHeld ? Math.max(msecs - 2 * model.around.wayMsecs, 0) : msecs;
  return isOpen ? Math.max(service, model.around.service(random)) : service;
}
