/**
 * An HTTPS server that tells each request what it knows of its connection, and the test what it saw of
 * connections that carried none.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerOptions } from "node:https";
import type { AddressInfo, ListenOptions } from "node:net";
import type { TestContext } from "node:test";
import type { TLSSocket } from "node:tls";
import type { Client, ClientResponse } from "../../src/index.ts";
import { until } from "./client-kit.ts";

/** What the server knows of the connection of a request. */
export interface Described {
  readonly servername: string | null;
  readonly protocol: string;
  readonly isResumed: boolean;
  /** Fingerprint of the client's certificate. */
  readonly peer: string | null;
}

/** An HTTPS server under watch. */
export interface TlsWatch {
  readonly origin: string;
  readonly port: number;
  readonly server: Server;
  /** Connections so far, whatever became of them. */
  readonly connectionCount: number;
  /** Connections whose handshake was completed from the server's point of view, in order. */
  readonly secured: readonly TLSSocket[];
  /** Bytes that came out of TLS, when every connection is closed. */
  applicationBytes(): Promise<number>;
}

/** Starts it, on a free port of 127.0.0.1 or at `where.path`, for the time of the test. */
export async function tlsWatch(
  t: TestContext,
  options: ServerOptions,
  where: ListenOptions = {},
): Promise<TlsWatch> {
  const secured: TLSSocket[] = [];
  let connectionCount = 0;
  let openCount = 0;
  // Its hint makes idle connections good for requests that must not be sent twice, too.
  const server = createServer({ keepAliveTimeout: 60_000, ...options }, (request, response) => {
    const socket = request.socket as TLSSocket & { servername?: string | false };
    const described: Described = {
      servername: socket.servername || null,
      protocol: String(socket.getProtocol()),
      isResumed: socket.isSessionReused(),
      peer: socket.getPeerCertificate().fingerprint256 ?? null,
    };
    if (request.url === "/close") response.setHeader("connection", "close");
    if (request.url === "/break") socket.destroy();
    else if (request.url !== "/hang") response.end(JSON.stringify(described));
  });
  server.on("connection", (socket) => {
    connectionCount++;
    openCount++;
    socket.on("close", () => openCount--);
  });
  server.on("secureConnection", (socket) => {
    secured.push(socket);
    socket.on("error", () => {});
  });
  // What the client refuses is the client's to report.
  server.on("tlsClientError", () => {});
  server.listen(where.path === undefined ? { host: "127.0.0.1", port: 0 } : where);
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port = 0 } = Object(server.address()) as Partial<AddressInfo>;
  return {
    origin: `https://127.0.0.1:${port}`,
    port,
    server,
    secured,
    get connectionCount() {
      return connectionCount;
    },
    async applicationBytes() {
      await until(() => openCount === 0, "the server's connections are closed");
      return secured.reduce((sum, socket) => sum + socket.bytesRead, 0);
    },
  };
}

/** Asks `url`, and returns what the server knows of the connection. */
export async function describedBy(client: Client, url: string): Promise<Described> {
  const response: ClientResponse = await client.request(url);
  assert.equal(response.statusCode, 200);
  return (await response.body.json()) as Described;
}
