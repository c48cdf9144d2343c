import { start as startKeepline } from "./keepline.mjs";

export const name = "keepline, stats() ten times a second";

export async function start(url, sockets, work) {
  const driver = await startKeepline(url, sockets, work);
  const timer = setInterval(() => driver.client.stats(), 100);
  return {
    ...driver,
    stop: () => {
      clearInterval(timer);
      driver.stop();
    },
  };
}
