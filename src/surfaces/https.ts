/// <reference types="node" preserve="true" />
/**
 * `keepline/https`: all that `node:https` exports, with `request`, `get`, `Agent` and `globalAgent` on keepline's pools.
 * Invariant: whatever Node's module has in the running version, this one has.
 */
import type http from "node:http";
import https from "node:https";
import { HttpsAgent, type HttpsAgentConstructor } from "./agent/agent.ts";
import { type AgentChoice, makeRequest, moduleOf, type RequestArgs } from "./requests.ts";

export * from "node:https";

/** The agent of requests that name none. To put another in its place, set it on the module object: `https.globalAgent = …`. */
let globalAgent: https.Agent = new HttpsAgent();

const choice: AgentChoice = {
  get globalAgent() {
    return globalAgent;
  },
  makeAgent: () => new HttpsAgent({ keepAlive: false }),
};

/** As Node's `https.request`, through keepline's `globalAgent` where no agent is named. */
const request: typeof https.request = (...args: unknown[]) =>
  makeRequest(args as unknown as RequestArgs, choice);

/** As `request`, and ends the request. */
const get: typeof https.get = (...args: unknown[]) => {
  const made = makeRequest(args as unknown as RequestArgs, choice);
  made.end();
  return made;
};

/** The module as an object, as `require` and the default import have it. */
type HttpsModule = Omit<typeof https, "Agent" | "globalAgent"> & {
  Agent: HttpsAgentConstructor;
  globalAgent: https.Agent;
};

const module = moduleOf(
  https,
  { Agent: HttpsAgent, get, request },
  {
    get: () => globalAgent,
    set: (agent: https.Agent) => {
      globalAgent = agent;
    },
  },
) as unknown as HttpsModule;

// biome-ignore lint/style/noNamespace: the types that a default import of node:https brings, and no code
declare namespace module {
  type Agent = import("./agent/agent.ts").HttpsAgent;
  type AgentOptions = import("./agent/options.ts").HttpsAgentOptions;
  type RequestOptions = https.RequestOptions;
  type Server<
    Request extends typeof http.IncomingMessage = typeof http.IncomingMessage,
    Response extends typeof http.ServerResponse<InstanceType<Request>> = typeof http.ServerResponse,
  > = https.Server<Request, Response>;
  type ServerOptions = https.ServerOptions;
}

export type { HttpsAgentOptions as AgentOptions } from "./agent/options.ts";
export {
  get,
  globalAgent,
  HttpsAgent as Agent,
  // biome-ignore lint/style/noDefaultExport: Node's modules have one
  module as default,
  // What `require` returns: Node looks for this name.
  module as "module.exports",
  request,
};
