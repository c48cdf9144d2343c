/**
 * A load over time: what ended in each of a bounded number of equal slots, and which sockets there were, however long it takes. When
 * there are too many of them, two become one.
 */
import type { Msecs } from "../../core/clock.ts";
import type { SocketCounts } from "./client.ts";
import { Latencies } from "./latencies.ts";
import type { TimelineReport } from "./report.ts";
import type { Ended, Recorder } from "./run.ts";

const firstSlotMsecs = 50;
const mostSlots = 120;

interface Slot {
  answered: number;
  failed: number;
  opened: number;
  sockets: number | null;
  readonly latencies: Latencies;
}

/** Keeps what becomes of requests by the time at which they ended. */
export class Timeline implements Recorder {
  readonly #startedAt: Msecs;
  #slotMsecs = firstSlotMsecs;
  #slots: Slot[] = [];
  #opened = 0;

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

  /** Sockets have been counted. `now`: by `performance.now()`. */
  counted({ opened, open }: SocketCounts, now: Msecs): void {
    const slot = this.#slotAt(Math.max(0, now - this.#startedAt));
    slot.opened += opened - this.#opened;
    slot.sockets = Math.max(slot.sockets ?? 0, open);
    this.#opened = opened;
  }

  /** All of it so far. Slots in which nothing ended are there, too: a stall is a gap. */
  report(): TimelineReport {
    return {
      slotMsecs: this.#slotMsecs,
      slots: this.#slots.map(({ answered, failed, latencies, opened, sockets }) => {
        const { p50Msecs, p99Msecs, maxMsecs } = latencies.summary();
        return { answered, failed, p50Msecs, p99Msecs, maxMsecs, opened, sockets };
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
        into.opened += slot.opened;
        if (slot.sockets !== null) into.sockets = Math.max(into.sockets ?? 0, slot.sockets);
        into.latencies.merge(slot.latencies);
      }
    }
    this.#slots = halved;
  }
}

function emptySlot(): Slot {
  return { answered: 0, failed: 0, opened: 0, sockets: null, latencies: new Latencies() };
}
