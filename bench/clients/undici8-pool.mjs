import { Pool } from "undici8";
import { requestOf } from "./through-pool.mjs";

export const name = "undici 8 Pool.request";

export const start = async (url, sockets, work) => requestOf(Pool, url, sockets, work);
