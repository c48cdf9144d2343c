import { Pool } from "undici";

export const name = "undici Pool.request";

export async function start(url, sockets) {
  const pool = new Pool(url, { connections: sockets, pipelining: 1 });
  return {
    run: async (signal) => {
      const response = await pool.request({ path: "/", method: "GET", signal });
      await response.body.text();
    },
    stop: () => pool.destroy(),
  };
}
