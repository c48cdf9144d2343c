import { Pool } from "undici";
import { streamOf } from "./through-pool.mjs";

export const name = "undici Pool.stream";

export const start = async (url, sockets, work) => streamOf(Pool, url, sockets, work);
