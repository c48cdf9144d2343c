/**
 * What both agents have in place of what Node's have. It is put on their prototypes, since one of them must inherit from
 * `http.Agent` and the other from `https.Agent`; accessors, so that what is changed later takes effect.
 */
import type http from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Msecs } from "../../core/clock.ts";
import type { CoreOptions } from "../../core/options.ts";
import type { Agent } from "./agent.ts";
import {
  type AgentOptions,
  type AgentSettings,
  checkAgentOption,
  resolveAgentOptions,
} from "./options.ts";
import { type Hooks, Pooling, type SharedPart, watchKeylog } from "./pooling.ts";
import { AgentRequest } from "./request.ts";
import {
  type AgentStatus,
  busySocketsOf,
  freeSocketsOf,
  socketCountOf,
  statusOf,
  waitingRequestsOf,
} from "./status.ts";

/** What an agent has beside what it inherits. Limits can be changed at any time, unless the agent is of a client: then they are the client's. */
export interface AgentMembers {
  /** What the agent was given, which goes before the options of requests. Changes hold for requests made later. */
  options: AgentOptions;
  readonly protocol: string;
  readonly defaultPort: number;
  /** Keep sockets for reuse. */
  keepAlive: boolean;
  /** How long a socket may be idle, in ms. */
  keepAliveMsecs: Msecs;
  /** Sockets by name, those being connected included; further requests wait. */
  maxSockets: number;
  /** Idle sockets kept by name. */
  maxFreeSockets: number;
  /** Sockets over all names. */
  maxTotalSockets: number;
  scheduling: "lifo" | "fifo";
  /** Taken off the hints of servers, in ms. */
  agentKeepAliveTimeoutBuffer: Msecs;
  /** Sockets in use or being connected, by name. Made when it is looked at. */
  readonly sockets: NodeJS.ReadOnlyDict<Socket[]>;
  /** Idle sockets by name, the one idle for longest first. Made when it is looked at. */
  readonly freeSockets: NodeJS.ReadOnlyDict<Socket[]>;
  /** Requests that wait for a socket to become free, by name. Made when it is looked at. */
  readonly requests: NodeJS.ReadOnlyDict<http.ClientRequest[]>;
  /** All sockets, idle ones included. */
  readonly totalSocketCount: number;
  /** True when counts of `getCurrentStatus` have changed since it was looked at last. */
  readonly statusChanged: boolean;
  /** Called by `ClientRequest`: gives `req` a socket, or lets it wait for one. */
  addRequest(
    req: http.ClientRequest,
    options: http.RequestOptions | string,
    port?: number,
    localAddress?: string,
  ): void;
  /** Makes a socket by `createConnection`. One of the program's own is used in its place. */
  createSocket(
    req: http.ClientRequest,
    options: http.RequestOptions,
    callback: (error: Error | null | undefined, socket?: Socket) => void,
  ): void;
  /** Whether a socket that became free is kept. A program's own is asked, and may set a timeout, after which the idle socket is closed. */
  keepSocketAlive(socket: Duplex): boolean;
  /** `socket`, which was kept, goes to `request`. */
  reuseSocket(socket: Duplex, request: http.ClientRequest): void;
  /** Counts, and how many sockets and requests there are by name. */
  getCurrentStatus(): AgentStatus;
  /**
   * Closes the sockets of the agent, those in use, too. It remains usable, and requests that wait for others' sockets get
   * fresh ones. Where the pools are a client's, only sockets that requests of this agent have.
   */
  destroy(): void;
}

const poolings = new WeakMap<object, Pooling>();
const defaults = resolveAgentOptions(undefined, "");
const lastStatus = new WeakMap<Pooling, string>();

/** `agent` begins: Node's constructor has run. */
export function begin(
  agent: Agent,
  usual: Hooks,
  settings: AgentSettings,
  shared: SharedPart | null,
): void {
  // The listener that pools sockets, and the one for key logs, which looks for sockets where they are not.
  agent.removeAllListeners("free");
  agent.removeAllListeners("newListener");
  agent.agentKeepAliveTimeoutBuffer = settings.agentKeepAliveTimeoutBuffer;
  const pooling = new Pooling(agent, usual, settings, shared);
  poolings.set(agent, pooling);
  agent.on("newListener", (event: unknown) => {
    if (event !== "keylog" || agent.listenerCount("keylog") > 0) return;
    // The listener is there when this one has returned.
    process.nextTick(() => {
      for (const of of [busySocketsOf, freeSocketsOf]) {
        for (const socket of Object.values(of(pooling)).flat()) watchKeylog(agent, socket);
      }
    });
  });
}

/** What stands behind `agent`. */
function poolingOf(agent: object): Pooling {
  const pooling = poolings.get(agent);
  if (pooling === undefined) throw new TypeError("this is no agent of keepline");
  return pooling;
}

/** Names of the limits that can be changed later. */
type Limit =
  | "keepAlive"
  | "keepAliveMsecs"
  | "maxSockets"
  | "maxFreeSockets"
  | "maxTotalSockets"
  | "scheduling";

