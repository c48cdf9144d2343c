import { Dispatcher, request } from "undici";
import { Client } from "../../dist/index.js";
import { dispatcherFor } from "../../dist/surfaces/undici/index.js";
import { sendThrough } from "./through-dispatcher.mjs";

export const name = "undici request (keepline)";

export async function start(url, sockets, work) {
  const client = new Client({ maxSockets: sockets });
  const Keepline = dispatcherFor(Dispatcher);
  return sendThrough(request, new Keepline(client), url, work);
}
