/**
 * `keepline top ADDRESS`: the pools of a running program, in the terminal.
 */
import type { Hello } from "../../dashboard/messages.ts";
import { type Command, type Context, operandCommand } from "../command.ts";
import { addressAllowed, parseAddress } from "../dashboard.ts";
import { type Arguments, flag } from "../options.ts";
import { readFeed } from "./feed.ts";
import { renderTop, type TopNote } from "./render.ts";

const keptNotes = 20;

const options = {
  once: flag("print it once and end"),
  json: flag("print each update as one line of JSON and nothing else"),
};

/** The command. */
export const topCommand: Command = operandCommand({
  name: "top",
  summary: "show the pools of a running program",
  usage: "ADDRESS [--once] [--json]",
  operand: {
    value: "ADDRESS",
    allowed: addressAllowed,
    parse: parseAddress,
  },
  options,
  examples: [
    ["keepline top 127.0.0.1:4700", "what the program there does, until Ctrl-C"],
    ["keepline top 4700 --once --json", "one update, for programs"],
  ],
  notes: [
    "The program serves a dashboard: by serveDashboard() of keepline/dashboard, or with " +
      "--import keepline/register and the variable KEEPLINE_DASHBOARD=127.0.0.1:4700. The same address " +
      "is a page for browsers.",
    "Busy connections are those with a request and those being opened. Rates and percentiles are of the " +
      "half second before, and the first line of --json is without rates.",
    "Exit code: 0 with --once; 1 when nobody answers, when it is no dashboard, and when the program " +
      "ends; 130 after Ctrl-C.",
  ],
  run,
});

async function run(
  { options: given, operand: url }: Arguments<typeof options, URL>,
  { terminal, signal }: Context,
): Promise<void> {
  const isOnce = given.once === true;
  let hello: Hello | null = null;
  let notes: TopNote[] = [];
  for await (const event of readFeed(url, signal)) {
    if (event.name === "hello") {
      hello = event.content;
      continue;
    }
    const { content } = event;
    // The first one tells no rates: they are of the time between two.
    if (isOnce && content.sinceMsecs === 0) continue;
    if (given.json === true) {
      terminal.printRaw(`${JSON.stringify(content)}\n`);
    } else if (hello !== null) {
      const events = content.notes.filter(({ kind }) => kind !== "slow");
      const told = events.map((note) => ({ ...note, seenAt: content.at - note.ago })).reverse();
      notes = [...told, ...notes].slice(0, keptNotes);
      const lines = renderTop(hello, content, notes, terminal);
      if (isOnce) terminal.print(lines);
      else terminal.redraw(lines);
    }
    if (isOnce) return;
  }
}
