/**
 * Writes a streamed request body: with its Content-Length, or in chunks (RFC 9112, section 7.1). It takes
 * a piece from its source only when the socket has taken the one before, so little is held in memory.
 * Invariant: exactly as many bytes as Content-Length said are written, or the request fails.
 */
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { InvalidRequestError } from "../core/errors.ts";
import { show } from "../core/rules.ts";
import type { BodySource } from "./exchange.ts";

/** Told how the writing goes on. Nothing is called after `stop`. */
export interface BodyWriterListener {
  bodyFlowing(isFlowing: boolean, bytes: number): void;
  bodyWritten(): void;
  bodyFailed(error: unknown): void;
}

/**
 * Pieces written before the event loop gets its turn. A source that has all of them at hand, and a server
 * that reads as fast, would otherwise let nothing else run: no response, no timeout, no abort.
 */
const piecesPerTurn = 64;

/** A larger piece is written in parts, so that it is seen while it goes out whether the server reads. */
const mostPieceBytes = 65_536;

/** One body on its way. */
export class BodyWriter {
  readonly #socket: Socket;
  readonly #source: BodySource;
  readonly #byteLength: number | null;
  readonly #listener: BodyWriterListener;
  #bytes = 0;
  #isStopped = false;
  #drained: (() => void) | null = null;

  constructor(
    socket: Socket,
    source: BodySource,
    byteLength: number | null,
    listener: BodyWriterListener,
  ) {
    this.#socket = socket;
    this.#source = source;
    this.#byteLength = byteLength;
    this.#listener = listener;
  }

  /** Writes all of it; tells the listener and never rejects. */
  async run(): Promise<void> {
    try {
      for (let count = 0; ; ) {
        const piece = await this.#source.next();
        if (this.#isStopped) return;
        if (piece.done === true) break;
        const bytes = this.#bytesOf(piece.value);
        for (let at = 0; at === 0 || at < bytes.length; at += mostPieceBytes) {
          if (!this.#write(bytes.subarray(at, at + mostPieceBytes))) await this.#drain();
          if (++count % piecesPerTurn === 0) await nextTurn();
          if (this.#isStopped) return;
        }
      }
      this.#end();
      this.#isStopped = true;
      this.#listener.bodyWritten();
    } catch (error) {
      if (this.#isStopped) return;
      this.stop();
      this.#listener.bodyFailed(error);
    }
  }

  /** Writes no more and lets the source go. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#source.cancel();
    this.#drained?.();
  }

  #bytesOf(piece: unknown): Uint8Array {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    if (!(bytes instanceof Uint8Array)) {
      throw new InvalidRequestError(`a body must yield strings or bytes, not ${show(piece)}`);
    }
    if (this.#byteLength !== null && this.#bytes + bytes.length > this.#byteLength) {
      throw this.#wrongLength("more", this.#bytes + bytes.length);
    }
    return bytes;
  }

  /** False when the socket has enough for now. */
  #write(bytes: Uint8Array): boolean {
    // An empty chunk would end the body.
    if (bytes.length === 0) return true;
    this.#bytes += bytes.length;
    if (this.#byteLength !== null) return this.#socket.write(bytes);
    this.#socket.cork();
    this.#socket.write(`${bytes.length.toString(16)}\r\n`, "latin1");
    this.#socket.write(bytes);
    const isFlowing = this.#socket.write("\r\n", "latin1");
    this.#socket.uncork();
    return isFlowing;
  }

  #end(): void {
    if (this.#byteLength === null) this.#socket.write("0\r\n\r\n", "latin1");
    else if (this.#bytes < this.#byteLength) throw this.#wrongLength("fewer", this.#bytes);
  }

  async #drain(): Promise<void> {
    this.#listener.bodyFlowing(false, this.#bytes);
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      this.#socket.once("drain", resolve);
    });
    this.#drained = null;
    if (!this.#isStopped) this.#listener.bodyFlowing(true, this.#bytes);
  }

  #wrongLength(than: "more" | "fewer", bytes: number): InvalidRequestError {
    return new InvalidRequestError(
      `the body has ${than} bytes than its content-length of ${this.#byteLength}: ${bytes} so far`,
      { requestSent: true },
    );
  }
}

/** A source that has all of its bytes already. */
export function sourceOf(bytes: Uint8Array): BodySource {
  const pieces = [bytes].values();
  return { next: async () => pieces.next(), cancel: () => {} };
}
