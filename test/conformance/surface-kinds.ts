/**
 * Every surface of a client behind one function, so that one suite can hold all of them to the same promises.
 */
import { once } from "node:events";
import http from "node:http";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import * as undici6 from "undici6";
import * as undici7 from "undici7";
import type { Client } from "../../src/index.ts";
import { dispatcherFor } from "../../src/surfaces/undici/index.ts";

/** A request, in words that every surface has. */
export interface SurfaceRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Pieces are sent as a stream. */
  readonly body?: string | readonly string[];
  readonly signal?: AbortSignal;
  /** A lane of the service `default`. */
  readonly lane?: string;
}

/** A response, read to its end. */
export interface SurfaceResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly text: string;
}

/** One way to send requests through a client. */
export interface Surface {
  readonly name: string;
  send(client: Client, url: string, request?: SurfaceRequest): Promise<SurfaceResponse>;
}

interface Bounds {
  readonly lane?: string | undefined;
}

/** The part of undici that is the same in all versions. */
interface Undici {
  readonly request: typeof undici7.request;
  readonly fetch: typeof undici7.fetch;
}

/** The surfaces that run on this version of Node.js. */
export async function allSurfaces(): Promise<readonly Surface[]> {
  const Dispatcher6 = dispatcherFor(undici6.Dispatcher);
  const Dispatcher7 = dispatcherFor(undici7.Dispatcher);
  const surfaces = [
    { name: "client.request", send: byClient },
    { name: "client.fetch", send: byClientFetch },
    { name: "the built-in fetch with a dispatcher", send: byBuiltInFetch },
    { name: "node:http with an agent", send: byAgent },
    ...byUndici("undici 6", undici6 as unknown as Undici, (...args) => new Dispatcher6(...args)),
    ...byUndici("undici 7", undici7, (...args) => new Dispatcher7(...args)),
  ];
  if (!runsUndici8()) return surfaces;
  const undici8 = await import("undici8");
  const Dispatcher8 = dispatcherFor(undici8.Dispatcher);
  const own = undici8 as unknown as Undici;
  return [...surfaces, ...byUndici("undici 8", own, (...args) => new Dispatcher8(...args))];
}

/** undici 8 needs Node.js 22.19. */
function runsUndici8(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 19);
}

async function byClient(client: Client, url: string, request: SurfaceRequest = {}) {
  const { body, ...options } = request;
  const response = await client.request(url, { ...options, body: streamOf(body) });
  const content = await response.body.text();
  const get = (name: string): string | null => response.headers[name]?.toString() ?? null;
  return { status: response.statusCode, headers: { get }, text: content };
}

async function byClientFetch(client: Client, url: string, request: SurfaceRequest = {}) {
  const { lane } = request;
  const view = lane === undefined ? client : client.service("default").lane(lane);
  return read(await view.fetch(url, initOf(request)));
}

async function byBuiltInFetch(client: Client, url: string, request: SurfaceRequest = {}) {
  const dispatcher = client.dispatcher(boundsOf(request)) as unknown;
  return read(await fetch(url, { ...initOf(request), dispatcher } as RequestInit));
}

function byUndici(
  name: string,
  undici: Undici,
  make: (client: Client, bounds: Bounds) => object,
): Surface[] {
  return [
    {
      name: `request of ${name}`,
      async send(client, url, request = {}) {
        const { method = "GET", body, headers, signal } = request;
        const response = await undici.request(url, {
          method: method as undici7.Dispatcher.HttpMethod,
          body: streamOf(body) ?? null,
          headers: headers ?? {},
          ...(signal === undefined ? {} : { signal }),
          dispatcher: make(client, boundsOf(request)) as undici7.Dispatcher,
        });
        const content = await response.body.text();
        const get = (field: string): string | null => response.headers[field]?.toString() ?? null;
        return { status: response.statusCode, headers: { get }, text: content };
      },
    },
    {
      name: `fetch of ${name}`,
      async send(client, url, request = {}) {
        const dispatcher = make(client, boundsOf(request));
        const init = { ...initOf(request), dispatcher } as unknown as undici7.RequestInit;
        return read((await undici.fetch(url, init)) as unknown as Response);
      },
    },
  ];
}

async function byAgent(client: Client, url: string, request: SurfaceRequest = {}) {
  const { method = "GET", headers = {}, body, signal } = request;
  const agent = client.httpAgent(boundsOf(request));
  const outgoing = http.request(url, {
    method,
    headers: { ...headers },
    agent,
    ...(signal === undefined ? {} : { signal }),
  });
  const answered = once(outgoing, "response");
  if (typeof body === "object") pipeline(Readable.from(body), outgoing).catch(() => {});
  else outgoing.end(body);
  const [response] = (await answered) as [http.IncomingMessage];
  const content = await text(response);
  // Node gives the socket back a moment after the end of the response.
  if (!outgoing.closed) await once(outgoing, "close");
  const get = (name: string): string | null => response.headers[name]?.toString() ?? null;
  return { status: response.statusCode ?? 0, headers: { get }, text: content };
}

function boundsOf({ lane }: SurfaceRequest): Bounds {
  return lane === undefined ? {} : { lane };
}

function streamOf(body: SurfaceRequest["body"]): string | Readable | undefined {
  return typeof body === "object" ? Readable.from(body) : body;
}

function initOf({ method = "GET", headers = {}, body, signal }: SurfaceRequest): RequestInit {
  const init = { method, headers: { ...headers }, ...(signal === undefined ? {} : { signal }) };
  if (body === undefined) return init;
  if (typeof body === "string") return { ...init, body };
  const stream = new Blob([...body]).stream() as ReadableStream;
  return { ...init, body: stream, duplex: "half" } as RequestInit;
}

async function read(response: Response): Promise<SurfaceResponse> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}
