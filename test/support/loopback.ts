/**
 * More servers for tests on real sockets: ones that answer when the test says so, that speak TLS, or that
 * accept nothing. None closes an idle connection or gives hints unless its handler does.
 */
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { makeCertificate } from "../../src/cli/certificate.ts";
import type {
  Client,
  ClientOptions,
  ClientResponse,
  OriginStats,
  RequestOptions,
} from "../../src/index.ts";
import { makeClient } from "./client-kit.ts";

/** Where a server listens, and what it saw. */
export interface Listening {
  readonly origin: string;
  readonly port: number;
  /** Connections accepted so far. */
  readonly connectionCount: number;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<net.Socket>;
}

/** A request that a server holds. */
export interface Arrived {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
}

/** A server that holds requests until the test takes them. */
export interface HoldingServer extends Listening {
  /** The next request, in order of arrival. */
  next(): Promise<Arrived>;
}

/** Answers when it has the whole request. */
const answerOk: http.RequestListener = (request, response) => {
  request.resume().on("end", () => response.end("ok"));
};

/** An HTTP server. */
export async function plainServer(
  t: TestContext,
  handler: http.RequestListener = answerOk,
  where: net.ListenOptions = {},
): Promise<Listening> {
  return await listen(t, http.createServer({ keepAliveTimeout: 0 }, handler), "http", where);
}

/** An HTTP server whose requests wait for `next`. */
export async function holdingServer(t: TestContext): Promise<HoldingServer> {
  const held = queueOf<Arrived>();
  const server = await plainServer(t, (request, response) => held.push({ request, response }));
  return Object.defineProperties(
    { next: held.next },
    Object.getOwnPropertyDescriptors(server),
  ) as HoldingServer;
}

/** An HTTPS server, with options as of `https.createServer`. */
export async function tlsServer(
  t: TestContext,
  options: https.ServerOptions,
  handler: http.RequestListener = answerOk,
  where: net.ListenOptions = {},
): Promise<Listening> {
  const server = https.createServer({ keepAliveTimeout: 0, ...options }, handler);
  // A handshake that the client breaks off is the client's to report.
  server.on("tlsClientError", () => {});
  return await listen(t, server, "https", where);
}

/** Starts `server` for the time of the test, on a free port of 127.0.0.1 unless `where` says otherwise. */
async function listen(
  t: TestContext,
  server: net.Server,
  protocol: "http" | "https",
  where: net.ListenOptions,
): Promise<Listening> {
  const sockets = new Set<net.Socket>();
  let connectionCount = 0;
  server.on("connection", (socket: net.Socket) => {
    connectionCount++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(where.path === undefined ? { host: "127.0.0.1", port: 0, ...where } : where);
  await once(server, "listening");
  const bound = server.address();
  const { port, address, family }: AddressInfo =
    typeof bound === "object" && bound !== null
      ? bound
      : { port: 80, address: "127.0.0.1", family: "IPv4" };
  return {
    origin: `${protocol}://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    port,
    sockets,
    get connectionCount() {
      return connectionCount;
    },
  };
}

/**
 * A listener that accepts nothing, with a full backlog: the handshake of a further connection never ends.
 * It lives in a thread of its own, whose event loop stands still.
 */
export async function deafListener(t: TestContext, host: string, port = 0): Promise<number> {
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const server = require("node:net").createServer().listen({ ...workerData, backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const worker = new Worker(code, { eval: true, workerData: { host, port } });
  t.after(() => worker.terminate());
  const [boundPort] = (await once(worker, "message")) as [number];
  // The kernel completes the handshakes of two; those of the others hang, as do all that follow.
  const fillers = Array.from({ length: 4 }, () => net.connect(boundPort, host));
  t.after(() => {
    for (const filler of fillers) filler.destroy();
  });
  for (const filler of fillers) filler.on("error", () => {});
  await Promise.all(fillers.slice(0, 2).map((filler) => once(filler, "connect")));
  return boundPort;
}

/** A DNS lookup that finds `addresses` for every name, and notes what it was asked. */
export function lookupOf(addresses: readonly string[]) {
  const asked: { readonly hostname: string; readonly family: unknown; readonly all: boolean }[] =
    [];
  const found = addresses.map((address) => ({ address, family: net.isIP(address) }));
  const lookup: net.LookupFunction = (hostname, options, callback) => {
    asked.push({ hostname, family: options.family, all: options.all === true });
    const [first = { address: "", family: 4 }] = found;
    if (options.all === true) callback(null, found);
    else callback(null, first.address, first.family);
  };
  return { lookup, asked };
}

/** One certificate for all tests of a process that need nothing special of it. */
let shared: ReturnType<typeof makeCertificate> | null = null;
export function certificate(): ReturnType<typeof makeCertificate> {
  shared ??= makeCertificate();
  return shared;
}

/** A queue whose reader waits for its writer. */
export function queueOf<V>(): { push(value: V): void; next(): Promise<V> } {
  const values: V[] = [];
  const readers: ((value: V) => void)[] = [];
  return {
    push(value) {
      const reader = readers.shift();
      if (reader === undefined) values.push(value);
      else reader(value);
    },
    next: () =>
      new Promise((resolve) => {
        if (values.length === 0) readers.push(resolve);
        else resolve(values.shift() as V);
      }),
  };
}

/** Status code of a response, after its body was read, or `code` of the error (its name where it has none). */
export async function outcomeOf(promise: Promise<ClientResponse>): Promise<number | string> {
  try {
    const response = await promise;
    await response.body.text();
    return response.statusCode;
  } catch (error) {
    const { code, name } = error as { code?: unknown; name: string };
    return typeof code === "string" ? code : name;
  }
}

/**
 * What becomes of the second request on a connection that the server closes when it arrives, and how often a
 * request was sent again.
 */
export async function closedUnderSecond(
  t: TestContext,
  options: ClientOptions | undefined,
  requestOptions: RequestOptions,
): Promise<[outcome: number | string, resent: number]> {
  const arrived = new WeakMap<net.Socket, number>();
  const server = await plainServer(t, (request, response) => {
    const count = (arrived.get(request.socket) ?? 0) + 1;
    arrived.set(request.socket, count);
    if (count === 2) request.socket.destroy();
    else response.end("ok");
  });
  const client = makeClient(t, options);
  await outcomeOf(client.request(server.origin));
  const outcome = await outcomeOf(client.request(server.origin, requestOptions));
  return [outcome, statsFor(client, server.origin).resent];
}

/** The stats of `origin`. */
export function statsFor(client: Client, origin: string): OriginStats {
  const found = client.stats().origins.find((each) => each.origin === origin);
  if (found === undefined) throw new Error(`there are no stats of ${origin}`);
  return found;
}
