/**
 * Writes the pieces of a wire to the socket at its end, at the pace of who reads there.
 * Invariant: everything is written in order; only RST may overtake bytes that nobody takes.
 */
import type { Socket } from "node:net";
import { afterPoll, breakOff } from "./sockets.ts";
import type { Held, Piece, Stage } from "./wire.ts";

/** An RST waits so long for bytes before it that the reader does not take, in ms. */
const resetPatienceMsecs = 100;
/** How often it looks. */
const lookMsecs = 2;

/** The end of a wire. */
export class Outlet implements Stage {
  /** It broke the sink's connection, or is about to. */
  hasReset = false;
  readonly #sink: Socket;
  readonly #held: Held;
  readonly #queue: Piece[] = [];
  /** The sink takes no more, or the piece before needs a turn to itself. */
  #isBlocked = false;
  /** The reader can tell what comes next from what came before. */
  #isApart = true;
  #isStopped = false;
  #wroteAt = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(sink: Socket, held: Held) {
    this.#sink = sink;
    this.#held = held;
    sink.on("drain", this.#unblock);
    sink.on("close", this.#unblock);
  }

  take(piece: Piece): void {
    if (piece.kind === "reset") this.#resetSoon();
    else if (this.#isBlocked) this.#queue.push(piece);
    else this.#write(piece);
  }

  /** Drops what is held, and what comes. */
  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#unblock();
  }

  readonly #unblock = (): void => {
    this.#isBlocked = false;
    while (!this.#isBlocked) {
      const piece = this.#queue.shift();
      if (piece === undefined) return;
      this.#write(piece);
    }
  };

  #write(piece: Piece): void {
    const sink = this.#sink;
    const isClosed = this.#isStopped || sink.destroyed || sink.writableEnded;
    if (piece.kind !== "bytes") {
      if (!isClosed) sink.end();
      return;
    }
    const { bytes, splitBytes } = piece;
    if (isClosed) {
      this.#held.remove(bytes.length, true);
      return;
    }
    if (this.hasReset) this.#wroteAt = performance.now();
    if (splitBytes > 0) {
      if (this.#isApart) this.#writePart(bytes, splitBytes);
      else this.#setApart(piece);
      return;
    }
    this.#isApart = false;
    this.#isBlocked = !sink.write(bytes);
    this.#held.remove(bytes.length, true);
  }

  #setApart(piece: Piece): void {
    this.#isBlocked = true;
    this.#queue.unshift(piece);
    afterPoll(() => {
      this.#isApart = true;
      this.#unblock();
    });
  }

  #writePart(bytes: Buffer, splitBytes: number): void {
    const part = bytes.subarray(0, splitBytes);
    const isWhole = part.length === bytes.length;
    this.#isBlocked = true;
    if (!isWhole) {
      this.#queue.unshift({ kind: "bytes", bytes: bytes.subarray(part.length), splitBytes });
    }
    // Not in order with "drain", which comes for large parts: the callback is always called.
    this.#sink.off("drain", this.#unblock);
    this.#sink.write(part, () => {
      afterPoll(() => {
        this.#sink.on("drain", this.#unblock);
        this.#unblock();
      });
    });
    this.#held.remove(part.length, isWhole);
  }

  #resetSoon(): void {
    if (this.hasReset) return;
    this.hasReset = true;
    this.#wroteAt = performance.now();
    // Some systems throw away what the reader has not read yet when an RST comes.
    afterPoll(this.#lookAtReset);
  }

  readonly #lookAtReset = (): void => {
    if (this.#isStopped || this.#sink.destroyed) return;
    const isFlushed = this.#queue.length === 0 && this.#sink.writableLength === 0;
    const isInVain = performance.now() - this.#wroteAt >= resetPatienceMsecs;
    if (isFlushed || isInVain || this.#sink.connecting) breakOff(this.#sink);
    else this.#timer = setTimeout(this.#lookAtReset, lookMsecs);
  };
}
