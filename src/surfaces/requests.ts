/**
 * How `keepline/http` and `keepline/https` make requests: as Node's modules do, with an agent of keepline's where the
 * program names none.
 */
import type http from "node:http";
import { ClientRequest } from "node:http";
import { Agent } from "./agent/agent.ts";

/** Told of a response. */
type Listener = (response: http.IncomingMessage) => void;

/** What Node's request functions take: a URL or not, options or not, a listener or not. */
export type RequestArgs = readonly [
  input: string | URL | http.RequestOptions | null | undefined,
  options?: http.RequestOptions | Listener | null | undefined,
  listener?: Listener | undefined,
];

/** The agent of those that name none, and of those that want one for themselves. */
export interface AgentChoice {
  readonly globalAgent: http.Agent;
  /** For `agent: false`: its sockets close after their request, as with Node. */
  makeAgent(): http.Agent;
}

/** Arguments for Node's `ClientRequest`. */
export function withAgent(
  [input, options, listener]: RequestArgs,
  choice: AgentChoice,
): [string | URL | http.RequestOptions, http.RequestOptions | Listener | undefined, Listener?] {
  if (typeof input === "string" || isUrl(input)) {
    if (typeof options === "function") return [input, chosen(undefined, choice), options];
    return listener === undefined
      ? [input, chosen(options, choice)]
      : [input, chosen(options, choice), listener];
  }
  // The listener is where the options would be.
  return [chosen(input, choice), options as Listener | undefined];
}

/** `options` of a program with what Node would find in its own module. */
function chosen(
  options: http.RequestOptions | null | undefined,
  choice: AgentChoice,
): http.RequestOptions {
  const { globalAgent } = choice;
  const _defaultAgent = globalAgent;
  // One of another kind makes its own, as Node lets it.
  const wantsOwn = options?.agent === false && globalAgent instanceof Agent;
  return wantsOwn
    ? { ...options, _defaultAgent, agent: choice.makeAgent() }
    : { ...options, _defaultAgent };
}

/** A URL, also of another realm or by another implementation. */
function isUrl(value: unknown): value is URL {
  if (value instanceof URL) return true;
  const { href, protocol, auth, path } = Object(value) as { [name: string]: unknown };
  return Boolean(href) && Boolean(protocol) && auth === undefined && path === undefined;
}

/** As `request` of Node's modules. */
export function makeRequest(args: RequestArgs, choice: AgentChoice): http.ClientRequest {
  return Reflect.construct(ClientRequest, withAgent(args, choice)) as http.ClientRequest;
}

/** `nodeModule` as an object that programs may change, as they may change that, with `own` in place of what Node has. */
export function moduleOf(
  nodeModule: object,
  own: Readonly<Record<string, unknown>>,
  globalAgent: { get(): http.Agent; set(agent: http.Agent): void },
): object {
  const visible = { configurable: true, enumerable: true } as const;
  const module = Object.defineProperties({}, Object.getOwnPropertyDescriptors(nodeModule));
  for (const [name, value] of Object.entries(own)) {
    Object.defineProperty(module, name, { ...visible, writable: true, value });
  }
  return Object.defineProperty(module, "globalAgent", { ...visible, ...globalAgent });
}
