/**
 * Origin servers that tell what they got and send what they are asked for: each answer says which request it
 * is for and the checksum of the body that came, and has a body that follows from the request's number.
 * A request has the fields `x-id`, a number, and `x-answer`, of `answerField`.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { crc32 } from "node:zlib";
import type { ClientResponse, ResponseBody } from "../../src/index.ts";
import { seeded } from "./client-kit.ts";
import { listen } from "./raw-server.ts";

/** The ways to read a body; all give the same bytes, where these are text. */
export const bodyReaders: readonly ((body: ResponseBody) => Promise<Uint8Array>)[] = [
  (body) => body.bytes(),
  async (body) => new Uint8Array(await body.arrayBuffer()),
  async (body) => new Uint8Array(await (await body.blob()).arrayBuffer()),
  async (body) => Buffer.from(await body.text()),
  async (body) => {
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    return Buffer.concat(pieces);
  },
  async (body) => Buffer.concat(await body.toReadable().toArray()),
];

/** How an origin is to answer. */
export interface Answer {
  /** How the client knows where the body ends; `close`: by the end of the connection. */
  readonly framing: "length" | "chunked" | "close";
  readonly bytes: number;
  /** In how many writes the body is sent. */
  readonly pieces: number;
  readonly delayMsecs: number;
}

/** What an origin tells of the requests that reach it, with their numbers. `connection`: from 0, by arrival. */
export interface OriginWatch {
  /** The head is there. */
  readonly arrived?: (id: number, connection: number) => void;
  /** The whole body is there. */
  readonly processed?: (id: number, connection: number) => void;
}

/** A running origin. */
export interface ChecksumOrigin {
  readonly origin: string;
  /** Connections that were ever made. */
  readonly connectionCount: number;
  /** Connections that are open now. */
  readonly openCount: number;
  /** Stops listening and closes what is open. */
  stop(): Promise<void>;
}

/** ASCII, so that it is the same as text. */
const block = ((): Buffer => {
  const random = seeded(1);
  return Buffer.from(Array.from({ length: 400_000 }, () => 32 + Math.floor(random() * 95)));
})();

/** What a body of `bytes` for the request `id` consists of, in either direction. */
export function bytesOf(id: number, bytes: number): Buffer {
  const from = (id * 7_919) % (block.length - bytes);
  return block.subarray(from, from + bytes);
}

/** How the checksum and length of `bytes` are written. */
export function checksumOf(bytes: Uint8Array): string {
  return `${bytes.length}-${crc32(bytes)}`;
}

/** The field that asks for `answer`. */
export function answerField({ framing, bytes, pieces, delayMsecs }: Answer): string {
  return [framing, bytes, pieces, delayMsecs].join(" ");
}

/** Asserts that `response` is the one to the request `id`, and tells of a body with `checksum`. */
export function assertIsAnswerTo(
  id: number,
  method: string,
  checksum: string,
  { statusCode, headers }: ClientResponse,
): void {
  assert.deepEqual(
    [statusCode, headers["x-id"], headers["x-method"], headers["x-received"]],
    [200, String(id), method, checksum],
    "the response is another request's, or the request's body arrived changed",
  );
}

/** Starts an origin on a free port of 127.0.0.1, over TLS when `options.tls` has a certificate. */
export async function checksumOrigin(
  t: TestContext,
  watch: OriginWatch = {},
  options: {
    readonly tls?: { readonly cert: string; readonly key: string };
    readonly keepAliveTimeout?: number;
  } = {},
): Promise<ChecksumOrigin> {
  const indexes = new WeakMap<Socket, number>();
  let connectionCount = 0;
  const listener: http.RequestListener = (request, response) => {
    // A connection that breaks is the client's to report.
    request.on("error", () => {});
    response.on("error", () => {});
    void serve(request, response, indexes.get(request.socket) ?? -1, watch);
  };
  const limits = {
    keepAliveTimeout: options.keepAliveTimeout ?? 0,
    requestTimeout: 0,
    headersTimeout: 0,
  };
  const server =
    options.tls === undefined
      ? http.createServer(limits, listener)
      : https.createServer({ ...limits, ...options.tls }, listener);
  server.on("connection", (socket: Socket) => {
    indexes.set(socket, connectionCount++);
    socket.on("error", () => {});
  });
  // It is over TLS that requests come then.
  server.on("secureConnection", (socket: Socket) => indexes.set(socket, connectionCount - 1));
  server.on("tlsClientError", () => {});
  // Half a request gets no answer, not even 400: nobody could tell which request it is for.
  server.on("clientError", (_, socket) => socket.destroy());
  const { port, sockets, stop } = await listen(t, server);
  return {
    origin: `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    get connectionCount() {
      return connectionCount;
    },
    get openCount() {
      return sockets.size;
    },
    stop,
  };
}

async function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  connection: number,
  watch: OriginWatch,
): Promise<void> {
  const id = Number(request.headers["x-id"]);
  watch.arrived?.(id, connection);
  const received = await receive(request);
  if (received === null) return;
  watch.processed?.(id, connection);
  const [framing, ...numbers] = String(request.headers["x-answer"]).split(" ");
  const [bytes = 0, pieces = 1, delayMsecs = 0] = numbers.map(Number);
  if (delayMsecs > 0) await sleep(delayMsecs, undefined, { ref: false });
  const body = bytesOf(id, bytes);
  response.setHeader("x-id", id);
  response.setHeader("x-method", request.method ?? "");
  response.setHeader("x-received", received);
  response.setHeader("x-sent", checksumOf(body));
  if (framing === "length") response.setHeader("content-length", body.length);
  else if (framing === "close") {
    response.setHeader("connection", "close");
    response.removeHeader("transfer-encoding");
  }
  const step = Math.ceil(body.length / pieces) || 1;
  for (let at = 0; at < body.length && !response.destroyed; at += step) {
    const isTaken = response.write(body.subarray(at, at + step));
    if (isTaken) await turn();
    else await Promise.race([once(response, "drain"), once(response, "close")]);
  }
  response.end();
}

/** The checksum of the body; null when the connection ended before it did. */
function receive(request: http.IncomingMessage): Promise<string | null> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      const contentType = String(request.headers["content-type"] ?? "");
      if (contentType.startsWith("multipart/form-data")) {
        resolve(formPayload(body, contentType).then(checksumOf));
      } else resolve(checksumOf(body));
    });
    request.on("close", () => {
      if (!request.complete) resolve(null);
    });
  });
}

/** The values of a form one behind the other: its boundary differs each time. */
async function formPayload(body: Buffer, contentType: string): Promise<Buffer> {
  const form = await new Response(new Uint8Array(body), {
    headers: { "content-type": contentType },
  }).formData();
  const values: Buffer[] = [];
  for (const [, value] of form) {
    const bytes = typeof value === "string" ? value : await value.arrayBuffer();
    values.push(typeof bytes === "string" ? Buffer.from(bytes) : Buffer.from(bytes));
  }
  return Buffer.concat(values);
}
