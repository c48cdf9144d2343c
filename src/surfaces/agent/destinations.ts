/**
 * Where the requests of an agent go: which pool by their options and by those of the agent.
 * Invariant: two requests get the same pool when, and only when, Node's agents give their options the same name; and where
 * the pools are a client's, a request that says no more than where it goes gets the plain pool of its origin.
 */
import type http from "node:http";
import type { PoolSite } from "../../core/site.ts";
import type { HttpPool } from "../../http1/connection-user.ts";
import type { Address } from "../../net/dial.ts";
import {
  type ConnectionOptions,
  identityOf,
  isPlain,
  numberOf,
  saysHowToDial,
} from "./identity.ts";
import { AgentRoute, type RouteOwner } from "./route.ts";
import { serverNameOf } from "./server-name.ts";

/** What finds destinations needs of the agent. */
export interface DestinationOwner extends RouteOwner {
  readonly isTls: boolean;
  readonly isShared: boolean;
  /** `agent.options`, which the program may change at any time. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The client that has the pools verifies certificates. */
  readonly isVerifying: boolean;
  /** The program makes the sockets. */
  readonly isCustom: boolean;
  /** `agent.getName` where the program has one of its own; null otherwise. */
  readonly ownName: ((options: http.RequestOptions) => string) | null;
}

/** Where requests go whose options are alike. */
export interface Destination {
  readonly host: string;
  readonly port: unknown;
  readonly hostField: unknown;
  readonly isCustom: boolean;
  readonly site: PoolSite;
  /** The pool last used for it; null before the first request. */
  pool: HttpPool | null;
}

/** Enough for a program that goes round many hosts. */
const mostDestinations = 4_096;

/** The destinations of one agent. */
export class Destinations {
  readonly #owner: DestinationOwner;
  readonly #byAddress = new Map<string, Destination>();
  #last: Destination | null = null;
  /** The options of the agent when these were noted. */
  #noted: Readonly<Record<string, unknown>> = {};
  #notedCount = -1;
  #hasOwnAddress = false;

  constructor(owner: DestinationOwner) {
    this.#owner = owner;
  }

  /** With each request, so it looks no further than at what may differ from the last one. */
  find(req: http.ClientRequest, options: ConnectionOptions): Destination {
    const owner = this.#owner;
    if (this.#haveChanged(owner.options)) this.#note(owner.options);
    const { isTls, isCustom } = owner;
    const { host, port } = options;
    const hostField = isTls ? req.getHeader("host") : null;
    const isUsual =
      !this.#hasOwnAddress &&
      isPlain(options, isTls) &&
      !(owner.isShared && saysHowToDial(options)) &&
      owner.ownName === null;
    if (!isUsual) return this.#make(req, options, hostField);
    const last = this.#last;
    if (last !== null && isFor(last, host, port, hostField, isCustom)) return last;
    const address = `${host}:${port}`;
    let found = this.#byAddress.get(address);
    if (found === undefined || !isFor(found, host, port, hostField, isCustom)) {
      found = this.#make(req, options, hostField);
      // Forgetting all of them is as good as forgetting the right ones when there are so many.
      if (this.#byAddress.size >= mostDestinations) this.#byAddress.clear();
      this.#byAddress.set(address, found);
    }
    this.#last = found;
    return found;
  }

  #make(req: http.ClientRequest, options: ConnectionOptions, hostField: unknown): Destination {
    const owner = this.#owner;
    const { isTls, isShared, isCustom, ownName } = owner;
    // As Node merges them: what the agent was given goes first.
    const merged: Record<string, unknown> = { ...options, ...owner.options };
    const host = String(merged.host || "localhost");
    const address: Address = { isTls, host, port: Number(merged.port) };
    const origin = originOf(address);
    const serverName =
      typeof merged.servername === "string"
        ? merged.servername
        : serverNameOf(host, req.getHeader("host"));
    merged.servername = serverName;
    // Some clients say with each request what holds in any case.
    if (isShared && merged.rejectUnauthorized === true && owner.isVerifying) {
      delete merged.rejectUnauthorized;
    }
    let identity = identityOf(merged, isTls, host);
    if (ownName !== null) identity += `name=${ownName(merged as http.RequestOptions)};`;
    if (isCustom) identity += isShared ? `agent=${numberOf(owner)};` : "custom;";
    else if (isShared && identity === "" && saysHowToDial(merged)) identity = "dialed=otherwise;";
    const isOrigin = isShared && identity === "";
    const site = {
      origin,
      key: isOrigin ? origin : `${origin} ${identity}`,
      route: isOrigin ? null : new AgentRoute(owner, address, serverName, options, isCustom),
    };
    return {
      host: options.host as string,
      port: options.port,
      hostField,
      isCustom,
      site,
      pool: null,
    };
  }

  #haveChanged(options: Readonly<Record<string, unknown>>): boolean {
    let count = 0;
    for (const name in options) {
      if (options[name] !== this.#noted[name]) return true;
      count++;
    }
    return count !== this.#notedCount;
  }

  #note(options: Readonly<Record<string, unknown>>): void {
    this.#noted = { ...options };
    this.#notedCount = Object.keys(options).length;
    this.#hasOwnAddress = options.host !== undefined || options.port !== undefined;
    this.#byAddress.clear();
    this.#last = null;
  }
}

function isFor(
  destination: Destination,
  host: unknown,
  port: unknown,
  hostField: unknown,
  isCustom: boolean,
): boolean {
  return (
    destination.host === host &&
    destination.port === port &&
    destination.hostField === hostField &&
    destination.isCustom === isCustom
  );
}

/** As a URL has it, so that the same origin is the same text however it is written. */
function originOf({ isTls, host, port }: Address): string {
  const protocol = isTls ? "https:" : "http:";
  const text = `${protocol}//${host.includes(":") ? `[${host}]` : host}:${port}`;
  try {
    return new URL(text).origin;
  } catch {
    return text;
  }
}
