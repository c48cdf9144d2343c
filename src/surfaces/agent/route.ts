/**
 * How an agent dials for one of its pools: by itself, with what the program said of connections; or by the program's own
 * `createConnection`, in whichever way that gives its socket.
 */
import type http from "node:http";
import { getDefaultAutoSelectFamily, Socket } from "node:net";
import { clientRules } from "../../client/options.ts";
import type { Clock } from "../../core/clock.ts";
import {
  type Address,
  Dialer,
  type ExtraOptions,
  type Route,
  type RouteListener,
} from "../../net/dial.ts";
import type { ConnectionOptions } from "./identity.ts";

/** What a route needs of its agent. */
export interface RouteOwner {
  readonly clock: Clock;
  /** Options for a connection, as Node would make them of those of a request. */
  connectionOptions(options: ConnectionOptions, serverName: string): Record<string, unknown>;
  /** Makes a socket in the program's own way. */
  create(
    request: http.ClientRequest,
    options: Record<string, unknown>,
    done: (error: Error | null | undefined, socket?: Socket) => void,
  ): void;
  /** A socket for this agent begins to be dialed. */
  dialing(socket: Socket): void;
  /** The program's own way gave none. */
  notCreated(): void;
}

/** A route of one agent. */
export class AgentRoute implements Route {
  readonly address: Address;
  /** True when the program makes the sockets. */
  readonly isCustom: boolean;
  /** Of the request that asked last: late binding knows no other for whom a socket will be. */
  options: ConnectionOptions;
  /** The request itself, where the program's own code may want to see it. */
  request: http.ClientRequest | null = null;
  readonly #owner: RouteOwner;
  readonly #serverName: string;
  #dialer: Dialer | null = null;

  constructor(
    owner: RouteOwner,
    address: Address,
    serverName: string,
    options: ConnectionOptions,
    isCustom: boolean,
  ) {
    this.#owner = owner;
    this.address = address;
    this.#serverName = serverName;
    this.options = options;
    this.isCustom = isCustom;
  }

  /** Options for a connection, as Node would make them. */
  connectionOptions(): Record<string, unknown> {
    return this.#owner.connectionOptions(this.options, this.#serverName);
  }

  dial(listener: RouteListener): Socket {
    const options = this.connectionOptions();
    if (this.isCustom) return this.#create(options, listener);
    const extra = dialOptions(options);
    // Sessions and certificates are those of the pool, whose requests have one TLS identity.
    this.#dialer ??= new Dialer(
      {
        ...clientRules.connect.default,
        autoSelectFamily: getDefaultAutoSelectFamily(),
        tls: this.address.isTls ? extra : null,
      },
      this.#owner.clock,
    );
    const socket = this.#dialer.dial(this.address, listener, extra);
    this.#owner.dialing(socket);
    return socket;
  }

  #create(options: Record<string, unknown>, listener: RouteListener): Socket {
    const { clock } = this.#owner;
    const startedAt = clock();
    let isDone = false;
    const done = (error: Error | null | undefined, socket?: Socket): void => {
      if (isDone) return;
      isDone = true;
      if (socket === undefined || error) {
        this.#owner.notCreated();
        // Not at once: who dials does not yet know that it has begun.
        process.nextTick(() => listener.failed(error ?? hangUp()));
      } else {
        this.#owner.dialing(socket);
        whenOpen(socket, listener, clock, startedAt);
      }
    };
    try {
      this.#owner.create(this.request as http.ClientRequest, options, done);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
    return new Socket();
  }
}

/** Tells `listener` when a socket of the program's can be used. */
function whenOpen(socket: Socket, listener: RouteListener, clock: Clock, startedAt: number): void {
  listener.provided(socket);
  const opened = (): void => {
    socket.off("error", failed).off("close", closed);
    const isResumed = (socket as Partial<TlsSide>).isSessionReused?.() === true;
    listener.opened({ dns: null, connect: clock() - startedAt, tls: null }, isResumed);
  };
  const failed = (error: Error): void => {
    socket.off("close", closed);
    listener.failed(error);
  };
  const closed = (): void => {
    socket.off("error", failed);
    listener.failed(hangUp());
  };
  socket.on("error", failed).on("close", closed);
  if ((socket as Partial<TlsSide>).secureConnecting === true) socket.once("secureConnect", opened);
  else if (socket.connecting === true) socket.once("connect", opened);
  // Not at once: who dials does not yet know that it has begun.
  else process.nextTick(() => (socket.destroyed ? closed() : opened()));
}

/** What only TLS sockets have. */
interface TlsSide {
  readonly secureConnecting: boolean;
  isSessionReused(): boolean;
}

/** The error of Node for a socket that closed before it answered. */
export function hangUp(): Error {
  return Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
}

/** Options of a request that mean something else for a socket, or that keepline sets. */
const otherNames = new Set([
  "host",
  "hostname",
  "port",
  "onread",
  "timeout",
  "headers",
  "method",
  "agent",
  "auth",
  "signal",
  "encoding",
  "_agentKey",
  "createConnection",
]);

/** `options` for `net.connect` or `tls.connect`, whose defaults an undefined or null would put aside. */
function dialOptions(options: ConnectionOptions): ExtraOptions {
  const extra: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && value !== null && !otherNames.has(name)) extra[name] = value;
  }
  return extra;
}
