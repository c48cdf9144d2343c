/**
 * Writes a streamed request body: with its Content-Length, or in chunks (RFC 9112, section 7.1). It takes
 * a piece from its source only when the socket has taken the one before, so little is held in memory.
 * Invariant: exactly as many bytes as Content-Length said are written, or the request fails.
 */
import type { Socket } from "node:net";
import { InvalidRequestError } from "../core/errors.ts";
import { show } from "../core/rules.ts";
import type { BodySource } from "./exchange.ts";

/** Told how the writing goes on. Nothing is called after `stop`. */
export interface BodyWriterListener {
  bodyFlowing(isFlowing: boolean, bytes: number): void;
  bodyWritten(): void;
  bodyFailed(error: unknown): void;
}

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
      for (;;) {
        const piece = await this.#source.next();
        if (this.#isStopped) return;
        if (piece.done === true) break;
        if (!this.#write(piece.value)) await this.#drain();
        if (this.#isStopped) return;
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

  /** False when the socket has enough for now. */
  #write(piece: unknown): boolean {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    if (!(bytes instanceof Uint8Array)) {
      throw new InvalidRequestError(`a body must yield strings or bytes, not ${show(piece)}`);
    }
    // An empty chunk would end the body.
    if (bytes.length === 0) return true;
    this.#bytes += bytes.length;
    if (this.#byteLength !== null) {
      if (this.#bytes > this.#byteLength) throw this.#wrongLength("more");
      return this.#socket.write(bytes);
    }
    this.#socket.cork();
    this.#socket.write(`${bytes.length.toString(16)}\r\n`, "latin1");
    this.#socket.write(bytes);
    const isFlowing = this.#socket.write("\r\n", "latin1");
    this.#socket.uncork();
    return isFlowing;
  }

  #end(): void {
    if (this.#byteLength === null) this.#socket.write("0\r\n\r\n", "latin1");
    else if (this.#bytes < this.#byteLength) throw this.#wrongLength("fewer");
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

  #wrongLength(than: "more" | "fewer"): InvalidRequestError {
    return new InvalidRequestError(
      `the body has ${than} bytes than its content-length of ${this.#byteLength}: ${this.#bytes} so far`,
      { requestSent: true },
    );
  }
}
