/**
 * Traces of what clients do, for those who ask for one: `GET trace`, with `client`, `for` (seconds) and `requests`. Each is recorded while it
 * is read, and no longer than was asked for.
 * Invariant: there are so many at once, and what a reader does not take is left out, and counted.
 */
import type { ServerResponse } from "node:http";
import type { World } from "../client/world.ts";
import { Capture } from "../record/capture.ts";

/** Traces that are taken at once. */
const mostTraces = 4;
const usualSeconds = 60;
const mostSeconds = 3_600;
const mostRequests = 100_000;
const mostBytes = 64 << 20;
/** Who reads more slowly than this misses requests. */
const mostBufferedBytes = 4 << 20;
/** An empty line is sent as often, so that silence means an end. */
const breathMsecs = 2_000;

/** Why a trace is refused. */
export interface Refusal {
  readonly status: 400 | 404 | 503;
  readonly words: string;
}

/** The traces of one dashboard. */
export class Traces {
  readonly #captures = new Map<Capture, World>();
  readonly #clients: ReadonlyMap<World, string>;

  /** @param clients Whose traces may be asked for, by their names. */
  constructor(clients: ReadonlyMap<World, string>) {
    this.#clients = clients;
  }

  /** What `query` asks for, as a function that sends it to a reader; or why it is refused. */
  asked(query: URLSearchParams): Refusal | ((response: ServerResponse) => void) {
    const unknown = [...query.keys()].find((name) => !["client", "for", "requests"].includes(name));
    if (unknown !== undefined) {
      return { status: 400, words: "known are client, for (seconds) and requests" };
    }
    const seconds = numberOf(query.get("for"), usualSeconds, mostSeconds);
    const requests = numberOf(query.get("requests"), mostRequests, mostRequests);
    if (seconds === null) return { status: 400, words: `for must be 1 to ${mostSeconds} seconds` };
    if (requests === null) return { status: 400, words: `requests must be 1 to ${mostRequests}` };
    const world = this.#worldOf(query.get("client"));
    if ("status" in world) return world;
    if (this.#captures.size >= mostTraces) {
      return { status: 503, words: `${mostTraces} traces are being taken already` };
    }
    return (response) => this.#send(world, seconds * 1_000, requests, response);
  }

  /** `world` is no client of the dashboard any more. */
  leave(world: World): void {
    for (const [capture, its] of this.#captures) if (its === world) capture.end("stopped");
  }

  #worldOf(name: string | null): World | Refusal {
    const clients = [...this.#clients];
    const named = clients.map(([, each]) => JSON.stringify(each)).slice(0, 20);
    if (name === null) {
      const [only] = clients;
      if (only !== undefined && clients.length === 1) return only[0];
      const words =
        clients.length === 0 ? "there is no client" : `name a client: ${named.join(", ")}`;
      return { status: 400, words };
    }
    const found = clients.find(([, each]) => each === name);
    if (found !== undefined) return found[0];
    const there = named.length === 0 ? "none" : named.join(", ");
    return { status: 404, words: `there is no client of that name, but ${there}` };
  }

  #send(world: World, maxMsecs: number, maxRequests: number, response: ServerResponse): void {
    const breath = setInterval(() => response.write("\n"), breathMsecs).unref();
    const capture = new Capture(
      world,
      { maxRequests, maxMsecs, maxBytes: mostBytes },
      {
        write: (text) => {
          if (response.destroyed || response.writableLength > mostBufferedBytes) return false;
          response.write(text);
          return true;
        },
        end: () => {
          clearInterval(breath);
          this.#captures.delete(capture);
          response.end();
        },
      },
    );
    this.#captures.set(capture, world);
    response.on("close", () => capture.end("stopped"));
  }
}

/** A whole number from 1 to `most`; null for what is none. */
function numberOf(text: string | null, usual: number, most: number): number | null {
  if (text === null) return usual;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= most ? value : null;
}
