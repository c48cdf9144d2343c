// The global fetch has no limit on sockets of its own: the requests under way are the limit.

import { sendByFetch } from "./through-fetch.mjs";

export const name = "built-in fetch";

export const start = async (url, _, work) => sendByFetch(fetch, url, work);
