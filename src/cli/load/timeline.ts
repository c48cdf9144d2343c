/**
 * A load over time: what ended in each of a bounded number of equal slots, however long it takes. When there
 * are too many of them, two become one.
 */
import type { Msecs } from "../../core/clock.ts";
import { Latencies } from "./latencies.ts";
import type { TimelineReport } from "./report.ts";
import type { Ended, Recorder } from "./run.ts";

const firstSlotMsecs = 50;
const mostSlots = 120;

interface Slot {
  answered: number;
  failed: number;
  readonly latencies: Latencies;
}

/** Keeps what becomes of requests by the time at which they ended. */
export class Timeline implements Recorder {
  readonly #startedAt: Msecs;
  #slotMsecs = firstSlotMsecs;
  #slots: Slot[] = [];

  /** `startedAt`: by `performance.now()`. */
  constructor(startedAt: Msecs) {
    this.#startedAt = startedAt;
  }

  ended({ intendedAt, endedAt, outcome }: Ended): void {
    const slot = this.#slotAt(Math.max(0, endedAt - this.#startedAt));
    if (outcome instanceof Error) {
      slot.failed++;
      return;
    }
    slot.answered++;
    slot.latencies.record(endedAt - intendedAt);
  }

  /** All of it so far. Slots in which nothing ended are there, too: a stall is a gap. */
  report(): TimelineReport {
    return {
      slotMsecs: this.#slotMsecs,
      slots: this.#slots.map(({ answered, failed, latencies }) => {
        const { p50Msecs, p99Msecs, maxMsecs } = latencies.summary();
        return { answered, failed, p50Msecs, p99Msecs, maxMsecs };
      }),
    };
  }

  #slotAt(msecs: Msecs): Slot {
    while (msecs >= this.#slotMsecs * mostSlots) this.#halve();
    const index = Math.floor(msecs / this.#slotMsecs);
    while (this.#slots.length <= index) this.#slots.push(emptySlot());
    return this.#slots[index] as Slot;
  }

  #halve(): void {
    this.#slotMsecs *= 2;
    const halved: Slot[] = [];
    for (const [index, slot] of this.#slots.entries()) {
      if (index % 2 === 0) halved.push(slot);
      else {
        const into = halved.at(-1) as Slot;
        into.answered += slot.answered;
        into.failed += slot.failed;
        into.latencies.merge(slot.latencies);
      }
    }
    this.#slots = halved;
  }
}

function emptySlot(): Slot {
  return { answered: 0, failed: 0, latencies: new Latencies() };
}
