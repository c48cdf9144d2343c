/**
 * Servers for tests on real sockets, on a free port of 127.0.0.1 and gone with the test. A raw server
 * follows a script on each connection and so can say, split, leave out or break off whatever a test
 * needs, where an HTTP server would be polite.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import {
  type AddressInfo,
  createServer,
  type ListenOptions,
  type Server,
  type Socket,
} from "node:net";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

/** What a connection does, from its first byte on. It ends quietly when the client goes away. */
export type Script = (connection: RawConnection) => Promise<void> | void;

/** A request as it arrived. */
export interface RawRequest {
  /** The request line, without its CRLF. */
  readonly line: string;
  readonly method: string;
  readonly path: string;
  /** Names in lower case, in order of arrival. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The value of the one field of that name; undefined when there is none. */
  field(name: string): string | undefined;
  readonly body: Buffer;
  /** Sizes of the chunks of a chunked body, without the last, empty one. */
  readonly chunkSizes: readonly number[];
}

/** Where to listen in place of a free port. */
export type Place = Pick<ListenOptions, "port" | "path" | "host">;

/** The client went away while a script waited for it. */
class ClientGone extends Error {}

/** One connection to a raw server. */
export class RawConnection {
  /** From 0, in order of arrival. */
  readonly index: number;
  readonly socket: Socket;
  /** Bytes that have arrived, read by the script or not. */
  arrivedBytes = 0;
  /** The client sent FIN. */
  hasEnded = false;
  #pieces: Buffer[] = [];
  #waiters: (() => void)[] = [];

  constructor(socket: Socket, index: number) {
    this.socket = socket;
    this.index = index;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (piece: Buffer) => {
      this.arrivedBytes += piece.length;
      this.#pieces.push(piece);
      this.#wake();
    });
    socket.on("end", () => {
      this.hasEnded = true;
      this.#wake();
    });
    socket.on("close", () => this.#wake());
  }

