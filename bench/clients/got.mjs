import got from "got";
import { works } from "../works.mjs";
import { nodeAgent } from "./through-agent.mjs";

export const name = "got, keep-alive Agent";

export async function start(url, sockets, { method, headers, body } = works.get) {
  const agent = nodeAgent(url, sockets);
  const client = got.extend({ agent: { http: agent, https: agent }, retry: { limit: 0 } });
  const options = { method, headers, ...(body === null ? {} : { body }) };
  return {
    run: (signal) => client(url, signal ? { ...options, signal } : options).text(),
    stop: () => agent.destroy(),
  };
}
