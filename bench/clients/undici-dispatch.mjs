import { Pool } from "undici";
import { dispatchOf } from "./through-pool.mjs";

export const name = "undici Pool.dispatch";

export const start = async (url, sockets, work) => dispatchOf(Pool, url, sockets, work);
