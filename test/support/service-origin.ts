/**
 * A service to call from other clients: it echoes, redirects, breaks off, reads forms, and holds what is asked of
 * `/hold` until the test answers. Over TLS when it is given a certificate.
 */
import type http from "node:http";
import type https from "node:https";
import type { TestContext } from "node:test";
import { type Arrived, type Listening, plainServer, queueOf, tlsServer } from "./loopback.ts";

/** A service under test control. */
export interface ServiceOrigin extends Listening {
  /** Method and path of all requests, in order of arrival. */
  readonly seen: readonly string[];
  /** The next request below `/hold`. */
  next(): Promise<Arrived>;
}

/** What `/form` has read. */
export interface ReadForm {
  readonly fields: Readonly<Record<string, string>>;
  /** Names and sizes of files. */
  readonly files: Readonly<Record<string, readonly [name: string, size: number]>>;
}

/** A form that is large enough for more than one packet. */
export function formWithFile(): FormData {
  const form = new FormData();
  form.append("name", "value");
  form.append("file", new Blob(["x".repeat(100_000)]), "large.txt");
  return form;
}

/** What `/form` reads of it. */
export const readFormWithFile: ReadForm = {
  fields: { name: "value" },
  files: { file: ["large.txt", 100_000] },
};

/** Starts it for the time of the test. */
export async function serviceOrigin(
  t: TestContext,
  tls?: https.ServerOptions,
): Promise<ServiceOrigin> {
  const held = queueOf<Arrived>();
  const seen: string[] = [];
  const handler: http.RequestListener = (request, response) => {
    const url = new URL(request.url ?? "/", "http://service");
    // Without this hint a request that cannot be sent twice, as any with a body by fetch, takes only what was idle for
    // some ms: whether connections are reused would hang on how fast the machine is.
    response.setHeader("keep-alive", "timeout=60");
    seen.push(`${request.method} ${url.pathname}`);
    if (url.pathname.startsWith("/hold")) held.push({ request, response });
    else answer(url, request, response);
  };
  const server = await (tls === undefined ? plainServer(t, handler) : tlsServer(t, tls, handler));
  return Object.assign(server, { seen, next: held.next });
}

function answer(url: URL, request: http.IncomingMessage, response: http.ServerResponse): void {
  switch (url.pathname) {
    case "/echo":
      response.setHeader("x-method", request.method ?? "");
      response.setHeader("content-type", request.headers["content-type"] ?? "text/plain");
      request.pipe(response);
      return;
    case "/redirect":
      request.resume();
      response.writeHead(302, { location: url.searchParams.get("to") ?? "/" });
      response.end("it is elsewhere");
      return;
    case "/status":
      request.resume();
      response.writeHead(Number(url.searchParams.get("code")), {
        "content-type": "application/json",
      });
      response.end('{"message":"as asked"}');
      return;
    case "/broken":
      request.resume();
      response.writeHead(200, { "content-type": "text/plain", "content-length": "100000" });
      response.write("part", () => request.socket.resetAndDestroy());
      return;
    case "/form":
      void readForm(request).then(
        (form) => response.end(JSON.stringify(form)),
        (error: unknown) => response.writeHead(400).end(String(error)),
      );
      response.setHeader("content-type", "application/json");
      return;
    default:
      request.resume().on("end", () => {
        response.setHeader("content-type", "text/plain");
        response.end("ok");
      });
  }
}

/** Reads a form that is sent as multipart or url-encoded. */
export async function readForm(request: http.IncomingMessage): Promise<ReadForm> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const type = request.headers["content-type"] ?? "";
  const form = await new Response(Buffer.concat(pieces), {
    headers: { "content-type": type },
  }).formData();
  const fields: Record<string, string> = {};
  const files: Record<string, [string, number]> = {};
  for (const [name, value] of form) {
    if (typeof value === "string") fields[name] = value;
    else files[name] = [value.name, value.size];
  }
  return { fields, files };
}
