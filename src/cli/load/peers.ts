/**
 * Other clients under the same load: Node's own `http` with an agent, and undici where the user has it.
 * Invariant: what both can be told is told alike: sockets per origin, keep-alive, certificates, the timeout.
 */
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { clientRules } from "../../client/options.ts";
import { Failure } from "../errors.ts";
import type { Answer, ConnectionCounts, LoadClient, SocketCounts } from "./client.ts";
import { Latencies } from "./latencies.ts";
import type { LoadPlan } from "./plan.ts";

/** Peers that can be compared with. */
export const peerNames = ["undici", "node"] as const;

/** Name of a peer. */
export type PeerName = (typeof peerNames)[number];

/** Makes a client for a plan. */
export type MakeClient = (plan: LoadPlan) => LoadClient;

/**
 * Finds a peer, from `folder` on as programs there do. Rejects with a `Failure` when it is not installed there.
 */
export async function findPeer(name: PeerName, folder: string): Promise<MakeClient> {
  return name === "node" ? nodeClient : await findUndici(name, folder);
}

/** Sockets of a client that does not count them itself. */
class Sockets {
  readonly dials = new Latencies();
  #open = 0;
  #mostOpen = 0;

  /** One is being opened. */
  began(): void {
    this.#open++;
    this.#mostOpen = Math.max(this.#mostOpen, this.#open);
  }

  ended(): void {
    this.#open--;
  }

  now(): SocketCounts {
    return { opened: this.dials.count, open: this.#open };
  }

  counts(): ConnectionCounts {
    const { dials } = this;
    return { opened: dials.count, mostOpen: this.#mostOpen, closed: null, resent: null, dials };
  }
}

function settingsOf({ options }: LoadPlan) {
  return {
    keepAlive: options.keepAlive ?? clientRules.keepAlive.default,
    maxSockets: options.maxSockets ?? clientRules.maxSockets.default,
    maxFreeSockets: options.maxFreeSockets ?? clientRules.maxFreeSockets.default,
    keepAliveMsecs: options.keepAliveMsecs ?? clientRules.keepAliveMsecs.default,
  };
}

function nodeClient(plan: LoadPlan): LoadClient {
  const { keepAlive, maxSockets, maxFreeSockets } = settingsOf(plan);
  const settings = { keepAlive, maxSockets, maxFreeSockets };
  const sockets = new Sockets();
  const agents = {
    "http:": watched(new http.Agent(settings), "connect", sockets),
    "https:": watched(new https.Agent({ ...settings, ...plan.tls }), "secureConnect", sockets),
  };
  const headers = fieldsOf(plan);
  const send = (url: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const isTls = url.startsWith("https:");
      const module = isTls ? https : http;
      const options = { method: plan.method, headers, agent: agents[isTls ? "https:" : "http:"] };
      const request = module.request(url, options, (response) => {
        let bodyBytes = 0;
        response.on("data", (bytes: Buffer) => {
          bodyBytes += bytes.length;
        });
        response.on("error", fail);
        response.on("end", () => {
          clearTimeout(timer);
          resolve({ statusCode: response.statusCode ?? 0, bodyBytes, queuedMsecs: null });
        });
      });
      const fail = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      const timer = setTimeout(() => {
        const words = `the request took longer than ${plan.timeoutMsecs} ms`;
        request.destroy(Object.assign(new Error(words), { code: "ETIMEDOUT" }));
      }, plan.timeoutMsecs);
      request.on("error", fail);
      request.end(plan.body ?? undefined);
    });
  return {
    name: "node",
    version: process.versions.node,
    send,
    counts: () => sockets.counts(),
    sockets: () => sockets.now(),
    end: () => {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

/** `agent`, whose connections count in `sockets`, as open once `event` says so. */
function watched<A extends http.Agent>(
  agent: A,
  event: "connect" | "secureConnect",
  sockets: Sockets,
): A {
  // Not declared of an agent before Node.js 22.
  const open = agent as unknown as { createConnection(...args: unknown[]): Socket };
  const createConnection = open.createConnection;
  open.createConnection = (...args) => {
    const startedAt = performance.now();
    const socket = createConnection.apply(agent, args);
    sockets.began();
    socket.once(event, () => sockets.dials.record(performance.now() - startedAt));
    socket.once("close", () => sockets.ended());
    return socket;
  };
  return agent;
}

/** What is used of undici, from version 5 on. */
interface Undici {
  readonly Agent: new (options: object) => object & { destroy(): Promise<void> };
  readonly buildConnector: (
    options: object,
  ) => (options: object, done: (error: Error | null, socket: Socket | null) => void) => void;
  readonly request: (
    url: string,
    options: object,
  ) => Promise<{ readonly statusCode: number; readonly body: AsyncIterable<Uint8Array> }>;
}

async function findUndici(name: "undici", folder: string): Promise<MakeClient> {
  const require = createRequire(path.join(folder, "keepline-load.js"));
  let file: string;
  try {
    file = require.resolve(name);
  } catch {
    throw new Failure(
      `${name} is not installed where this command runs (${folder}): run npm install ${name} there, or leave it out of --compare`,
    );
  }
  const undici = (await import(pathToFileURL(file).href)) as Undici & { default?: Undici };
  const { version } = require(`${name}/package.json`) as { version: string };
  return (plan) => undiciClient(undici.default ?? undici, version, plan);
}

function undiciClient(undici: Undici, version: string, plan: LoadPlan): LoadClient {
  const { keepAlive, maxSockets, keepAliveMsecs } = settingsOf(plan);
  const sockets = new Sockets();
  const connector = undici.buildConnector({ ...plan.tls });
  const dispatcher = new undici.Agent({
    connections: Number.isFinite(maxSockets) ? maxSockets : null,
    pipelining: keepAlive ? 1 : 0,
    keepAliveTimeout: Math.max(1, Math.min(keepAliveMsecs, 0x7fff_ffff)),
    headersTimeout: plan.timeoutMsecs,
    bodyTimeout: plan.timeoutMsecs,
    connect: (options: object, done: (error: Error | null, socket: Socket | null) => void) => {
      const startedAt = performance.now();
      sockets.began();
      connector(options, (error, socket) => {
        if (socket === null || socket === undefined) sockets.ended();
        else {
          sockets.dials.record(performance.now() - startedAt);
          socket.once("close", () => sockets.ended());
        }
        done(error, socket);
      });
    },
  });
  const options = { dispatcher, method: plan.method, headers: fieldsOf(plan), body: plan.body };
  return {
    name: "undici",
    version,
    send: async (url) => {
      const { statusCode, body } = await undici.request(url, options);
      let bodyBytes = 0;
      for await (const bytes of body) bodyBytes += bytes.length;
      return { statusCode, bodyBytes, queuedMsecs: null };
    },
    counts: () => sockets.counts(),
    sockets: () => sockets.now(),
    end: () => {
      dispatcher.destroy().catch(() => {});
    },
  };
}

/** Several lines of one name as an array, which both understand. */
function fieldsOf({ headers }: LoadPlan): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    const known = fields[key];
    fields[key] = known === undefined ? value : [known, value].flat();
  }
  return fields;
}
