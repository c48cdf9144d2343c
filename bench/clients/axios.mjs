import axios from "axios";
import { works } from "../works.mjs";
import { nodeAgent } from "./through-agent.mjs";

export const name = "axios, keep-alive Agent";

export async function start(url, sockets, { method, headers, body } = works.get) {
  const agent = nodeAgent(url, sockets);
  const client = axios.create({ httpAgent: agent, httpsAgent: agent, responseType: "text" });
  return {
    run: (signal) => client.request({ url, method, headers, data: body, signal }),
    stop: () => agent.destroy(),
  };
}
