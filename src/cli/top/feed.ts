/**
 * Reads the feed of a dashboard, as its page does.
 */
import { Client } from "../../client/client.ts";
import { feedVersion, type Hello, type Update } from "../../dashboard/messages.ts";
import { version } from "../../version.ts";
import { Failure } from "../errors.ts";

/** What a feed brings. */
export type FeedEvent =
  | { readonly name: "hello"; readonly content: Hello }
  | { readonly name: "update"; readonly content: Update };

const answerMsecs = 5_000;
/** The feed speaks twice a second. */
const silenceMsecs = 15_000;

/**
 * The events of the dashboard at `url`, until `signal` aborts.
 *
 * Throws a Failure when nobody answers, when it is no dashboard, and when it ends.
 */
export async function* readFeed(url: URL, signal: AbortSignal): AsyncGenerator<FeedEvent> {
  const client = new Client({
    connectTimeoutMsecs: answerMsecs,
    headersTimeoutMsecs: answerMsecs,
    bodyTimeoutMsecs: silenceMsecs,
  });
  try {
    const body = await open(client, url, signal);
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

async function open(client: Client, url: URL, signal: AbortSignal) {
  const headers = { "user-agent": `keepline/${version} (top)`, accept: "text/event-stream" };
  const response = await client
    .request(new URL("feed", url), { headers, signal })
    .catch((error: unknown) => {
      signal.throwIfAborted();
      throw new Failure(
        `nobody answers at ${url.href}: ${messageOf(error)} (a program serves a dashboard by serveDashboard(), or by KEEPLINE_DASHBOARD with keepline/register)`,
      );
    });
  const type = response.headers["content-type"] ?? "";
  if (response.statusCode === 200 && String(type).startsWith("text/event-stream")) {
    return response.body;
  }
  throw new Failure(`${url.href} is no dashboard of keepline: it answered ${response.statusCode}`);
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