function limitAccessor(name: Limit): PropertyDescriptor {
  return {
    configurable: true,
    get(this: object): unknown {
      // Node's constructor looks at what it has assigned.
      return (poolings.get(this)?.limits ?? defaults)[name];
    },
    set(this: object, value: unknown): void {
      const pooling = poolings.get(this);
      if (pooling === undefined) return; // Node's constructor
      checkAgentOption(name, value, "agent");
      pooling.change({ [name]: value } as Partial<CoreOptions>);
    },
  };
}

/** An accessor that makes its value, and takes none. */
function view(of: (pooling: Pooling) => unknown): PropertyDescriptor {
  return {
    configurable: true,
    get(this: object): unknown {
      const pooling = poolings.get(this);
      return pooling === undefined ? undefined : of(pooling);
    },
    set(): void {},
  };
}

const methods: ThisType<Agent> &
  Pick<
    AgentMembers,
    | "addRequest"
    | "createSocket"
    | "keepSocketAlive"
    | "reuseSocket"
    | "getCurrentStatus"
    | "destroy"
  > = {
  addRequest(req, options, port, localAddress) {
    const given = typeof options === "string" ? { host: options, port, localAddress } : options;
    poolingOf(this).send(req, given as Record<string, unknown>);
  },

  createSocket(_req, options, callback) {
    const merged: Record<string, unknown> = { ...options, ...this.options, encoding: null };
    if (merged.socketPath) merged.path = merged.socketPath;
    // Node merges in the same way, so a name that `options` bring is not lost.
    if (options.timeout) merged.timeout = options.timeout;
    merged._agentKey = this.getName(merged as http.RequestOptions);
    let isDone = false;
    const done = (error: Error | null | undefined, socket?: Duplex): void => {
      if (isDone) return;
      isDone = true;
      callback(error, socket as Socket | undefined);
    };
    const made = this.createConnection(merged as http.ClientRequestArgs, done);
    if (made !== null && made !== undefined && !waitsForTunnel(made)) done(null, made);
  },

  keepSocketAlive(socket) {
    const { setKeepAlive, unref } = socket as Partial<Socket>;
    setKeepAlive?.call(socket, true, poolingOf(this).tcpKeepAliveMsecs);
    unref?.call(socket);
    return true;
  },

  reuseSocket(socket, request) {
    request.reusedSocket = true;
    (socket as Partial<Socket>).ref?.();
  },

  getCurrentStatus() {
    return statusOf(poolingOf(this));
  },

  destroy() {
    destroySockets(poolingOf(this));
  },
};

function destroySockets(pooling: Pooling): void {
  for (const pool of [...pooling.pools()]) {
    const { pools, clock } = pooling.world;
    for (const { queue } of pooling.isShared ? [] : [...pool.lanes.all]) {
      for (const request of queueOf(queue.head)) if (request.covered) request.req.destroy();
    }
    for (const connection of [...pool.roster.connections]) {
      const { state, holders, transport } = connection;
      const isBusy = state.kind === "busy" || state.kind === "draining";
      // What happens on a socket in use is told by the socket itself.
      if (isBusy) {
        const isOwn = holders.some((each) => each instanceof AgentRequest && each.isOf(pooling));
        if (isOwn) transport?.socket.destroy();
      } else if (!pooling.isShared) pools.lost(connection, "client-closed", clock());
    }
  }
}

/** Node's agents return the socket to a proxy at once, and call back with the one that goes through it. */
function waitsForTunnel(socket: object): boolean {
  return Object.getOwnPropertySymbols(socket).some(
    (each) => each.description === "kWaitForProxyTunnel",
  );
}

function queueOf(head: unknown): AgentRequest[] {
  const all: AgentRequest[] = [];
  for (let each = head; each instanceof AgentRequest; each = each.behind) all.push(each);
  return all;
}

/** Puts all of this on the prototype of an agent. */
export function addMembers(prototype: object): void {
  const limits: Limit[] = [
    "keepAlive",
    "keepAliveMsecs",
    "maxSockets",
    "maxFreeSockets",
    "maxTotalSockets",
    "scheduling",
  ];
  for (const name of limits) Object.defineProperty(prototype, name, limitAccessor(name));
  Object.defineProperties(prototype, {
    sockets: view(busySocketsOf),
    freeSockets: view(freeSocketsOf),
    requests: view(waitingRequestsOf),
    totalSocketCount: view(socketCountOf),
    statusChanged: view(hasChanged),
    // A socket leaves its pool when it closes, and by nothing else.
    removeSocket: { configurable: true, writable: true, value: () => {} },
  });
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { configurable: true, writable: true, value });
  }
}

function hasChanged(pooling: Pooling): boolean {
  const now = JSON.stringify(pooling.counts);
  const before = lastStatus.get(pooling);
  lastStatus.set(pooling, now);
  return before === undefined
    ? Object.values(pooling.counts).some((count) => count > 0)
    : now !== before;
}
