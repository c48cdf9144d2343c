/**
 * `Agent` and `HttpsAgent`: Node's agents on keepline's pools. They inherit from Node's own, which programs test for, and
 * take nothing of them but `createConnection` and `getName`.
 * Invariant: nothing of Node's pooling is in force: its listener for `free` is gone, and what its constructor assigns is not taken.
 */
import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { type AgentMembers, addMembers, begin } from "./members.ts";
import {
  type AgentOptions,
  type AgentSettings,
  type HttpsAgentOptions,
  resolveAgentOptions,
} from "./options.ts";
import type { Hooks, SharedPart } from "./pooling.ts";

/** Node's `http.Agent` on keepline's pools: `keepAlive` defaults to true, and `keepAliveMsecs` is how long a socket may be idle. */
export interface Agent extends http.Agent, AgentMembers {
  /** Whether a socket that became free is kept. A program's own is asked, and may set a timeout, after which the idle socket is closed. */
  keepSocketAlive(socket: Duplex): boolean;
}

/** Node's `https.Agent` on keepline's pools. */
export interface HttpsAgent extends https.Agent, AgentMembers {
  options: HttpsAgentOptions;
  /** As that of `Agent`. */
  keepSocketAlive(socket: Duplex): boolean;
}

/** `Agent`, with or without `new`. */
export interface AgentConstructor {
  new (options?: AgentOptions | null): Agent;
  (options?: AgentOptions | null): Agent;
  readonly prototype: Agent;
  /** `maxSockets` where none is given. */
  defaultMaxSockets: number;
}

/** `HttpsAgent`, with or without `new`. */
export interface HttpsAgentConstructor {
  new (options?: HttpsAgentOptions | null): HttpsAgent;
  (options?: HttpsAgentOptions | null): HttpsAgent;
  readonly prototype: HttpsAgent;
  defaultMaxSockets: number;
}

/** Hidden among the options: the part of a client that an agent sends to. */
const sharedPart = Symbol("keepline.shared");

type Given = (AgentOptions & { readonly [sharedPart]?: SharedPart }) | null | undefined;

/** One of Node's agents with the class that takes its place. */
interface Kind {
  readonly nodeAgent: typeof http.Agent;
  readonly prototype: object;
  readonly where: string;
}

class PlainAgent extends http.Agent {
  constructor(given?: Given) {
    const settings = settingsOf(given, plainKind.where);
    super(nodeOptions(given, settings));
    beginAs(plainKind, this, given, settings);
  }
}

class TlsAgent extends https.Agent {
  constructor(given?: Given) {
    const settings = settingsOf(given, tlsKind.where);
    super(nodeOptions(given, settings));
    beginAs(tlsKind, this, given, settings);
  }
}

const plainKind: Kind = {
  nodeAgent: http.Agent,
  prototype: PlainAgent.prototype,
  where: "new Agent()",
};

const tlsKind: Kind = {
  nodeAgent: https.Agent,
  prototype: TlsAgent.prototype,
  where: "new HttpsAgent()",
};

// What programs and debuggers are shown.
Object.defineProperty(PlainAgent, "name", { configurable: true, value: "Agent" });
Object.defineProperty(TlsAgent, "name", { configurable: true, value: "HttpsAgent" });

addMembers(PlainAgent.prototype);
addMembers(TlsAgent.prototype);

/**
 * An `http.Agent` on keepline's pools: `new http.Agent()` with three differences. `keepAlive` defaults to true;
 * `keepAliveMsecs` is how long a socket may be idle, 5000 by default; and `tcpKeepAliveMsecs` is what Node calls so.
 *
 * A request that dies with its socket is sent again only when it had not been given the socket yet: what Node's
 * `ClientRequest` has written cannot be taken back. `client.request` has no such limit.
 */
export const Agent: AgentConstructor = callable(PlainAgent, plainKind);

/** An `https.Agent` on keepline's pools, with the differences of `Agent`. */
export const HttpsAgent: HttpsAgentConstructor = callable(TlsAgent, tlsKind);

// Node's https.Agent is an http.Agent. One that inherits from Node's cannot inherit from `Agent` as well.
Object.defineProperty(PlainAgent, Symbol.hasInstance, {
  value(this: unknown, value: unknown): boolean {
    const isInstance = Function.prototype[Symbol.hasInstance].call(this as object, value);
    return isInstance || ((this === Agent || this === PlainAgent) && value instanceof TlsAgent);
  },
});

/** An agent for `http:` on the pools of a client. */
export function sharedAgent(part: SharedPart): Agent {
  return new PlainAgent({ [sharedPart]: part }) as unknown as Agent;
}

/** An agent for `https:` on the pools of a client. */
export function sharedHttpsAgent(part: SharedPart): HttpsAgent {
  return new TlsAgent({ [sharedPart]: part }) as unknown as HttpsAgent;
}

/** Checked before Node's constructor runs, which has other errors for some. */
function settingsOf(given: Given, where: string): AgentSettings {
  const maxSockets = given?.maxSockets ?? (Agent.defaultMaxSockets || undefined);
  return resolveAgentOptions({ ...given, maxSockets }, where);
}

/** What Node's constructor takes, and `agent.options` shows. */
function nodeOptions(given: Given, settings: AgentSettings): http.AgentOptions {
  const { [sharedPart]: _, ...options } = { ...given };
  return { ...options, keepAlive: settings.keepAlive };
}

function beginAs(kind: Kind, agent: object, given: Given, settings: AgentSettings): void {
  begin(agent as Agent, kind.prototype as Hooks, settings, given?.[sharedPart] ?? null);
}

/** `Class`, which can also be called: by those who forget `new`, and by constructors from before there were classes. */
function callable<C>(Class: new (given?: Given) => object, kind: Kind): C {
  const both = new Proxy(Class, {
    apply(_, self: unknown, [given]: [Given]): object | undefined {
      if (!(self instanceof Class)) return new Class(given);
      const settings = settingsOf(given, kind.where);
      Reflect.apply(kind.nodeAgent, self, [nodeOptions(given, settings)]);
      beginAs(kind, self, given, settings);
      return undefined;
    },
  });
  Object.defineProperty(Class.prototype, "constructor", {
    configurable: true,
    writable: true,
    value: both,
  });
  return both as C;
}
