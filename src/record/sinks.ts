/**
 * Where a recording is written to: a file or a stream.
 * Invariant: whoever asked is told once, that it is written or why it is not.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { finished, type Writable } from "node:stream";
import type { RecordingEnd } from "../simulate/traces/format.ts";
import type { Sink } from "./capture.ts";

/** Told what became of it. */
export interface Settle {
  ended(ended: RecordingEnd): void;
  failed(error: unknown): void;
}

/**
 * A file. It is written to synchronously, some 64 KiB or a fifth of a second at a time, so that all of it is there when a
 * process exits.
 */
export class FileSink implements Sink {
  readonly #settle: Settle;
  /** Null when it is closed. */
  #file: number | null;

  /** @throws the error of Node.js when it cannot be opened. */
  constructor(path: string | URL, settle: Settle) {
    this.#file = openSync(path, "w", 0o600);
    this.#settle = settle;
  }

  write(text: string): boolean {
    if (this.#file === null) return false;
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
      return true;
    } catch (error) {
      this.#close();
      this.#settle.failed(error);
      return false;
    }
  }

  end(ended: RecordingEnd): void {
    if (this.#file === null) return;
    this.#close();
    this.#settle.ended(ended);
  }

  #close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}

/** A stream that holds more than this takes no more, until it has written some of it. */
const mostBufferedBytes = 4 << 20;

/** A stream. */
export class StreamSink implements Sink {
  readonly #stream: Writable;
  #ended: RecordingEnd | null = null;

  constructor(stream: Writable, settle: Settle) {
    this.#stream = stream;
    finished(stream, { readable: false }, (error) => {
      if (this.#ended !== null && (error === null || error === undefined))
        settle.ended(this.#ended);
      else settle.failed(error ?? new Error("the stream has ended before the recording"));
    });
  }

  write(text: string): boolean {
    const stream = this.#stream;
    if (stream.writableEnded || stream.destroyed || stream.writableLength > mostBufferedBytes) {
      return false;
    }
    stream.write(text);
    return true;
  }

  end(ended: RecordingEnd): void {
    this.#ended = ended;
    if (!this.#stream.destroyed) this.#stream.end();
  }
}
