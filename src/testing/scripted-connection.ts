/**
 * One connection to a `ScriptedOrigin`, as its script uses it: read what the client sent, send any bytes,
 * break off. What arrives is held until the script reads it.
 */
import type { Socket } from "node:net";
import { afterPoll, breakOff } from "./sockets.ts";

/** A request as it arrived. */
export interface ScriptedRequest {
  /** The request line, without its CRLF. */
  readonly line: string;
  readonly method: string;
  readonly path: string;
  /** Names in lower case, in order of arrival. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The value of the one field of that name; undefined when there is none. Throws when there are several. */
  field(name: string): string | undefined;
  readonly body: Buffer;
  /** Sizes of the chunks of a chunked body, without the last, empty one. */
  readonly chunkSizes: readonly number[];
}

/** The client went away while a script waited for it: that ends the script, and is no failure. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";

  constructor() {
    super("the client has closed the connection");
  }
}

/** One connection to a `ScriptedOrigin`. What waits for the client ends the script when it goes away. */
export class ScriptedConnection {
  /** From 0, in order of arrival. */
  readonly index: number;
  /** The socket below, whose `data` and `end` are taken already. */
  readonly socket: Socket;
  #arrivedBytes = 0;
  #hasEnded = false;
  #pieces: Buffer[] = [];
  #waiters: (() => void)[] = [];

  /** A `ScriptedOrigin` makes it. */
  constructor(socket: Socket, index: number) {
    this.socket = socket;
    this.index = index;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (piece: Buffer) => {
      this.#arrivedBytes += piece.length;
      this.#pieces.push(piece);
      this.#wake();
    });
    socket.on("end", () => {
      this.#hasEnded = true;
      this.#wake();
    });
    socket.on("close", () => this.#wake());
  }

  /** Bytes that have arrived, read by the script or not. */
  get arrivedBytes(): number {
    return this.#arrivedBytes;
  }

  /** What has arrived and was not read. */
  get unread(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] ?? Buffer.alloc(0);
  }

  /** The client sent FIN. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The connection is over for the client: it sent FIN or RST. */
  get isGone(): boolean {
    return this.#hasEnded || this.socket.destroyed;
  }

  /** Waits for `condition`, which is looked at whenever something arrives or ends. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.isGone) throw new ClientGone();
      await this.#change();
    }
  }

  /** Waits until the client has closed the connection. */
  async gone(): Promise<void> {
    while (!this.isGone) await this.#change();
  }

  /** Reads up to and including `mark`, as Latin-1. */
  async through(mark: string): Promise<string> {
    let end = -1;
    await this.until(() => {
      end = this.unread.indexOf(mark, 0, "latin1");
      return end !== -1;
    });
    return this.#take(end + mark.length).toString("latin1");
  }

  /** Reads exactly `count` bytes. */
  async bytes(count: number): Promise<Buffer> {
    if (count === 0) return Buffer.alloc(0);
    await this.until(() => this.#pieces.length > 0 && this.unread.length >= count);
    return this.#take(count);
  }

  /** Reads a request head, and nothing of the body. */
  async head(): Promise<ScriptedRequest> {
    return readHead(await this.through("\r\n\r\n"), Buffer.alloc(0), []);
  }

  /** Reads a whole request. Rejects when its framing is not what HTTP/1.1 allows. */
  async request(): Promise<ScriptedRequest> {
    const text = await this.through("\r\n\r\n");
    const head = readHead(text, Buffer.alloc(0), []);
    const coding = head.field("transfer-encoding");
    if (coding === undefined) {
      const length = head.field("content-length") ?? "0";
      if (!/^\d+$/.test(length)) throw new Error(`content-length is ${JSON.stringify(length)}`);
      return readHead(text, await this.bytes(Number(length)), []);
    }
    if (coding !== "chunked") throw new Error(`transfer-encoding is ${JSON.stringify(coding)}`);
    const chunks = await this.#chunks();
    const sizes = chunks.map((chunk) => chunk.length);
    return readHead(text, Buffer.concat(chunks), sizes);
  }

  /** Sends `data`, text as Latin-1, all at once. Resolves when the kernel has taken it. */
  async send(data: string | Uint8Array): Promise<void> {
    if (this.socket.destroyed) throw new ClientGone();
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytesOf(data), (error) => (error ? reject(new ClientGone()) : resolve()));
    });
  }

  /** Sends `data` in pieces of `size` bytes, with time between them for the client to read each. */
  async drip(data: string | Uint8Array, size = 1): Promise<void> {
    const bytes = bytesOf(data);
    for (let at = 0; at < bytes.length; at += size) {
      await this.send(bytes.subarray(at, at + size));
      await new Promise<void>((resolve) => afterPoll(resolve));
    }
  }

  /** Sends FIN. */
  end(): void {
    this.socket.end();
  }

  /** Sends RST, unless the connection is being closed anyway. */
  reset(): void {
    breakOff(this.socket);
  }

  async #chunks(): Promise<Buffer[]> {
    const chunks: Buffer[] = [];
    for (;;) {
      const line = await this.through("\r\n");
      if (!/^[\da-f]+\r\n$/i.test(line)) throw new Error(`chunk size is ${JSON.stringify(line)}`);
      const chunk = await this.bytes(Number.parseInt(line, 16));
      const end = await this.through("\r\n");
      if (end !== "\r\n") throw new Error(`${JSON.stringify(end)} follows a chunk`);
      if (chunk.length === 0) return chunks;
      chunks.push(chunk);
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #take(count: number): Buffer {
    const all = this.unread;
    this.#pieces = count === all.length ? [] : [all.subarray(count)];
    return all.subarray(0, count);
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? Buffer.from(data, "latin1") : data;
}

function readHead(text: string, body: Buffer, chunkSizes: readonly number[]): ScriptedRequest {
  const [line = "", ...rest] = text.slice(0, -4).split("\r\n");
  const [method = "", path = ""] = line.split(" ");
  const fields = rest.map((each): readonly [string, string] => {
    const colon = each.indexOf(":");
    return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()];
  });
  const field = (name: string): string | undefined => {
    const values = fields.filter(([known]) => known === name);
    if (values.length > 1) throw new Error(`${name} came ${values.length} times`);
    return values[0]?.[1];
  };
  return { line, method, path, fields, field, body, chunkSizes };
}
