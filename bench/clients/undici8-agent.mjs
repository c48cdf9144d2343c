import { Agent, request } from "undici8";
import { sendThrough } from "./through-dispatcher.mjs";

export const name = "undici 8 request (Agent)";

export const start = async (url, sockets, work) =>
  sendThrough(request, new Agent({ connections: sockets, pipelining: 1 }), url, work);
