/**
 * The probe's way to the server: where it dials, what it sends, and what that has cost the server so far.
 * Invariant: no more connections than `mostConnections` are ever opened, and none outlives the probe.
 */
import { setMaxListeners } from "node:events";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { prepare } from "../../client/request.ts";
import { addressOf, Targets } from "../../client/target.ts";
import type { Msecs } from "../../core/clock.ts";
import type { TlsOptions } from "../../net/connect-options.ts";
import { version } from "../../version.ts";
import { ProbeConnection, type Question, type Reply } from "./connection.ts";

/** What a probe is told. */
export interface ProbePlan {
  readonly url: URL;
  readonly method: "GET" | "HEAD";
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly tls: TlsOptions;
  /** How long idle connections are watched. */
  readonly maxMsecs: Msecs;
  /** Requests on one connection at most. */
  readonly mostRequests: number;
}

/** The most connections that a probe opens. `--help` says so. */
export const mostConnections = 96;
const dialMsecs = 10_000;
const mostAnswerMsecs = 10_000;
const leastAnswerMsecs = 1_000;

/** Where a connection goes. */
export interface Destination {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Visits one server. */
export class Visitor {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  connections = 0;
  requests = 0;
  readonly #plan: ProbePlan;
  readonly #head: string;
  /** Aborts when the probe is interrupted, and when it is over. */
  readonly signal: AbortSignal;
  readonly #over = new AbortController();
  readonly #open = new Set<ProbeConnection>();
  #slowestMsecs: Msecs = 0;

  constructor(plan: ProbePlan, signal: AbortSignal) {
    const { isTls, host, port } = addressOf(plan.url.origin);
    this.isTls = isTls;
    this.host = host;
    this.port = port;
    this.#plan = plan;
    this.signal = AbortSignal.any([signal, this.#over.signal]);
    // One for each connection that is open at a time.
    setMaxListeners(0, this.signal);
    const headers = [
      ["user-agent", `keepline/${version} (probe)`],
      ["accept", "*/*"],
    ] as const;
    const names = new Set(plan.headers.map(([name]) => name.toLowerCase()));
    const target = new Targets().find(plan.url.href, undefined);
    this.#head = prepare(
      target,
      {
        method: plan.method,
        headers: [...headers.filter(([name]) => !names.has(name)), ...plan.headers],
      },
      true,
    ).head;
  }

  /** How long the server may take to answer before that counts as silence: several times what it took so far. */
  get answerMsecs(): Msecs {
    return Math.min(Math.max(this.#slowestMsecs * 4, leastAnswerMsecs), mostAnswerMsecs);
  }

  /** Opens a connection; rejects as `ProbeConnection.dial` does. `tls`: options of this one. */
  async dial(where: Destination, tls: ConnectionOptions = {}): Promise<ProbeConnection> {
    this.signal.throwIfAborted();
    if (++this.connections > mostConnections) throw new Error("a probe opens too many connections");
    const place = {
      ...where,
      port: this.port,
      tls: this.isTls ? { ...this.#tls(), ...tls } : null,
    };
    const connection = await ProbeConnection.dial(place, dialMsecs, this.signal);
    this.#open.add(connection);
    return connection;
  }

  /** Closes `connection`. */
  leave(connection: ProbeConnection): void {
    this.#open.delete(connection);
    connection.destroy();
  }

  /** Sends the request. Rejects when the probe is interrupted. */
  async ask(connection: ProbeConnection, answerMsecs = mostAnswerMsecs): Promise<Reply> {
    this.signal.throwIfAborted();
    this.requests++;
    const question: Question = { method: this.#plan.method, head: this.#head, answerMsecs };
    const reply = await connection.ask(question);
    this.signal.throwIfAborted();
    if (reply.kind === "answered") {
      this.#slowestMsecs = Math.max(this.#slowestMsecs, reply.firstByteMsecs);
    }
    return reply;
  }

  /** @throws The reason for which the probe was interrupted, if it was. */
  check(): void {
    this.signal.throwIfAborted();
  }

  /** Closes everything, and ends whatever still waits. */
  end(): void {
    this.#over.abort(new Error("the probe is over"));
    for (const connection of this.#open) this.leave(connection);
  }

  #tls(): ConnectionOptions {
    return {
      // Server names are DNS names (RFC 6066, section 3): an IP address is verified but not sent.
      servername: isIP(this.host) === 0 ? this.host : "",
      ALPNProtocols: ["http/1.1"],
      ...this.#plan.tls,
    };
  }
}

/** The middle of `values`; null when there are none. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}
