import { Agent, request } from "undici";
import { sendThrough } from "./through-dispatcher.mjs";

export const name = "undici request (Agent)";

export const start = async (url, sockets, work) =>
  sendThrough(request, new Agent({ connections: sockets, pipelining: 1 }), url, work);
