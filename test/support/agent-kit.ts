/**
 * Requests of `node:http` for tests of agents, as programs make them.
 */
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import {
  Agent,
  type AgentOptions,
  HttpsAgent,
  type HttpsAgentOptions,
} from "../../src/surfaces/agent/index.ts";

/** A response that was read to its end, and what it came by. */
export interface Got {
  readonly statusCode: number;
  readonly body: string;
  readonly reused: boolean;
  readonly socket: Socket;
  /** The port of this side: the same for each request on one socket. */
  readonly port: number;
  readonly request: http.ClientRequest;
}

/** An agent that is destroyed after the test. */
export function makeAgent(t: TestContext, options?: AgentOptions): Agent {
  const agent = new Agent(options);
  t.after(() => agent.destroy());
  return agent;
}

/** As `makeAgent`, for https. */
export function makeHttpsAgent(t: TestContext, options?: HttpsAgentOptions): HttpsAgent {
  const agent = new HttpsAgent(options);
  t.after(() => agent.destroy());
  return agent;
}

/** Sends a request to `url`, and reads its response. The socket is free when this resolves. */
export async function get(
  url: string,
  options: https.RequestOptions & { body?: string },
): Promise<Got> {
  const { body, ...others } = options;
  const request = begin(url, others);
  request.end(body);
  return await finish(request);
}

/** A request to `url` that is not ended. */
export function begin(url: string, options: https.RequestOptions): http.ClientRequest {
  return url.startsWith("https:") ? https.request(url, options) : http.request(url, options);
}

/** Reads the response to `request`. Its socket is free when this resolves. */
export async function finish(request: http.ClientRequest): Promise<Got> {
  const closed = once(request, "close");
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const { socket } = response;
  const port = socket.localPort as number;
  let body = "";
  for await (const text of response.setEncoding("utf8")) body += text;
  await closed;
  // The socket is freed by what Node does right behind the event.
  await new Promise((resolve) => setImmediate(resolve));
  const { statusCode = 0 } = response;
  return { statusCode, body, reused: request.reusedSocket, socket, port, request };
}

/** The error that `request` ends with, once it has closed. */
export async function failure(request: http.ClientRequest): Promise<NodeJS.ErrnoException> {
  const closed = new Promise((resolve) => request.once("close", resolve));
  const [error] = (await once(request, "error")) as [NodeJS.ErrnoException];
  await closed;
  return error;
}

/** How many there are of each name, in all. */
export function countOf(lists: NodeJS.ReadOnlyDict<readonly unknown[]>): number {
  return Object.values(lists).reduce((sum, list) => sum + (list?.length ?? 0), 0);
}
