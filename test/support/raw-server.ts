/**
 * Servers for tests on real sockets, on a free port of 127.0.0.1 and gone with the test: `ScriptedOrigin`
 * of `keepline/testing` bound to a test, and Node's own for what needs no trick.
 */
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import {
  type Script,
  type ScriptedConnection,
  ScriptedOrigin,
  type ScriptedOriginOptions,
  type ScriptedRequest,
} from "../../src/testing/index.ts";

export { answering, ok } from "../../src/testing/index.ts";

/** One connection to a raw server. */
export type RawConnection = ScriptedConnection;

/** A request as it arrived. */
export type RawRequest = ScriptedRequest;

/** A server under test control. */
interface TestServer {
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
  place: ScriptedOriginOptions = {},
): Promise<RawServer> {
  const server = await ScriptedOrigin.listen(script, place);
  t.after(() => server.close());
  return {
    origin: server.origin,
    port: server.port,
    get connectionCount() {
      return server.connectionCount;
    },
    get openCount() {
      return server.openCount;
    },
    connections: server.connections,
    connection: (index) => server.connection(index),
    stop: () => server.close(),
  };
}

/** Starts one of Node's own HTTP servers, for what needs no trick. */
export async function httpServer(t: TestContext, listener: RequestListener): Promise<TestServer> {
  const server = createHttpServer({ keepAliveTimeout: 60_000 }, listener);
  const base = await listen(t, server);
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

/** A port of 127.0.0.1 on which nobody listens, for as long as nobody else happens to take it. */
export async function deadPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Starts `server` for the time of the test, on a free port of 127.0.0.1; `sockets` are those open. */
export async function listen(t: TestContext, server: Server) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  t.after(stop);
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, port, sockets, stop };
}
