/**
 * Requests as they come, in batches: an array for each thing that is known of them, filled again and again, so that a
 * stream of any length takes the same memory and no object is made for a request.
 */
import type { Msecs } from "../core/clock.ts";
import type { Kind } from "./model.ts";

/** Requests of a batch, at most. */
export const batchSize = 1_024;

/** Some requests, in the order of time. */
export class Batch {
  count = 0;
  readonly at = new Float64Array(batchSize);
  readonly services = new Float64Array(batchSize);
  readonly replayable = new Uint8Array(batchSize);
  readonly kinds: Kind[] = [];

  get isFull(): boolean {
    return this.count === batchSize;
  }

  /** Adds a request at `at` that takes the server so long. There must be room. */
  add(at: Msecs, kind: Kind, serviceMsecs: Msecs, isReplayable: boolean): void {
    const index = this.count++;
    this.at[index] = at;
    this.kinds[index] = kind;
    this.services[index] = serviceMsecs;
    this.replayable[index] = isReplayable ? 1 : 0;
  }
}

/** Where requests come from. */
export interface Arrivals {
  /** Fills an empty `batch` with the next requests; what is left empty then says that there are no more. */
  fill(batch: Batch): void | Promise<void>;
}

interface Source {
  readonly from: Arrivals;
  readonly batch: Batch;
  /** The next one of the batch. */
  index: number;
  isOver: boolean;
}

/** Several sources at once, of which each is in order. */
export class MergedArrivals implements Arrivals {
  readonly #sources: readonly Source[];

  constructor(sources: readonly Arrivals[]) {
    this.#sources = sources.map((from) => ({ from, batch: new Batch(), index: 0, isOver: false }));
  }

  fill(batch: Batch): void | Promise<void> {
    while (!batch.isFull) {
      let next: Source | null = null;
      for (const each of this.#sources) {
        if (each.isOver) continue;
        if (each.index === each.batch.count) {
          each.batch.count = each.index = 0;
          const filling = each.from.fill(each.batch);
          if (filling !== undefined) return this.#continue(each, filling, batch);
          each.isOver = each.batch.count === 0;
          if (each.isOver) continue;
        }
        const at = each.batch.at[each.index] as Msecs;
        if (next === null || at < (next.batch.at[next.index] as Msecs)) next = each;
      }
      if (next === null) return;
      const { batch: from } = next;
      const index = next.index++;
      batch.add(
        from.at[index] as Msecs,
        from.kinds[index] as Kind,
        from.services[index] as Msecs,
        from.replayable[index] === 1,
      );
    }
  }

  async #continue(source: Source, filling: Promise<void>, batch: Batch): Promise<void> {
    await filling;
    source.isOver = source.batch.count === 0;
    await this.fill(batch);
  }
}
