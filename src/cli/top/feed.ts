/**
 * Reads the feed of a dashboard, as its page does.
 */
import { feedVersion, type Hello, type Update } from "../../dashboard/messages.ts";
import { version } from "../../version.ts";
import { ask, clientFor, isOfType, messageOf, noDashboard } from "../dashboard.ts";
import { Failure } from "../errors.ts";

/** What a feed brings. */
export type FeedEvent =
  | { readonly name: "hello"; readonly content: Hello }
  | { readonly name: "update"; readonly content: Update };

/**
 * The events of the dashboard at `url`, until `signal` aborts.
 *
 * Throws a Failure when nobody answers, when it is no dashboard, and when it ends.
 */
export async function* readFeed(url: URL, signal: AbortSignal): AsyncGenerator<FeedEvent> {
  const client = clientFor();
  try {
    const { statusCode, headers, body } = await ask(client, new URL("feed", url), url, signal);
    if (statusCode !== 200 || !isOfType(headers, "text/event-stream")) {
      throw new Failure(noDashboard(url, statusCode));
    }
    const decoder = new TextDecoder();
    let text = "";
    let isKnown = false;
    for await (const piece of body) {
      text += decoder.decode(piece, { stream: true });
      for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
        const event = eventOf(text.slice(0, end));
        text = text.slice(end + 2);
        if (!isKnown) check(event, url);
        isKnown = true;
        if (event !== null) yield event;
      }
      if (!isKnown && text.length > 65_536) check(null, url);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Failure) throw error;
    throw new Failure(`the dashboard at ${url.href} has ended: ${messageOf(error)}`);
  } finally {
    client.destroy();
  }
  throw new Failure(`the dashboard at ${url.href} has ended`);
}

/** Null for what is no event of a dashboard. */
function eventOf(text: string): FeedEvent | null {
  const [, name, content] = /^event: (hello|update)\ndata: (.*)$/m.exec(text) ?? [];
  if (content === undefined) return null;
  try {
    return { name, content: JSON.parse(content, printable) } as FeedEvent;
  } catch {
    return null;
  }
}

/** Names, paths and messages come from elsewhere: what could move the cursor of a terminal is not shown. */
function printable(_: string, value: unknown): unknown {
  return typeof value === "string" ? value.replace(/\p{Cc}+/gu, "?") : value;
}

/** @throws Failure unless `event` is the first one of a dashboard that this version understands. */
function check(event: FeedEvent | null, { href }: URL): void {
  if (event?.name !== "hello" || event.content.format !== "keepline-dashboard") {
    throw new Failure(`${href} is no dashboard of keepline: it sends other events`);
  }
  const { formatVersion, keepline } = event.content;
  if (formatVersion !== feedVersion) {
    throw new Failure(
      `${href} is a dashboard of keepline ${keepline} (format ${formatVersion}), and this is keepline ${version} (format ${feedVersion}): use the same version`,
    );
  }
}
