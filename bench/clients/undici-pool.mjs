import { Pool } from "undici";
import { requestOf } from "./through-pool.mjs";

export const name = "undici Pool.request";

export const start = async (url, sockets, work) => requestOf(Pool, url, sockets, work);
