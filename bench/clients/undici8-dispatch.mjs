import { Pool } from "undici8";
import { dispatchOf } from "./through-pool.mjs";

export const name = "undici 8 Pool.dispatch";

export const start = async (url, sockets, work) => dispatchOf(Pool, url, sockets, work);
