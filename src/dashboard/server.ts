/**
 * Serves the page, the feed and traces, and nothing else: no path changes anything, and no request has a body.
 * Invariant: neither the server nor a reader keeps the process alive.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import net, { type AddressInfo } from "node:net";
import { isLoopbackHost, refusalOf } from "./guard.ts";
import type { Viewers } from "./viewers.ts";

/** JSON Lines. */
const traceType = "application/x-ndjson; charset=utf-8";
/** Readers at once. All get the same updates, but each has a socket. */
const mostViewers = 16;
const mostConnections = 64;

const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>keepline</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="dashboard.css">
</head>
<body>
<main id="page"><p>This page needs JavaScript.</p></main>
<script src="dashboard.js"></script>
</body>
</html>
`;

/** Where a dashboard is served. */
export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** Where it listens, and by which names it may be called. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** In lower case. */
  readonly allowedHosts: readonly string[];
}

/** Starts to serve. Rejects with the error of `listen`. */
export async function listen(viewers: Viewers, place: Place): Promise<Listening> {
  const { host, port, allowedHosts } = place;
  const isLoopback = isLoopbackHost(host);
  const server = http.createServer({ maxHeaderSize: 16_384 }, (request, response) => {
    const refusal = refusalOf(
      {
        host: request.headers.host,
        origin: request.headers.origin,
        site: textOf(request.headers["sec-fetch-site"]),
        mode: textOf(request.headers["sec-fetch-mode"]),
      },
      isLoopback,
      allowedHosts,
    );
    if (refusal === null) answer(request, response, viewers);
    else end(response, 403, "text/plain", `${refusal}\n`);
  });
  server.maxConnections = mostConnections;
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket) => {
    socket.unref();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen({ host, port });
  await once(server, "listening");
  server.unref();
  const bound = server.address() as AddressInfo;
  const name = net.isIPv6(bound.address) ? `[${bound.address}]` : bound.address;
  return {
    url: `http://${name}:${bound.port}/`,
    close: async () => {
      viewers.close();
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, viewers: Viewers): void {
  const { method, url = "/" } = request;
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    end(response, 405, "text/plain", "this can only be read\n");
    return;
  }
  const [, path = "", query = ""] = /^([^?#]*)(?:\?([^#]*))?/s.exec(url) ?? [];
  switch (path) {
    case "/":
      end(response, 200, "text/html; charset=utf-8", page);
      return;
    case "/dashboard.js":
      end(response, 200, "text/javascript; charset=utf-8", part("dashboard.js"));
      return;
    case "/advise.js":
      end(response, 200, "text/javascript; charset=utf-8", part("advise.js"));
      return;
    case "/dashboard.css":
      end(response, 200, "text/css; charset=utf-8", part("dashboard.css"));
      return;
    case "/feed":
      feed(method, response, viewers);
      return;
    case "/trace":
      trace(method, query, response, viewers);
      return;
    default:
      end(response, 404, "text/plain", "there is nothing here; the dashboard is at /\n");
  }
}

function feed(method: string, response: ServerResponse, viewers: Viewers): void {
  if (viewers.count >= mostViewers) {
    end(response, 503, "text/plain", `${mostViewers} readers are there already\n`);
    return;
  }
  response.writeHead(200, { ...headers, "content-type": "text/event-stream; charset=utf-8" });
  if (method === "HEAD") response.end();
  else viewers.join(response);
}

function trace(method: string, query: string, response: ServerResponse, viewers: Viewers): void {
  const asked = viewers.traces.asked(new URLSearchParams(query));
  if (typeof asked !== "function") {
    end(response, asked.status, "text/plain", `${asked.words}\n`);
    return;
  }
  response.writeHead(200, { ...headers, "content-type": traceType });
  if (method === "HEAD") response.end();
  else asked(response);
}

function end(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    ...headers,
    "content-type": type,
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

const parts = new Map<string, string>();

/** A file of the page, as it was bundled when keepline was built. */
function part(name: string): string {
  let text = parts.get(name);
  if (text === undefined) {
    text = readFileSync(new URL(`../web/${name}`, import.meta.url), "utf8");
    parts.set(name, text);
  }
  return text;
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join() : value;
}
