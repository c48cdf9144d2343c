/**
 * Response heads that were read lately, found by their bytes. Most servers answer alike until the second of their `Date` is
 * over, and to see that a head is the one of before takes less than to read it again.
 * Invariant: what is found is what reading these bytes would give. Where heads differ each time, next to nothing is done.
 */
import type { ResponseHead } from "./head.ts";

/** A head, and how many bytes it has. Valid until something else is read. */
export interface RecentHead {
  readonly head: ResponseHead;
  readonly headBytes: number;
}

/** Reads are told apart by the remainder of their size: answers to the same request mostly come in reads of the same one. */
const placeCount = 64;
/** No longer ones are kept. */
const mostHeadBytes = 2_048;
/** After so many in a row that were others … */
const mostMisses = 4;
/** … so many reads are let pass before the next is looked at; after that, one miss is enough. */
const pauseReads = 128;

const noBytes: Buffer = Buffer.alloc(0);

/** What was read last of the sizes that belong here. */
class Place implements RecentHead {
  head: ResponseHead;
  headBytes = 0;
  /** The last read was not let pass. */
  takes = true;
  #bytes = noBytes;
  #readBytes = 0;
  #misses = 0;
  /** Reads still to be let pass. */
  #pauseReads = 0;

  constructor(head: ResponseHead) {
    this.head = head;
  }

  /** Whether `buffer` from `start` to `end` begins with the head that is here. */
  holds(buffer: Buffer, start: number, end: number): boolean {
    this.takes = this.#pauseReads === 0;
    if (!this.takes) {
      this.#pauseReads--;
      return false;
    }
    if (
      this.#readBytes === end - start &&
      buffer.compare(this.#bytes, 0, this.headBytes, start, start + this.headBytes) === 0
    ) {
      this.#misses = 0;
      return true;
    }
    if (++this.#misses >= mostMisses) this.#pauseReads = pauseReads;
    return false;
  }

  /** Takes the head of a read that this does not hold. */
  put(head: ResponseHead, bytes: Buffer, readBytes: number): void {
    this.head = head;
    this.headBytes = bytes.length;
    this.#bytes = bytes;
    this.#readBytes = readBytes;
  }
}

const places = new Array<Place | null>(placeCount).fill(null);

/** The head with which `buffer` begins at `start`, if it was read lately; `end` is that of the read. */
export function recentHead(buffer: Buffer, start: number, end: number): RecentHead | null {
  const place = places[(end - start) % placeCount] as Place | null;
  return place?.holds(buffer, start, end) === true ? place : null;
}

/** Keeps `head`, which `recentHead` did not find and was read from `start` to `headEnd`, for when it comes again: others are given it then, too. */
export function keepHead(
  head: ResponseHead,
  buffer: Buffer,
  start: number,
  headEnd: number,
  end: number,
): void {
  if (headEnd - start > mostHeadBytes) return;
  const at = (end - start) % placeCount;
  const place = places[at] ?? new Place(head);
  if (!place.takes) return;
  places[at] = place;
  // Of its own: it must not keep a larger one alive.
  const bytes = Buffer.allocUnsafeSlow(headEnd - start);
  buffer.copy(bytes, 0, start, headEnd);
  place.put(head, bytes, end - start);
}
