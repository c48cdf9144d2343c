/// <reference types="node" preserve="true" />
/**
 * `keepline/http`: all that `node:http` exports, with `request`, `get`, `Agent` and `globalAgent` on keepline's pools.
 * Invariant: whatever Node's module has in the running version, this one has.
 */
import http from "node:http";
import { Agent, type AgentConstructor } from "./agent/agent.ts";
import {
  type AgentChoice,
  makeRequest,
  moduleOf,
  type RequestArgs,
  withAgent,
} from "./requests.ts";

export * from "node:http";

/** The agent of requests that name none. To put another in its place, set it on the module object: `http.globalAgent = …`. */
let globalAgent: http.Agent = new Agent();

const choice: AgentChoice = {
  get globalAgent() {
    return globalAgent;
  },
  makeAgent: () => new Agent({ keepAlive: false }),
};

/** As Node's `ClientRequest`, with keepline's `globalAgent` where no agent is named. */
class ClientRequest extends http.ClientRequest {
  constructor(...args: [...RequestArgs]) {
    super(...(withAgent(args, choice) as unknown as [string]));
  }
}

/** As Node's `http.request`, through keepline's `globalAgent` where no agent is named. */
const request: typeof http.request = (...args: unknown[]) =>
  makeRequest(args as unknown as RequestArgs, choice);

/** As `request`, and ends the request. */
const get: typeof http.get = (...args: unknown[]) => {
  const made = makeRequest(args as unknown as RequestArgs, choice);
  made.end();
  return made;
};

/** The module as an object, as `require` and the default import have it. */
type HttpModule = Omit<typeof http, "Agent" | "globalAgent"> & {
  Agent: AgentConstructor;
  globalAgent: http.Agent;
};

const module = moduleOf(
  http,
  { Agent, ClientRequest, get, request },
  {
    get: () => globalAgent,
    set: (agent: http.Agent) => {
      globalAgent = agent;
    },
  },
) as unknown as HttpModule;

// biome-ignore lint/style/noNamespace: the types that a default import of node:http brings, and no code
declare namespace module {
  type Agent = import("./agent/agent.ts").Agent;
  type AgentOptions = import("./agent/options.ts").AgentOptions;
  type ClientRequest = http.ClientRequest;
  type ClientRequestArgs = http.ClientRequestArgs;
  type IncomingHttpHeaders = http.IncomingHttpHeaders;
  type IncomingMessage = http.IncomingMessage;
  type InformationEvent = http.InformationEvent;
  type OutgoingHttpHeader = http.OutgoingHttpHeader;
  type OutgoingHttpHeaders = http.OutgoingHttpHeaders;
  type OutgoingMessage<Request extends http.IncomingMessage = http.IncomingMessage> =
    http.OutgoingMessage<Request>;
  type RequestListener = http.RequestListener;
  type RequestOptions = http.RequestOptions;
  type Server = http.Server;
  type ServerOptions = http.ServerOptions;
  type ServerResponse<Request extends http.IncomingMessage = http.IncomingMessage> =
    http.ServerResponse<Request>;
}

export type { AgentOptions } from "./agent/options.ts";
export {
  Agent,
  ClientRequest,
  get,
  globalAgent,
  // biome-ignore lint/style/noDefaultExport: Node's modules have one
  module as default,
  // What `require` returns: Node looks for this name.
  module as "module.exports",
  request,
};
