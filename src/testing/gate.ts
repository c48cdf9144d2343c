/**
 * Where faults act on one direction of a proxied connection: it counts what passes, stops at marks to the
 * byte, holds, splits, and shuts. Invariant: a mark's callback runs when exactly that many bytes have
 * passed, and before the next one does.
 */
import type { Held, Piece, Stage } from "./wire.ts";

type State =
  | { readonly kind: "open" }
  | { readonly kind: "stalled"; readonly pieces: Piece[] }
  | { readonly kind: "shut" };

const open: State = { kind: "open" };
const shut: State = { kind: "shut" };

/** The place on a wire where faults act. */
export class Gate implements Stage {
  /** Bytes that have passed. */
  passedBytes = 0;
  /** From now on bytes are written in so many at a time; 0 for as they come. */
  splitBytes = 0;
  /** Told of bytes when they come, of which `from` came before; they may be held or dropped then. */
  onCome: ((bytes: Buffer, from: number) => void) | null = null;
  /** Told of bytes that came when the gate was shut. */
  onLate: (() => void) | null = null;
  readonly #next: Stage;
  readonly #held: Held;
  #state: State = open;
  #comeBytes = 0;
  /** By position. */
  #marks: { readonly at: number; readonly run: () => void }[] = [];

  constructor(next: Stage, held: Held) {
    this.#next = next;
    this.#held = held;
  }

  take(piece: Piece): void {
    if (piece.kind === "bytes" && this.#state.kind !== "shut") {
      const from = this.#comeBytes;
      this.#comeBytes += piece.bytes.length;
      this.onCome?.(piece.bytes, from);
    }
    this.#pass(piece);
  }

  /** Calls `run` when `at` bytes have passed: now, if they have. */
  mark(at: number, run: () => void): void {
    if (this.passedBytes >= at) {
      run();
      return;
    }
    const behind = this.#marks.findIndex((mark) => mark.at > at);
    this.#marks.splice(behind === -1 ? this.#marks.length : behind, 0, { at, run });
  }

  stall(): void {
    if (this.#state.kind === "open") this.#state = { kind: "stalled", pieces: [] };
  }

  /** Lets what was held pass. */
  resume(): void {
    if (this.#state.kind !== "stalled") return;
    const { pieces } = this.#state;
    this.#state = open;
    // A mark on the way may stall again: then the rest is held as before.
    for (const piece of pieces) this.#pass(piece);
  }

  /** Nothing passes any more; what is held is dropped. */
  shut(): void {
    const state = this.#state;
    this.#state = shut;
    this.#marks = [];
    if (state.kind === "stalled") for (const piece of state.pieces) this.#drop(piece);
  }

  /** Sends FIN or RST in place of what was held or would have come. */
  end(piece: Piece): void {
    this.shut();
    this.#next.take(piece);
  }

  #pass(piece: Piece): void {
    switch (this.#state.kind) {
      case "open":
        if (piece.kind === "bytes") this.#passBytes(piece.bytes);
        else this.#next.take(piece);
        return;
      case "stalled":
        this.#state.pieces.push(piece);
        return;
      case "shut":
        this.#drop(piece);
        if (piece.kind === "bytes") this.onLate?.();
    }
  }

  #passBytes(bytes: Buffer): void {
    const mark = this.#marks[0];
    const room = mark === undefined ? bytes.length : mark.at - this.passedBytes;
    const isWhole = bytes.length <= room;
    const part = isWhole ? bytes : bytes.subarray(0, room);
    this.passedBytes += part.length;
    // The rest is a piece of its own from here on, of which it is known that it came.
    if (!isWhole) this.#held.add(0);
    this.#next.take({ kind: "bytes", bytes: part, splitBytes: this.splitBytes });
    while (this.#marks.length > 0 && (this.#marks[0]?.at ?? 0) <= this.passedBytes) {
      this.#marks.shift()?.run();
    }
    if (!isWhole) {
      this.#pass({ kind: "bytes", bytes: bytes.subarray(part.length), splitBytes: 0 });
    }
  }

  #drop(piece: Piece): void {
    if (piece.kind === "bytes") this.#held.remove(piece.bytes.length, true);
  }
}
