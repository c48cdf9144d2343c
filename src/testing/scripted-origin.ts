/**
 * A server whose every connection follows a script, and so can say, split, leave out or break off what an
 * HTTP server would be too polite for. Invariant: a script that fails is reported.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { ClientGone, ScriptedConnection } from "./scripted-connection.ts";

/** What a connection does, from its first byte on. It ends quietly when the client goes away while it waits. */
export type Script = (connection: ScriptedConnection) => Promise<void> | void;

/** Where a `ScriptedOrigin` listens. */
export interface ScriptedOriginOptions {
  /** `127.0.0.1` when not given. */
  readonly host?: string | undefined;
  /** A free one when not given, or 0. */
  readonly port?: number | undefined;
  /** A Unix domain socket, in place of host and port. */
  readonly path?: string | undefined;
}

/** A server whose every connection follows a script. */
export class ScriptedOrigin {
  /** Where clients connect, as in `http://127.0.0.1:3000`; `http://localhost` for a Unix domain socket. */
  readonly origin: string;
  /** 0 for a Unix domain socket. */
  readonly port: number;
  readonly #server: Server;
  readonly #connections: ScriptedConnection[] = [];
  readonly #open = new Set<Socket>();
  #waiters: (() => void)[] = [];
  #failure: unknown = null;
  #closing: Promise<void> | null = null;

  private constructor(server: Server, host: string) {
    const address = server.address() as AddressInfo | string;
    this.port = typeof address === "string" ? 0 : address.port;
    const name = host.includes(":") ? `[${host}]` : host;
    this.origin = typeof address === "string" ? "http://localhost" : `http://${name}:${this.port}`;
    this.#server = server;
  }

  /** Starts a server whose connections follow `script`. Rejects when it cannot listen there. */
  static async listen(
    script: Script,
    options: ScriptedOriginOptions = {},
  ): Promise<ScriptedOrigin> {
    const { host = "127.0.0.1", port = 0, path } = options;
    const server = createServer();
    server.listen(path === undefined ? { host, port } : { path });
    await once(server, "listening");
    const origin = new ScriptedOrigin(server, host);
    server.on("connection", (socket) => origin.#accept(socket, script));
    return origin;
  }

  /** How many connections were ever made. */
  get connectionCount(): number {
    return this.#connections.length;
  }

  /** How many connections are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** All connections that were ever made, in order of arrival. */
  get connections(): readonly ScriptedConnection[] {
    return this.#connections;
  }

  /** What a script has thrown first; null when none did. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Waits for the connection with `index`, from 0. */
  async connection(index: number): Promise<ScriptedConnection> {
    for (;;) {
      const connection = this.#connections[index];
      if (connection !== undefined) return connection;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Stops listening and closes all connections. Rejects with what a script has thrown; nothing is open then, either. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket, script: Script): void {
    this.#open.add(socket);
    socket.on("close", () => this.#open.delete(socket));
    const connection = new ScriptedConnection(socket, this.#connections.length);
    this.#connections.push(connection);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
    const run = async (): Promise<void> => script(connection);
    run().catch((error: unknown) => {
      if (error instanceof ClientGone) return;
      this.#failure ??= error;
      socket.destroy();
    });
  }

  async #close(): Promise<void> {
    const closings: Promise<unknown>[] = [once(this.#server, "close")];
    this.#server.close();
    for (const socket of this.#open) {
      closings.push(new Promise((resolve) => socket.once("close", resolve)));
      socket.destroy();
    }
    await Promise.all(closings);
    if (this.#failure !== null) throw this.#failure;
  }
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

/** The text of a `200 OK` with `body`, its Content-Length, and `fields` such as `"etag: x"`. Latin-1. */
export function ok(body = "", ...fields: readonly string[]): string {
  const lines = [`content-length: ${Buffer.byteLength(body, "latin1")}`, ...fields];
  return `HTTP/1.1 200 OK\r\n${lines.join("\r\n")}\r\n\r\n${body}`;
}
