/**
 * A TCP proxy on 127.0.0.1 between a client and a server, which makes the network bad at scripted moments.
 * Bytes are passed on as they are, TLS too; with no delay and no fault nothing else happens to them.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Msecs, Random } from "../core/clock.ts";
import { show } from "../core/rules.ts";
import { checkMsecs } from "./faults.ts";
import { ProxiedConnection } from "./proxied-connection.ts";
import type { Latency } from "./wire.ts";

/** Where a `FaultProxy` connects to: an origin such as `http://127.0.0.1:3000`, a host and port, or a Unix domain socket. */
export type FaultProxyTarget =
  | string
  | URL
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** What `FaultProxy.listen` takes. */
export interface FaultProxyOptions {
  readonly target: FaultProxyTarget;
  /** How long everything takes that is sent, each way, FIN and RST too. 0 when not given. */
  readonly delayMsecs?: Msecs;
  /** Up to so much more for each piece, uniformly; nothing overtakes. 0 when not given. */
  readonly jitterMsecs?: Msecs;
  /** Uniform numbers in [0, 1) for the jitter. `Math.random` when not given; give a seeded one for a run that can be repeated. */
  readonly random?: Random;
  /** Called for each connection before a byte is forwarded: sets up its faults. What it throws is thrown by `close`. */
  readonly plan?: (connection: ProxiedConnection) => void;
}

/**
 * A TCP proxy that makes the network bad at scripted moments. It accepts a connection at once, and only
 * then connects to the target: where that fails, the client's connection is reset. Each direction holds at
 * most about 256 KiB; a slow reader slows down who writes.
 */
export class FaultProxy {
  /** Where clients connect: `http://127.0.0.1:PORT`, or https where the target is. */
  readonly origin: string;
  readonly port: number;
  readonly #server: Server;
  readonly #open = new Set<ProxiedConnection>();
  #failure: unknown = null;
  #connectionCount = 0;
  #closing: Promise<void> | null = null;

  /** See `listen`. */
  private constructor(server: Server, protocol: string) {
    this.port = (server.address() as AddressInfo).port;
    this.origin = `${protocol}//127.0.0.1:${this.port}`;
    this.#server = server;
  }

  /**
   * Starts a proxy on a free port of 127.0.0.1.
   *
   * @throws TypeError or RangeError when an option is not allowed.
   */
  static async listen(options: FaultProxyOptions): Promise<FaultProxy> {
    const { delayMsecs = 0, jitterMsecs = 0, random = Math.random, plan } = options;
    checkMsecs("delayMsecs", delayMsecs);
    checkMsecs("jitterMsecs", jitterMsecs);
    const { protocol, address } = readTarget(options.target);
    const latency = { delayMsecs, jitterMsecs, random };
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new FaultProxy(server, protocol);
    server.on("connection", (client) => {
      proxy.#accept(
        client,
        connect({ ...address, allowHalfOpen: true, noDelay: true }),
        latency,
        plan,
      );
    });
    return proxy;
  }

  /** How many connections were ever accepted. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** The open connections, in order of arrival. */
  get connections(): ProxiedConnection[] {
    return [...this.#open];
  }

  /** What a plan has thrown first; null when none did. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Stops listening and closes all connections. Rejects with what a plan has thrown; nothing is open then, either. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(client: Socket, server: Socket, latency: Latency, plan: FaultProxyOptions["plan"]): void {
    const connection = new ProxiedConnection(this.#connectionCount++, client, server, latency);
    this.#open.add(connection);
    connection.closed.then(() => this.#open.delete(connection));
    try {
      plan?.(connection);
    } catch (error) {
      this.#failure ??= error;
      connection.destroy();
    }
  }

  async #close(): Promise<void> {
    const isClosed = once(this.#server, "close");
    this.#server.close();
    for (const connection of this.#open) connection.destroy();
    await Promise.all([isClosed, ...[...this.#open].map(({ closed }) => closed)]);
    if (this.#failure !== null) throw this.#failure;
  }
}

type Place = { readonly host: string; readonly port: number } | { readonly path: string };

function readTarget(target: FaultProxyTarget): { protocol: string; address: Place } {
  if (typeof target === "string" || target instanceof URL) {
    const { protocol, hostname, port } = new URL(target);
    if (protocol !== "http:" && protocol !== "https:") {
      throw new TypeError(`target must be http or https, not ${show(String(target))}`);
    }
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    return { protocol, address: { host, port: Number(port || (protocol === "http:" ? 80 : 443)) } };
  }
  if (typeof target !== "object" || target === null || !("path" in target || "port" in target)) {
    throw new TypeError(
      `target must be an origin, { host, port } or { path }, not ${show(target)}`,
    );
  }
  if ("path" in target) return { protocol: "http:", address: { path: target.path } };
  const { host, port } = target;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`target.port must be a whole number from 1 to 65535, not ${show(port)}`);
  }
  return { protocol: "http:", address: { host, port } };
}
