/**
 * Sends requests with keepline's own client and measures them.
 * Invariant: a client that is made here is destroyed here, also when the demo is interrupted.
 */
import { Client } from "../../client/client.ts";
import type { ClientOptions } from "../../client/options.ts";
import type { RequestOptions } from "../../client/request.ts";
import type { ClientResponse, Timings } from "../../client/response.ts";
import type { Msecs } from "../../core/clock.ts";
import type { OriginStats } from "../../observe/stats.ts";
import { version } from "../../version.ts";
import { Failure } from "../errors.ts";
import type { Protocol } from "./report.ts";

/** What is measured. */
export interface Target {
  readonly protocol: Protocol;
  readonly url: string;
  /** How connections are opened, certificates above all. */
  readonly connect: NonNullable<ClientOptions["connect"]>;
  /**
   * The demo's own server tells the client's port and must answer everything; a foreign one may fail
   * now and then.
   */
  readonly server: "own" | "foreign";
}

/** What every measurement is given. */
export interface Setting {
  readonly signal: AbortSignal;
  /** Tells whoever watches how far something is; `share` from 0 to 1. */
  readonly progress: (label: string, share: number) => void;
  /** Has a client shown on the dashboard, where there is one. Returns what ends it. */
  readonly watch: (client: Client) => () => void;
}

/** One answered request. */
export interface Sample {
  readonly statusCode: number;
  /** From the call to an open connection: the queue and the dial. */
  readonly waitMsecs: Msecs;
  readonly totalMsecs: Msecs;
  /** DNS, TCP and TLS of its connection, where this was the connection's first request. */
  readonly handshakeMsecs: Msecs | null;
}

/** A run of requests. */
export interface Load {
  readonly samples: readonly Sample[];
  /** Requests that got no response. */
  readonly failed: number;
  readonly tookMsecs: Msecs;
}

const timeouts = {
  connectTimeoutMsecs: 5_000,
  requestTimeoutMsecs: 10_000,
  // It shows itself how requests wait; a warning in between would disturb the picture.
  saturationMsecs: Number.POSITIVE_INFINITY,
};
const requestOptions: RequestOptions = {
  headers: { "user-agent": `keepline/${version} (demo)`, accept: "*/*" },
};
const mostBodyBytes = 1_048_576;
/** A run of requests to a foreign server is given up when more than half have failed, from then on. */
const trialRequests = 20;

/** Gives `use` a client, and destroys it when `use` is done or `setting.signal` aborts. */
export async function withClient<T>(
  target: Target,
  options: ClientOptions,
  setting: Setting,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  setting.signal.throwIfAborted();
  const client = new Client({ ...timeouts, ...options, connect: target.connect });
  const unwatch = setting.watch(client);
  const stop = (): void => client.destroy();
  setting.signal.addEventListener("abort", stop);
  try {
    return await use(client);
  } finally {
    setting.signal.removeEventListener("abort", stop);
    client.destroy();
    unwatch();
  }
}

/** The counters of the one origin that `client` has talked to. */
export function statsOf(client: Client): OriginStats {
  return client.stats().origins[0] as OriginStats;
}

/** Sends one request; its body is still to be read. */
export function send(client: Client, url: string): Promise<ClientResponse> {
  return client.request(url, requestOptions);
}

/**
 * Reads the body to its end, and returns the times then.
 *
 * Rejects with a `Failure` when the body is larger than a demo should fetch hundreds of times.
 */
export async function finish(
  response: ClientResponse,
  url: string,
): Promise<Timings & { readonly total: Msecs }> {
  await response.body.dump({ maxBytes: mostBodyBytes });
  const { timings } = response;
  if (timings.total !== null) return { ...timings, total: timings.total };
  throw new Failure(`the response of ${url} is larger than 1 MiB: choose a URL with a smaller one`);
}

/** DNS, TCP and TLS together; null on a used connection. */
export function handshakeOf(timings: Timings): Msecs | null {
  if (timings.connect === null) return null;
  return (timings.dns ?? 0) + timings.connect + (timings.tls ?? 0);
}

/**
 * Sends `requests` requests, `concurrency` at a time.
 *
 * Rejects as soon as one fails at the demo's own server, or most fail at another one.
 */
export async function sendAll(
  client: Client,
  target: Target,
  url: string,
  plan: { readonly requests: number; readonly concurrency: number },
  answered: (count: number) => void = () => {},
): Promise<Load> {
  const samples: Sample[] = [];
  const trouble = new Trouble(target, url);
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (sent < plan.requests && !trouble.isOver) {
      sent++;
      try {
        const response = await send(client, url);
        const timings = await finish(response, url);
        const handshakeMsecs = handshakeOf(timings);
        samples.push({
          statusCode: response.statusCode,
          waitMsecs: timings.queued + (handshakeMsecs ?? 0),
          totalMsecs: timings.total,
          handshakeMsecs,
        });
        trouble.answered(response.statusCode);
      } catch (error) {
        trouble.failed(error);
      }
      answered(samples.length);
    }
  };
  const startedAt = performance.now();
  const workerCount = Math.min(plan.concurrency, plan.requests);
  await Promise.all(Array.from({ length: workerCount }, worker));
  return { samples, failed: trouble.unanswered, tookMsecs: performance.now() - startedAt };
}

/** Decides when a run is not worth going on with. */
class Trouble {
  /** Requests that got no response. */
  unanswered = 0;
  /** True when no more requests are to be sent. */
  isOver = false;
  readonly #target: Target;
  readonly #url: string;
  #done = 0;
  #bad = 0;

  constructor(target: Target, url: string) {
    this.#target = target;
    this.#url = url;
  }

  /** A server that answers like this has had enough, or is not well. */
  answered(statusCode: number): void {
    this.#done++;
    if (statusCode !== 429 && statusCode < 500) return;
    this.#bad++;
    if (this.#target.server === "own") {
      this.#giveUp(new Failure(`${this.#url} answered ${statusCode}`));
    }
    this.#check(`it answered ${statusCode}`);
  }

  failed(error: unknown): void {
    // What was thrown by `answered` and `finish` says enough.
    if (error instanceof Failure || this.#target.server === "own") this.#giveUp(error);
    this.#done++;
    this.#bad++;
    this.unanswered++;
    this.#check(error instanceof Error ? error.message : String(error));
  }

  #check(last: string): void {
    if (this.#done < trialRequests || this.#bad <= this.#done / 2) return;
    const counts = `${this.#bad} of ${this.#done} requests to ${this.#url} failed`;
    this.#giveUp(new Failure(`stopped early, since ${counts}, the last because ${last}`));
  }

  #giveUp(error: unknown): never {
    this.isOver = true;
    throw error;
  }
}

/** The value that a share of `sorted` does not exceed (nearest rank); null when there is none. */
export function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

/** In ascending order. */
export function sorted(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}
