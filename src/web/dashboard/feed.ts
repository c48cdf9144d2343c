/**
 * Reads the feed of the dashboard into a history, and says whether it is connected. EventSource connects again by itself.
 */

import type { History } from "../../dashboard/history.ts";
import type { Hello, Update } from "../../dashboard/messages.ts";

/** How the page stands to the program. */
export type Connection = "connecting" | "live" | "lost";

/** Reads on until the page is closed. `changed` is called after every update, and when the connection changes. */
export function readFeed(history: History, changed: (connection: Connection) => void): void {
  let source: EventSource;
  const open = (): void => {
    source = new EventSource("feed");
    source.addEventListener("hello", (event) => {
      history.begin(JSON.parse(event.data) as Hello);
      changed("live");
    });
    source.addEventListener("update", (event) => {
      history.add(JSON.parse(event.data) as Update);
      changed("live");
    });
    source.addEventListener("error", () => {
      changed("lost");
      // An answer other than 200 ends it for good, as when a proxy answers for a program that is not there.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 2_000);
    });
  };
  open();
}
