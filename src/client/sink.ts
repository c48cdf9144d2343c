/**
 * Where the bytes of a body are written that are only there for a moment.
 * Invariant: a buffer that is being written is not touched until whoever writes it has said that it is done.
 */
import { WriteStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { Socket } from "node:net";
import { finished, Writable } from "node:stream";
import { invalidOption } from "../core/rules.ts";

/** Takes bytes, and ends. */
export interface Sink {
  /** Takes `bytes`, which are there during the call only. False: no more until `onReady`. Throws what writing failed with, also for none. */
  take(bytes: Buffer): boolean;
  /** Resolves when all is written. */
  end(): Promise<void>;
  /** Nothing more comes, for `error`. */
  abort(error: unknown): void;
}

/** A read brings as much at most. */
const mostReadBytes = 65_536;
/** While one buffer is written, the other takes a few reads. */
const bufferBytes = 4 * mostReadBytes;

/**
 * Where to write for `destination`. `onReady`: it can take more, or has failed.
 *
 * @throws InvalidOptionError when it is no file and no stream that can be written.
 */
export function sinkFor(destination: FileHandle | Writable, onReady: () => void): Sink {
  if (destination instanceof Writable) {
    // These have let go of a piece when they say that it is written; others may pass it on.
    const isLast = destination instanceof WriteStream || destination instanceof Socket;
    return isLast
      ? new StagedSink(new StreamWriter(destination), onReady)
      : new CopyingSink(destination, onReady);
  }
  if (typeof destination === "object" && destination !== null && "writev" in destination) {
    return new StagedSink(new FileWriter(destination), onReady);
  }
  const fault = { nature: "TypeError", allowed: "a FileHandle or a Writable" } as const;
  throw invalidOption("destination", destination, fault, "body.pipeTo()");
}

/** Writes one piece after another, each wholly, and keeps none. */
interface Writer {
  /** Calls `done` once. */
  write(bytes: Buffer, done: (error: unknown) => void): void;
  end(): Promise<void>;
  abort(error: unknown): void;
}

/** Collects in one buffer while the other is written. */
class StagedSink implements Sink {
  readonly #writer: Writer;
  readonly #onReady: () => void;
  #buffer: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
  /** The one that is being written, or was. */
  #other: Buffer | null = null;
  #usedBytes = 0;
  #isWriting = false;
  #isWaiting = false;
  #failure: { readonly error: unknown } | null = null;
  #whenWritten: (() => void) | null = null;

  constructor(writer: Writer, onReady: () => void) {
    this.#writer = writer;
    this.#onReady = onReady;
  }

  take(bytes: Buffer): boolean {
    this.#throwFailure();
    if (this.#usedBytes + bytes.length > this.#buffer.length) this.#grow(bytes.length);
    bytes.copy(this.#buffer, this.#usedBytes);
    this.#usedBytes += bytes.length;
    if (!this.#isWriting && this.#usedBytes > 0) this.#write();
    this.#isWaiting = this.#buffer.length - this.#usedBytes < mostReadBytes;
    return !this.#isWaiting;
  }

  async end(): Promise<void> {
    if (this.#isWriting) {
      await new Promise<void>((resolve) => {
        this.#whenWritten = resolve;
      });
    }
    this.#throwFailure();
    await this.#writer.end();
  }

  abort(error: unknown): void {
    this.#failure ??= { error };
    this.#writer.abort(error);
  }

  #write(): void {
    const full = this.#buffer.subarray(0, this.#usedBytes);
    const written = this.#buffer;
    this.#buffer = this.#other ?? Buffer.allocUnsafeSlow(bufferBytes);
    this.#other = written;
    this.#usedBytes = 0;
    this.#isWriting = true;
    this.#writer.write(full, (error) => this.#written(error));
  }

  #written(error: unknown): void {
    this.#isWriting = false;
    if ((error ?? null) !== null) this.#failure ??= { error };
    else if (this.#usedBytes > 0) this.#write();
    if (!this.#isWriting) this.#whenWritten?.();
    if (!this.#isWaiting && this.#failure === null) return;
    this.#isWaiting = false;
    this.#onReady();
  }

  /** For what was held in larger pieces than reads bring. */
  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(this.#usedBytes + bytes + mostReadBytes);
    this.#buffer.copy(larger, 0, 0, this.#usedBytes);
    this.#buffer = larger;
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}

/** Copies each piece for a stream that may keep it. */
class CopyingSink implements Sink {
  readonly #stream: Writable;
  readonly #ended: Promise<void>;
  #failure: { readonly error: unknown } | null = null;

  constructor(stream: Writable, onReady: () => void) {
    this.#stream = stream;
    this.#ended = endOf(stream);
    this.#ended.catch((error: unknown) => {
      this.#failure ??= { error };
      onReady();
    });
    stream.on("drain", onReady);
  }

  take(bytes: Buffer): boolean {
    if (this.#failure !== null) throw this.#failure.error;
    return bytes.length === 0 || this.#stream.write(Buffer.from(bytes));
  }

  end(): Promise<void> {
    this.#stream.end();
    return this.#ended;
  }

  abort(error: unknown): void {
    this.#stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Writes to a stream that lets go of what it has written. */
class StreamWriter implements Writer {
  readonly #stream: Writable;
  readonly #ended: Promise<void>;

  constructor(stream: Writable) {
    this.#stream = stream;
    this.#ended = endOf(stream);
    this.#ended.catch(() => {}); // `write` and `end` tell it
  }

  write(bytes: Buffer, done: (error: unknown) => void): void {
    if (this.#stream.destroyed) this.#ended.catch(done);
    else this.#stream.write(bytes, (error) => done(error));
  }

  end(): Promise<void> {
    this.#stream.end();
    return this.#ended;
  }

  abort(error: unknown): void {
    this.#stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Writes to a file, which the program closes. */
class FileWriter implements Writer {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  write(bytes: Buffer, done: (error: unknown) => void): void {
    this.#file.write(bytes).then(({ bytesWritten }) => {
      if (bytesWritten === bytes.length) done(null);
      else this.write(bytes.subarray(bytesWritten), done);
    }, done);
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  abort(): void {}
}

/** Resolves when `stream` has written everything, and rejects when it fails or is closed before. */
function endOf(stream: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    finished(stream, { readable: false }, (error) => (error ? reject(error) : resolve()));
  });
}