  /** What has arrived and was not read. */
  get unread(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] ?? Buffer.alloc(0);
  }

  /** The connection is over for the client: it sent FIN or RST. */
  get isGone(): boolean {
    return this.hasEnded || this.socket.destroyed;
  }

  /** Waits for `condition`, which is looked at whenever something arrives or ends. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.isGone) throw new ClientGone();
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Waits until the client has closed the connection. */
  async gone(): Promise<void> {
    while (!this.isGone) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Reads up to and including `mark`. */
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
  async head(): Promise<RawRequest> {
    return readHead(await this.through("\r\n\r\n"), Buffer.alloc(0), []);
  }

  /** Reads a whole request. */
  async request(): Promise<RawRequest> {
    const text = await this.through("\r\n\r\n");
    const head = readHead(text, Buffer.alloc(0), []);
    if (head.field("transfer-encoding") !== undefined) {
      assert.equal(head.field("transfer-encoding"), "chunked");
      const chunks: Buffer[] = [];
      for (;;) {
        const size = Number.parseInt(await this.through("\r\n"), 16);
        const data = await this.bytes(size);
        assert.equal(await this.through("\r\n"), "\r\n");
        if (size === 0) break;
        chunks.push(data);
      }
      const sizes = chunks.map((chunk) => chunk.length);
      return readHead(text, Buffer.concat(chunks), sizes);
    }
    return readHead(text, await this.bytes(Number(head.field("content-length") ?? 0)), []);
  }

  /** Sends `data`, text as Latin-1. Resolves when the kernel has taken it. */
  async send(data: string | Uint8Array): Promise<void> {
    if (this.socket.destroyed) throw new ClientGone();
    await new Promise<void>((resolve, reject) => {
      const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
      this.socket.write(bytes, (error) => (error ? reject(new ClientGone()) : resolve()));
    });
  }

  /** Sends `data` in pieces of `size` bytes, with time between them for the client to read each. */
  async drip(data: string | Uint8Array, size = 1): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    for (let at = 0; at < bytes.length; at += size) {
      await this.send(bytes.subarray(at, at + size));
      // The first turn may end without a poll in between.
      await turn();
      await turn();
    }
  }

  /** Sends FIN. */
  end(): void {
    this.socket.end();
  }

  /** Sends RST, unless the connection is being closed anyway. */
  reset(): void {
    // Node 20 spins for ever when a socket that is shutting down is reset.
    if (this.socket.writableEnded) this.socket.destroy();
    else this.socket.resetAndDestroy();
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

/** A server under test control. */
export interface TestServer {
  /** `http://127.0.0.1:port`. */
  readonly origin: string;
  readonly port: number;
  /** Connections that were ever made. */
  readonly connectionCount: number;
  /** Connections that are open now. */
  readonly openCount: number;
  /** Stops listening and closes what is open. */
  stop(): Promise<void>;
}

/** A raw server. */
export interface RawServer extends TestServer {
  /** All connections in order of arrival. */
  readonly connections: readonly RawConnection[];
  /** Waits for the connection with `index`. */
  connection(index: number): Promise<RawConnection>;
}

/** Starts a server whose connections follow `script`. The test fails when a script does. */
export async function rawServer(
  t: TestContext,
  script: Script,
  place: Place = {},
): Promise<RawServer> {
  const connections: RawConnection[] = [];
  const failures: unknown[] = [];
  let arrived: (() => void)[] = [];
  const server = createServer((socket) => {
    const connection = new RawConnection(socket, connections.length);
    connections.push(connection);
    for (const wake of arrived.splice(0)) wake();
    arrived = [];
    const run = async (): Promise<void> => script(connection);
    run().catch((error: unknown) => {
      if (error instanceof ClientGone) return;
      failures.push(error);
      socket.destroy();
    });
  });
  const base = await listen(t, server, place);
  t.after(() => assert.deepEqual(failures, [], "a server's script failed"));
  return {
    ...base,
    get connectionCount() {
      return connections.length;
    },
    get openCount() {
      return base.sockets.size;
    },
    connections,
    async connection(index) {
      while (connections.length <= index) {
        await new Promise<void>((resolve) => arrived.push(resolve));
      }
      return connections[index] as RawConnection;
    },
  };
}

/** Starts one of Node's own HTTP servers, for what needs no trick. */
export async function httpServer(t: TestContext, listener: RequestListener): Promise<TestServer> {
  const server = createHttpServer({ keepAliveTimeout: 60_000 }, listener);
  const base = await listen(t, server, {});
  let connectionCount = 0;
  server.on("connection", () => connectionCount++);
  return {
    ...base,
    get connectionCount() {
      return connectionCount;
    },
    get openCount() {
      return base.sockets.size;
    },
  };
}

/** A script that answers every request of a connection with `response`. */
export function answering(response: string | Uint8Array): Script {
  return async (connection) => {
    for (;;) {
      await connection.request();
      await connection.send(response);
    }
  };
}

/** The text of a response with a Content-Length. */
export function ok(body = "", ...fields: readonly string[]): string {
  const lines = [`content-length: ${Buffer.byteLength(body, "latin1")}`, ...fields];
  return `HTTP/1.1 200 OK\r\n${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** A port of 127.0.0.1 on which nobody listens, for as long as nobody else happens to take it. */
export async function deadPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function listen(t: TestContext, server: Server, place: Place) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(place.path === undefined ? { port: 0, host: "127.0.0.1", ...place } : place);
  await once(server, "listening");
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  t.after(stop);
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { origin: `http://127.0.0.1:${port}`, port, sockets, stop };
}

function readHead(text: string, body: Buffer, chunkSizes: readonly number[]): RawRequest {
  const [line = "", ...rest] = text.slice(0, -4).split("\r\n");
  const [method = "", path = ""] = line.split(" ");
  const fields = rest.map((each): readonly [string, string] => {
    const colon = each.indexOf(":");
    return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()];
  });
  const field = (name: string): string | undefined => {
    const values = fields.filter(([known]) => known === name);
    assert.ok(values.length < 2, `${name} came ${values.length} times`);
    return values[0]?.[1];
  };
  return { line, method, path, fields, field, body, chunkSizes };
}
