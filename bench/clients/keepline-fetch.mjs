import { Client } from "../../dist/index.js";
import { sendByFetch } from "./through-fetch.mjs";

export const name = "keepline client.fetch";

export async function start(url, sockets, work) {
  const client = new Client({ maxSockets: sockets });
  return sendByFetch(
    (input, init) => client.fetch(input, init),
    url,
    work,
    () => client.destroy(),
  );
}
